/** 通过 HTTP 供多人观看。 */
export const watch = {
  watch_title: '观摩',
  watch_text: '术野画面和声音，大约延迟两秒。您只是观摩：不发送任何画面或声音，也不做标注。如需实时指导，请加入会诊。',
  watch_start: '开始观摩',
  watch_join: '改为加入会诊',
  watch_leave: '停止观摩',
  watch_pictures: '画面',
  watch_late: '延迟 {seconds} 秒',
  watch_late_title: '当前画面是摄像机多久以前拍到的',
  watch_sound_on: '打开声音',
  watch_sound_off: '关闭声音',
  watch_nothing: '还没有画面，出现后会自动显示。',
  watch_paused: '画面已暂停。',
  watch_begins: '画面即将开始……',
  watch_failed: '暂时没有画面，恢复后会自动继续。',
  watch_codec: '此画面的格式无法在这里观摩，可以在会诊中查看。',
  watch_recorded: '会诊室正在播放录像，请在会诊室内观看。',
};
