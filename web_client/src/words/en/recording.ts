/** Words for whether a recording is being written. */
export const recording = {
  recording_interrupted: 'Not being recorded since {time}',
  recording_missing: '{seconds} seconds of this recording are missing: the disk could not follow.',
  recording_cause_full: 'The disk for recordings is full.',
  recording_cause_slow: 'The disk for recordings is too slow.',
  recording_cause_gone: 'The disk for recordings is gone.',
  recording_cause_error: 'The disk for recordings reports an error.',
  recording_cause_forbidden: 'The disk for recordings may not be written to.',
  said_recording_interrupted: 'Nothing is being recorded just now.',
  said_recording_resumed: 'Recording goes on. What happened meanwhile is missing in it.',
  said_recording_resumed_whole: 'Recording goes on, and nothing is missing.',
  chapter_recording_interrupted: 'Recording interrupted: the disk did not follow',
  chapter_recording_resumed: 'Recording goes on',
} as const;
