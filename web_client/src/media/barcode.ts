/** The barcode of a test picture, read back from the glass: `docs/barcode.md`. */
import type { Barcode } from '../signalling/protocol';

const CELLS = 18;
/** A cell is this part of the frame's height. */
const CELL = 1 / 40;
const CONTRAST = 64;

/** Brightness of the strip's pixels, at the size of the picture itself: rows of `stride` bytes, one every `step`. */
export interface Luma {
  bytes: Uint8Array;
  stride: number;
  step: number;
  /** Of the whole frame, in pixels. */
  frameHeight: number;
}

/** The strip, border included, in a frame of this height: whole pixels, even as chroma subsampling wants them. */
export function stripRegion(frameHeight: number): { width: number; height: number } {
  const even = (length: number): number => 2 * Math.ceil(length / 2);
  return { width: even((CELLS + 1) * CELL * frameHeight), height: even(2 * CELL * frameHeight) };
}

/** Read the frame number, or null where there is no barcode. */
export function readStrip(luma: Luma): number | null {
  const light = cell(luma, 0);
  const dark = cell(luma, 1);
  if (!(light - dark >= CONTRAST)) return null;
  const threshold = (light + dark) / 2;
  // the white border of half a cell: without it a bright picture would now and then read as a number
  if (mean(luma, 0.1, 0.1, CELLS + 0.8, 0.25) < threshold || mean(luma, 0.1, 0.1, 0.25, 1.8) < threshold) return null;
  let frame = 0;
  for (let bit = 0; bit < 16; bit += 1) frame = frame * 2 + (cell(luma, bit + 2) > threshold ? 1 : 0);
  return frame;
}

/** How far a sending time may lie in the future before it must be the previous round of the loop, ms. */
const CLOCK_ERROR_MS = 100;

/** When the newest instance of frame `read` was sent, by the server's clock. */
export function sendingTime(barcode: Barcode, read: number, serverNow: number): number | null {
  const { modulus, interval_ms: interval } = barcode;
  if (!(modulus > 0) || !(interval > 0) || read >= modulus) return null;
  const newest = Math.floor((serverNow + CLOCK_ERROR_MS - barcode.time) / interval);
  const wanted = read - barcode.frame;
  const behind = (((newest - wanted) % modulus) + modulus) % modulus;
  return barcode.time + (newest - behind) * interval;
}

/** The mean of a cell's inner half. */
function cell(luma: Luma, index: number): number {
  return mean(luma, index + 0.75, 0.75, 0.5, 0.5);
}

/** The mean of a rectangle, whose sides are in cells. */
function mean(luma: Luma, left: number, top: number, width: number, height: number): number {
  const size = CELL * luma.frameHeight;
  const [right, bottom] = [Math.ceil((left + width) * size), Math.ceil((top + height) * size)];
  let [sum, count] = [0, 0];
  for (let y = Math.floor(top * size); y < bottom; y += 1) {
    for (let x = Math.floor(left * size); x < right; x += 1) {
      sum += luma.bytes[y * luma.stride + x * luma.step] ?? 0;
      count += 1;
    }
  }
  return sum / count;
}
