import type { marks as en } from '../en/marks';

export const marks: Readonly<Record<keyof typeof en, string>> = {
  tool_line: '直线',
  tool_rectangle: '矩形',
  tool_polygon: '多边形',
  tool_pin: '图钉',
  tool_length: '长度',
  tool_angle: '角度',
  tool_cobb: 'Cobb 角',
  tool_bidirectional: '双径',
  tool_roi_ellipse: '椭圆区域',
  tool_roi_rectangle: '矩形区域',
  tool_probe: '探针',
  error_not_calibrated: '该画面尚未标定长度。',
  error_duplicate: '已经收到。',
};
