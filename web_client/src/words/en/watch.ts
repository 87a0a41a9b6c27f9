/** Looking on over HTTP, for many. */
export const watch = {
  watch_title: 'Look on',
  watch_text: 'The operating field with its sound, some two seconds late. You look on: you send nothing and draw nothing. For live guidance join the consultation.',
  watch_start: 'Look on',
  watch_join: 'Join the consultation instead',
  watch_leave: 'Stop looking on',
  watch_pictures: 'Pictures',
  watch_late: '{seconds} s late',
  watch_late_title: 'How long ago the camera saw what is shown',
  watch_sound_on: 'Turn sound on',
  watch_sound_off: 'Turn sound off',
  watch_nothing: 'There is no picture yet. It appears here by itself.',
  watch_paused: 'The picture is paused.',
  watch_begins: 'The picture begins…',
  watch_failed: 'Nothing comes just now. It goes on by itself.',
  watch_codec: 'This picture is sent in a format that cannot be looked on here. It can be seen in the consultation.',
  watch_recorded: 'A recording is shown in the room. It can be seen there, and not here.',
};
