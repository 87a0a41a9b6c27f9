/** The frames of a series in the order in which they are scrolled, and whether they make a volume. */
import { frameOf, type Frame, type Instance } from './image';
import { normalOf } from './orientation';
import { dot, lengthOf, minus, times, unit } from './vectors';

export interface Stack {
  series: string;
  frames: readonly Frame[];
  /** Whether the frames lie in the patient one behind the other at equal distances. */
  volume: boolean;
  /** Why they make none, as a key of the catalogue behind `viewer_flat_`; null: they do. */
  flat: Flatness | null;
  /** Degrees by which the frames are shifted against each other: the gantry was tilted. */
  tilt: number;
  /** From a frame to the next, mm; 0: not known. */
  step: number;
}

export type Flatness = 'few' | 'colour' | 'unplaced' | 'different' | 'turned' | 'repeated' | 'uneven' | 'shifted' | 'large';

/** Distances may differ by so much: positions in files are rounded. */
const EVEN = 0.02;
/** Frames of which a volume is made, and bytes in all: what a page can hold. */
const VOLUME_LIMITS = { frames: 3000, bytes: 640 << 20 };
/** Frames nearer to each other than this are at the same place, mm. */
const SAME_PLACE = 1e-3;
/** From here on a tilt is said, degrees. */
const SLIGHT_TILT = 0.3;

/** Order a series: by place along its own normal where all its frames are parallel, else by their numbers. */
export function stackOf(series: string, instances: readonly Instance[]): Stack {
  const numbered = [...instances].sort((one, other) => one.number - other.number || one.instance.localeCompare(other.instance));
  const frames = numbered.flatMap((instance) => Array.from({ length: instance.frames }, (_, at) => frameOf(instance, at + 1)));
  const places = placesOf(frames);
  if (typeof places === 'string') return { series, frames, volume: false, flat: places, tilt: 0, step: 0 };
  const order = frames.map((frame, at) => ({ frame, place: places[at] ?? 0 })).sort((one, other) => one.place - other.place);
  // scrolling goes on from the file's first image: number 1 is at the top of the list
  if (order.length > 1 && (order.at(-1)?.frame.of.number ?? 0) < (order[0]?.frame.of.number ?? 0)) order.reverse();
  const gaps = order.slice(1).map(({ place }, at) => Math.abs(place - (order[at]?.place ?? 0)));
  const step = gaps.length === 0 ? 0 : gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const ordered = order.map(({ frame }) => frame);
  const flat = flatnessOf(ordered, gaps, step);
  return { series, frames: ordered, volume: flat === null, flat, tilt: flat === null ? tiltOf(ordered) : 0, step };
}

/** Why frames that are parallel make no volume; null: they do. */
function flatnessOf(frames: readonly Frame[], gaps: readonly number[], step: number): Flatness | null {
  const first = frames[0]?.of;
  if (first === undefined || frames.length < 4) return 'few';
  if (frames.some(({ of }) => of.photometric !== 'MONOCHROME1' && of.photometric !== 'MONOCHROME2')) return 'colour';
  if (frames.some(({ of }) => of.photometric !== first.photometric || of.bits !== first.bits || of.signed !== first.signed) || !areOneValue(frames)) return 'different';
  if (gaps.some((gap) => gap < SAME_PLACE)) return 'repeated';
  const slack = Math.max(EVEN, step * EVEN);
  if (gaps.some((gap) => Math.abs(gap - step) > slack)) return 'uneven';
  const [origin, last] = [frames[0]?.plane?.origin, frames.at(-1)?.plane?.origin];
  if (origin === undefined || last === undefined) return 'unplaced';
  // a tilted gantry shifts each frame by the same; anything else is not one volume
  const between = times(minus(last, origin), 1 / (frames.length - 1));
  const strays = frames.some(({ plane }, at) => plane !== null && lengthOf(minus(minus(plane.origin, origin), times(between, at))) > 2 * slack);
  if (strays) return 'shifted';
  const bytes = frames.length * first.columns * first.rows * Math.max(1, first.bits >> 3);
  return frames.length > VOLUME_LIMITS.frames || bytes > VOLUME_LIMITS.bytes ? 'large' : null;
}

/** Whether the values of all mean the same: one unit, and no tables, of which each instance may have another. */
function areOneValue(frames: readonly Frame[]): boolean {
  const table = frames[0]?.of.modalityTable ?? null;
  return frames.every((frame) => frame.unit === frames[0]?.unit && (frame.of === frames[0].of || (table === null && frame.of.modalityTable === null)));
}

/** How far the way from frame to frame is from standing upright on them, degrees. */
function tiltOf(frames: readonly Frame[]): number {
  const [first, last] = [frames[0]?.plane, frames.at(-1)?.plane];
  if (!first || !last) return 0;
  const upright = Math.min(1, Math.abs(dot(unit(normalOf(first)), unit(minus(last.origin, first.origin)))));
  const tilt = (Math.acos(upright) * 180) / Math.PI;
  return tilt < SLIGHT_TILT ? 0 : tilt;
}

/** Each frame's distance along the normal that they all share, mm; or why they have none. */
function placesOf(frames: readonly Frame[]): number[] | Flatness {
  if (frames.length < 2) return 'few';
  const first = frames[0]?.plane ?? null;
  if (first === null) return 'unplaced';
  const normal = unit(normalOf(first));
  const places: number[] = [];
  for (const { plane } of frames) {
    if (plane === null) return 'unplaced';
    if (plane.columns !== first.columns || plane.rows !== first.rows) return 'different';
    if (lengthOf(minus(unit(normalOf(plane)), normal)) > 1e-3) return 'turned';
    if (lengthOf(minus(plane.column, first.column)) > 1e-3 || lengthOf(minus(plane.row, first.row)) > 1e-3) return 'turned';
    places.push(dot(normal, minus(plane.origin, first.origin)));
  }
  return places;
}

/** In which order frames are wanted: where one looks, then on in the direction of scrolling, then behind. */
export function orderOfUse(at: number, count: number, forwards: boolean, most: number): number[] {
  const order = [at];
  for (let away = 1; order.length < Math.min(count, most) && away < count; away++) {
    // three ahead for each one behind
    const ahead = forwards ? at + away : at - away;
    if (ahead >= 0 && ahead < count) order.push(ahead);
    if (away % 3 === 0) {
      const behind = forwards ? at - away / 3 : at + away / 3;
      if (behind >= 0 && behind < count) order.push(behind);
    }
  }
  // what the pattern left out
  const named = new Set(order);
  for (let away = 1; order.length < Math.min(count, most) && away < count; away++) {
    for (const place of [at + away, at - away]) {
      if (place < 0 || place >= count || named.has(place)) continue;
      named.add(place);
      order.push(place);
    }
  }
  return order.slice(0, most);
}

/** Where in a stack the very frame stands that is named; `slice` is where it is looked for first. -1: it is not there. */
export function placeIn(stack: Stack, { instance, frame, slice }: { instance: string; frame: number; slice: number }): number {
  const hinted = stack.frames[slice];
  if (hinted?.of.instance === instance && hinted.frame === frame) return slice;
  return stack.frames.findIndex((one) => one.of.instance === instance && one.frame === frame);
}
