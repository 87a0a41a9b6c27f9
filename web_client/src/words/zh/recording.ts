import type { recording as en } from '../en/recording';

/** 录制是否正在写入磁盘。 */
export const recording: Readonly<Record<keyof typeof en, string>> = {
  recording_interrupted: '自 {time} 起未在录制',
  recording_missing: '本次录制缺少 {seconds} 秒：磁盘未能跟上。',
  recording_cause_full: '录制磁盘已满。',
  recording_cause_slow: '录制磁盘过慢。',
  recording_cause_gone: '录制磁盘不可用。',
  recording_cause_error: '录制磁盘报告错误。',
  recording_cause_forbidden: '录制磁盘不可写入。',
  said_recording_interrupted: '目前没有在录制。',
  said_recording_resumed: '录制已恢复，其间的内容缺失。',
  said_recording_resumed_whole: '录制已恢复，内容没有缺失。',
  chapter_recording_interrupted: '录制中断：磁盘未能跟上',
  chapter_recording_resumed: '录制恢复',
};
