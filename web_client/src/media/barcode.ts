/** The barcode of a test picture, read back from the glass: `docs/barcode.md`. */
import type { Barcode } from '../signalling/protocol';

const CELLS = 18;
/** A cell is this part of the frame's height. */
const CELL = 1 / 40;
/** Pixels of a cell in the small picture that is read; its inner half is 4 × 4 of them. */
export const SAMPLE = 8;
export const STRIP_WIDTH = (CELLS + 1) * SAMPLE;
export const STRIP_HEIGHT = 2 * SAMPLE;
const CONTRAST = 64;

/** Where the strip, border included, lies in a frame of this height, in its pixels. */
export function stripRegion(frameHeight: number): { width: number; height: number } {
  return { width: (CELLS + 1) * CELL * frameHeight, height: 2 * CELL * frameHeight };
}

/** Read RGBA pixels of STRIP_WIDTH × STRIP_HEIGHT: the frame number, or null where there is no barcode. */
export function readStrip(pixels: Uint8ClampedArray): number | null {
  const light = cell(pixels, 0);
  const dark = cell(pixels, 1);
  if (light - dark < CONTRAST) return null;
  // the white border of half a cell: without it a bright picture would now and then read as a number
  if (border(pixels) < (light + dark) / 2) return null;
  const threshold = (light + dark) / 2;
  let frame = 0;
  for (let bit = 0; bit < 16; bit += 1) frame = frame * 2 + (cell(pixels, bit + 2) > threshold ? 1 : 0);
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

function cell(pixels: Uint8ClampedArray, index: number): number {
  const left = (0.75 + index) * SAMPLE;
  return mean(pixels, left, 0.75 * SAMPLE, SAMPLE / 2, SAMPLE / 2);
}

function border(pixels: Uint8ClampedArray): number {
  const thin = SAMPLE / 4;
  return Math.min(mean(pixels, thin, 1, STRIP_WIDTH - 2 * thin, thin - 1), mean(pixels, 1, 1, thin - 1, STRIP_HEIGHT - 2));
}

function mean(pixels: Uint8ClampedArray, left: number, top: number, width: number, height: number): number {
  let sum = 0;
  for (let y = top; y < top + height; y += 1) {
    for (let x = left; x < left + width; x += 1) {
      const at = 4 * (y * STRIP_WIDTH + x);
      sum += 0.299 * (pixels[at] ?? 0) + 0.587 * (pixels[at + 1] ?? 0) + 0.114 * (pixels[at + 2] ?? 0);
    }
  }
  return sum / (width * height);
}
