import type { dicom as en } from '../en/dicom';

export const dicom: Readonly<Record<keyof typeof en, string>> = {
  stage_field: '术野',
  stage_images: '影像',
  stage_board: '白板',
  stage_failed: '此部分页面无法加载。请确认服务器可达，然后重新选择该标签。',
  help_key_stage: '向左、向右切换',
  said_presenting_began: '{name}正在演示影像',
  said_presenting_asked: '{name}请求演示影像',
  said_presenting_ended: '影像演示已结束',
  said_presenting_yours: '现在由您演示影像',
  error_already_presenting: '已有他人在演示，请先请求接手。',
  error_not_presenting: '当前无人演示，或由他人演示。',
  chapter_presenter: '{name}演示影像',
};
