/** RTP timestamps count modulo 2^32 (RFC 3550, section 5.1). */

/** The signed distance `later - earlier` of two RTP timestamps, -2^31 to 2^31 - 1. */
export function rtpDifference(later: number, earlier: number): number {
  return (later - earlier) | 0;
}

/** The clock of every video in RTP, Hz. */
export const VIDEO_CLOCK = 90_000;

/**
 * How many ticks lie between two RTP timestamps that may be hours apart: they come round every 13 hours. `seconds` is about
 * how long after the earlier one the later one was, as another clock saw it, to within 6 hours.
 */
export function ticksBetween(later: number, earlier: number, seconds: number, clockRate = VIDEO_CLOCK): number {
  const short = (later - earlier) >>> 0;
  return short + Math.round((seconds * clockRate - short) / 2 ** 32) * 2 ** 32;
}

/** A frame, and about when it was, Unix ms; null: not known, and taken for within hours. */
export interface Moment {
  rtpTimestamp: number;
  time: number | null;
}

/** Whether one frame comes before another. */
export function isBefore(one: Moment, other: Moment): boolean {
  if (one.time === null || other.time === null) return rtpDifference(one.rtpTimestamp, other.rtpTimestamp) < 0;
  return ticksBetween(one.rtpTimestamp, other.rtpTimestamp, (one.time - other.time) / 1000) < 0;
}

/** `timestamp + units`, modulo 2^32. */
export function rtpAdd(timestamp: number, units: number): number {
  return (timestamp + Math.round(units)) >>> 0;
}
