/**
 * Lengths on the operating field: in millimetres only where somebody said how long a line on this very picture is, and
 * else in pixels that say they are not calibrated. A calibration holds for the plane, the zoom and the distance of the
 * moment; after the picture was interrupted it holds no longer.
 */
import { isBefore, type Moment } from '../media/rtp';
import type { Scale } from '../signalling/marks';
import type { Mark, Point, Producer } from '../signalling/protocol';
import type { Calibration } from './notebook';

export interface FieldLength {
  value: number;
  unit: 'mm' | 'px';
}

/**
 * The calibration that holds for a frame of a live picture; null: none does. It holds from the frame on that it was made on,
 * and not for one from before the picture was interrupted (`since`).
 */
export function validCalibration(calibration: Calibration | undefined, since: Moment | null, frame: Moment): Calibration | null {
  if (calibration === undefined) return null;
  const made = { rtpTimestamp: calibration.anchor.rtp_timestamp, time: calibration.time };
  if (isBefore(frame, made) || (since !== null && isBefore(made, since))) return null;
  return calibration;
}

/** From which frame on a picture has come since it was interrupted; null: it was not. */
export function sinceOf(producer: Producer | undefined): Moment | null {
  if (producer === undefined || typeof producer.since !== 'number') return null;
  return { rtpTimestamp: producer.since, time: producer.since_time ?? null };
}

/** How long a mark is; null: it is no length. `picture` is its size in pixels, as it is shown here. */
export function fieldLength(mark: Mark, calibration: Scale | null, picture: { width: number; height: number }): FieldLength | null {
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

/** Read a length as people type it ("10", "10,5 mm", "１０"), within what the server takes; null: it is none. */
export function readMillimetres(typed: string): number | null {
  const plain = typed.normalize('NFKC').trim().replace(/\s*(mm|毫米)$/i, '').replace(',', '.');
  if (!/^\d+(\.\d*)?$|^\.\d+$/.test(plain)) return null;
  const millimetres = Number(plain);
  return millimetres >= 0.01 && millimetres <= 10_000 ? millimetres : null;
}
