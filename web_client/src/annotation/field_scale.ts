/**
 * Lengths on the operating field: in millimetres only where somebody said how long a line on this very picture is, and
 * else in pixels that say they are not calibrated. A calibration holds for the plane, the zoom and the distance of the
 * moment; after the picture was interrupted it holds no longer.
 */
import { rtpDifference } from '../media/rtp';
import type { Mark, Point } from '../signalling/protocol';
import type { Calibration } from './notebook';

export interface FieldLength {
  value: number;
  unit: 'mm' | 'px';
}

/** The calibration that holds for a picture; null: none does. `since` as the server says of an interrupted picture. */
export function validCalibration(calibration: Calibration | undefined, since: number | null): Calibration | null {
  if (calibration === undefined) return null;
  if (since !== null && rtpDifference(calibration.anchor.rtp_timestamp, since) < 0) return null;
  return calibration;
}

/** How long a mark is; null: it is no length. `picture` is its size in pixels, as it is shown here. */
export function fieldLength(mark: Mark, calibration: Calibration | null, picture: { width: number; height: number }): FieldLength | null {
  if (mark.shape !== 'length' || !(picture.width > 0 && picture.height > 0)) return null;
  const pixels = inPixels(mark.points, picture);
  const known = calibration === null ? 0 : inPixels(calibration.points, picture);
  if (calibration === null || known === 0) return { value: pixels, unit: 'px' };
  return { value: (pixels * calibration.millimetres) / known, unit: 'mm' };
}

/** Three digits that count, and no more than a tenth: more would claim a precision that a field has not. */
export function sayMillimetres(millimetres: number): string {
  return millimetres < 100 ? millimetres.toFixed(1) : String(Math.round(millimetres));
}

function inPixels([from, to]: readonly Point[], { width, height }: { width: number; height: number }): number {
  if (from === undefined || to === undefined) return 0;
  return Math.hypot((to[0] - from[0]) * width, (to[1] - from[1]) * height);
}
