/** From a frame's bytes, as the server decoded them, to values and to the picture on the glass. */
import type { Frame, Instance } from './image';
import type { Palette, Table } from './palette';
import type { Window } from './viewport';
import { grey, windowOver, type WindowFunction } from './windowing';

export type Samples = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

/** What cannot be shown, as a key of the catalogue behind `viewer_cannot_`. */
export class PixelError extends Error {
  constructor(readonly reason: 'size' | 'kind' | 'palette' | 'none') {
    super(reason);
    this.name = 'PixelError';
  }
}

export interface Pixels {
  frame: Frame;
  samples: Samples;
  /** Of the stored values; colour has none. */
  minimum: number;
  maximum: number;
}

/** Read a frame. Raise PixelError where it cannot be shown. */
export function readPixels(frame: Frame, bytes: ArrayBuffer): Pixels {
  const { of } = frame;
  if (of.photometric === null || (of.photometric === 'RGB' && of.samples < 3)) throw new PixelError('kind');
  if (of.photometric === 'PALETTE COLOR' && of.palette === null) throw new PixelError('palette');
  const count = of.columns * of.rows * of.samples;
  if (count === 0) throw new PixelError('none');
  const size = Math.max(1, of.bits >> 3);
  if (bytes.byteLength < count * size) throw new PixelError('size');
  const samples = samplesOf(of, bytes, count);
  if (of.photometric === 'RGB') return { frame, samples, minimum: 0, maximum: 255 };
  let [minimum, maximum] = [Infinity, -Infinity];
  for (const value of samples) {
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
  }
  return { frame, samples, minimum, maximum };
}

function samplesOf(of: Instance, bytes: ArrayBuffer, count: number): Samples {
  if (of.floating) return of.bits === 64 ? new Float64Array(bytes, 0, count) : new Float32Array(bytes, 0, count);
  switch (of.bits) {
    case 1:
    case 8:
      return of.signed ? new Int8Array(bytes, 0, count) : new Uint8Array(bytes, 0, count);
    case 16:
      return of.signed ? new Int16Array(bytes, 0, count) : new Uint16Array(bytes, 0, count);
    case 32:
      return of.signed ? new Int32Array(bytes, 0, count) : new Uint32Array(bytes, 0, count);
    default:
      throw new PixelError('kind');
  }
}

/** A stored value with the rescale, or the modality's table, applied. */
export function rescaled(frame: Frame, stored: number): number {
  const { modalityTable } = frame.of;
  return modalityTable === null ? stored * frame.slope + frame.intercept : lookedUp(modalityTable, stored);
}

/** What measuring reads; null for colour. */
export function valueOf({ frame, samples }: Pixels): ((column: number, row: number) => number) | null {
  if (frame.of.photometric === 'RGB' || frame.of.photometric === 'PALETTE COLOR') return null;
  return (column, row) => rescaled(frame, samples[row * frame.of.columns + column] ?? 0);
}

/** The window that shows all of a frame. */
export function fullWindow({ frame, minimum, maximum }: Pixels): Window {
  const [one, other] = [rescaled(frame, minimum), rescaled(frame, maximum)];
  return windowOver(Math.min(one, other), Math.max(one, other));
}

/** What is shown where nobody chose a window: the file's first, else everything. */
export function ownWindow(pixels: Pixels): Window {
  return pixels.frame.presets[0]?.window ?? fullWindow(pixels);
}

export interface Look {
  window: Window | null;
  invert: boolean;
}

/** Whether a window changes anything of it. */
export function hasWindow(frame: Frame): boolean {
  return frame.of.photometric === 'MONOCHROME1' || frame.of.photometric === 'MONOCHROME2';
}

/** Paint a frame into RGBA, four bytes a pixel. */
export function paintPixels(pixels: Pixels, look: Look, into: Uint32Array): void {
  const { frame, samples } = pixels;
  const { of } = frame;
  if (of.photometric === 'RGB') return paintColours(of, samples, look.invert, into);
  if (of.photometric === 'PALETTE COLOR') return paintPalette(of.palette as Palette, samples, look.invert, into);
  const shade = shader(pixels, look);
  if (of.bits <= 16 && !of.floating) {
    const { minimum, maximum } = pixels;
    const table = new Uint32Array(maximum - minimum + 1);
    for (let at = 0; at < table.length; at++) table[at] = opaque(shade(at + minimum));
    for (let at = 0; at < into.length; at++) into[at] = table[(samples[at] ?? 0) - minimum] ?? 0xff000000;
    return;
  }
  for (let at = 0; at < into.length; at++) into[at] = opaque(shade(samples[at] ?? 0));
}

/** From a stored value to a grey of 0 to 255: modality, window or table, presentation (PS3.3, C.11). */
function shader({ frame, ...pixels }: Pixels, look: Look): (stored: number) => number {
  const { of } = frame;
  const dark = (of.photometric === 'MONOCHROME1') !== look.invert;
  const own = frame.presets[0]?.window ?? null;
  const finish = (value: number): number => (dark ? 255 - Math.round(value) : Math.round(value));
  if (look.window === null && own === null && frame.voiTable !== null) {
    const table = frame.voiTable;
    const most = 2 ** table.bits - 1;
    return (stored) => finish((lookedUp(table, rescaled(frame, stored)) / most) * 255);
  }
  const window = look.window ?? own ?? fullWindow({ frame, ...pixels });
  const kind: WindowFunction = frame.windowFunction;
  return (stored) => finish(grey(rescaled(frame, stored), window, kind));
}

function lookedUp({ first, values }: Table, value: number): number {
  const at = Math.min(values.length - 1, Math.max(0, Math.round(value) - first));
  return values[at] ?? 0;
}

function paintColours(of: Instance, samples: Samples, invert: boolean, into: Uint32Array): void {
  const shift = Math.max(0, Math.min(of.bitsStored, of.bits) - 8);
  const turn = invert ? 0x00ffffff : 0;
  for (let at = 0, from = 0; at < into.length; at++, from += of.samples) {
    const [red, green, blue] = [(samples[from] ?? 0) >>> shift, (samples[from + 1] ?? 0) >>> shift, (samples[from + 2] ?? 0) >>> shift];
    into[at] = (0xff000000 | (((blue << 16) | (green << 8) | red) ^ turn)) >>> 0;
  }
}

function paintPalette({ red, green, blue }: Palette, samples: Samples, invert: boolean, into: Uint32Array): void {
  const turn = invert ? 0x00ffffff : 0;
  const part = (table: Table, value: number): number => {
    const entry = lookedUp(table, value);
    return table.bits > 8 ? entry >> 8 : entry & 0xff;
  };
  for (let at = 0; at < into.length; at++) {
    const index = samples[at] ?? 0;
    into[at] = (0xff000000 | (((part(blue, index) << 16) | (part(green, index) << 8) | part(red, index)) ^ turn)) >>> 0;
  }
}

function opaque(level: number): number {
  return (0xff000000 | (level << 16) | (level << 8) | level) >>> 0;
}
