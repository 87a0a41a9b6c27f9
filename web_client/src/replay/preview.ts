/**
 * Previews of a recording's pictures (PROTOCOL.md §8): every frame, small, with a key frame each half second, so that the picture of
 * any moment is there at once, where the sharp one takes a decoder seconds. What comes from the server is read with limits.
 */
import { WITHIN_FRAME_S } from './beginning';

/** A list or a piece is not what it must be: this camera goes on without previews. */
export class PreviewError extends Error {}

export interface PreviewList {
  codec: string;
  width: number;
  height: number;
  timescale: number;
  /** Ticks of the first frame, and where the last one ends. */
  pieces: readonly (readonly [start: number, end: number])[];
}

export interface PreviewFrame {
  /** Ticks, as in the track's list of segments. */
  time: number;
  key: boolean;
  /** One access unit, Annex B. */
  data: Uint8Array<ArrayBuffer>;
}

/** One frame as seconds of its camera: from its own time until that of the next one. */
export interface FrameSpan {
  from: number;
  until: number;
}

const MAGIC = 0x4b50_5631;
const HEAD_BYTES = 8;
const ENTRY_BYTES = 12;
const KEY_BIT = 0x8000_0000;
const MOST_FRAMES = 1024;
const MOST_SECONDS = 2;
export const MOST_PIECE_BYTES = 4 << 20;
/** Days of two-second pieces. */
const MOST_PIECES = 1 << 18;
/** They are meant to be small, and a decoder is asked for what the list says. */
const MOST_SIDE = 4096;

export function readList(value: unknown): PreviewList {
  if (typeof value !== 'object' || value === null) throw new PreviewError('The list of previews is no object.');
  const { codec, width, height, timescale, pieces } = value as Record<string, unknown>;
  if (typeof codec !== 'string' || !/^avc1\.[0-9a-f]{6}$/i.test(codec)) throw new PreviewError('The previews are of an unknown kind.');
  if (!isCount(width, MOST_SIDE) || !isCount(height, MOST_SIDE)) throw new PreviewError('The size of the previews is impossible.');
  if (!isCount(timescale, 1e9)) throw new PreviewError('The timescale of the previews is impossible.');
  if (!Array.isArray(pieces) || pieces.length > MOST_PIECES) throw new PreviewError('The previews have no list of pieces, or too long a one.');
  let before = 0;
  for (const piece of pieces as unknown[]) {
    if (!Array.isArray(piece) || piece.length !== 2) throw new PreviewError('A piece of the previews has no start and end.');
    const [start, end] = piece as unknown[];
    if (!isTick(start) || !isTick(end) || start < before || end <= start) throw new PreviewError('The pieces of the previews do not follow each other.');
    before = end;
  }
  return { codec, width, height, timescale, pieces: pieces as [number, number][] };
}

/** Read a piece's body as it comes. */
export function readPiece(body: ArrayBuffer, timescale: number): PreviewFrame[] {
  const size = body.byteLength;
  if (size > MOST_PIECE_BYTES) throw new PreviewError('A piece of the previews is too large.');
  const view = new DataView(body);
  if (size < HEAD_BYTES || view.getUint32(0) !== MAGIC) throw new PreviewError('A piece of the previews is none.');
  const count = view.getUint32(4);
  let at = HEAD_BYTES + ENTRY_BYTES * count;
  if (count < 1 || count > MOST_FRAMES || at > size) throw new PreviewError('A piece of the previews is cut, or holds too much.');
  const frames: PreviewFrame[] = [];
  let before = -1;
  for (let index = 0; index < count; index += 1) {
    const entry = HEAD_BYTES + ENTRY_BYTES * index;
    const time = Number(view.getBigUint64(entry));
    const word = view.getUint32(entry + 8);
    const [key, length] = [word >= KEY_BIT, word % KEY_BIT];
    if (!isTick(time) || time <= before) throw new PreviewError('The frames of a piece do not follow each other.');
    if (index === 0 && !key) throw new PreviewError('A piece does not begin with a key frame.');
    if (time - (frames[0]?.time ?? time) > MOST_SECONDS * timescale) throw new PreviewError('A piece of the previews is too long.');
    if (at + length > size) throw new PreviewError('A piece of the previews is cut.');
    const data = new Uint8Array(body, at, length);
    if (!startsAnnexB(data)) throw new PreviewError('A frame of the previews is none.');
    frames.push({ time, key, data });
    at += length;
    before = time;
  }
  if (at !== size) throw new PreviewError('Something stands behind a piece of the previews.');
  return frames;
}

/** The nearest tick: players round moments that lie on a frame's own time as well. */
export function ticksOf(list: PreviewList, seconds: number): number {
  return Math.round(seconds * list.timescale);
}

/** Which piece has the picture of a moment, seconds of the camera; null: none has, that is before its first picture. */
export function pieceAt(list: PreviewList, seconds: number): number | null {
  const found = countUpTo(list.pieces, ([start]) => start, ticksOf(list, seconds));
  return found === 0 ? null : found - 1;
}

/** The frame that stands at a moment; before the first that one. */
export function frameAt(frames: readonly PreviewFrame[], ticks: number): number {
  return Math.max(0, countUpTo(frames, ({ time }) => time, ticks) - 1);
}

/** Where a decoder begins for a frame. */
export function keyBefore(frames: readonly PreviewFrame[], index: number): number {
  let key = index;
  while (key > 0 && frames[key]?.key !== true) key -= 1;
  return key;
}

/** How long a frame of a piece stands, seconds of the camera. */
export function spanOf(list: PreviewList, number: number, frames: readonly PreviewFrame[], index: number): FrameSpan {
  const from = frames[index]?.time ?? 0;
  const until = frames[index + 1]?.time ?? list.pieces[number]?.[1] ?? from;
  return { from: from / list.timescale, until: until / list.timescale };
}

/** A place within the first frame of a piece (direction 1) or its last one (-1), seconds of the camera; null: there is no such piece. */
export function edgeOf(list: PreviewList, number: number, direction: 1 | -1): number | null {
  const piece = list.pieces[number];
  if (piece === undefined) return null;
  return direction === 1 ? piece[0] / list.timescale + WITHIN_FRAME_S : piece[1] / list.timescale - WITHIN_FRAME_S;
}

/** A piece must be the one that the list names, or its picture would be of another moment. */
export function isListed(list: PreviewList, number: number, frames: readonly PreviewFrame[]): boolean {
  const [start, end] = list.pieces[number] ?? [-1, -1];
  return frames[0]?.time === start && (frames.at(-1)?.time ?? end) < end;
}

function startsAnnexB(data: Uint8Array): boolean {
  const zeros = data[2] === 0 ? 3 : 2;
  return data.length > zeros + 1 && data[0] === 0 && data[1] === 0 && data[zeros] === 1;
}

function isCount(value: unknown, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most;
}

function isTick(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function countUpTo<Item>(sorted: readonly Item[], of: (item: Item) => number, limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (of(sorted[middle] as Item) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
