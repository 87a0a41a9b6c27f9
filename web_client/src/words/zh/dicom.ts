import type { dicom as en } from '../en/dicom';

export const dicom: Readonly<Record<keyof typeof en, string>> = {
  stage_field: '术野',
  stage_images: '影像',
  stage_board: '白板',
  stage_failed: '此部分页面无法加载。请确认服务器可达，然后重新选择该标签。',
  help_key_stage: '向左、向右切换',
};
