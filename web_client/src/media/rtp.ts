/** RTP timestamps count modulo 2^32 (RFC 3550, section 5.1). */

/** The signed distance `later - earlier` of two RTP timestamps, -2^31 to 2^31 - 1. */
export function rtpDifference(later: number, earlier: number): number {
  return (later - earlier) | 0;
}

/** `timestamp + units`, modulo 2^32. */
export function rtpAdd(timestamp: number, units: number): number {
  return (timestamp + Math.round(units)) >>> 0;
}
