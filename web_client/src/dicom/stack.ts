/** The frames of a series in the order in which they are scrolled, and whether they make a volume. */
import { frameOf, type Frame, type Instance } from './image';
import { normalOf } from './orientation';
import { dot, lengthOf, minus, unit } from './vectors';

export interface Stack {
  series: string;
  frames: readonly Frame[];
  /** Whether the frames lie in the patient one behind the other at equal distances. */
  volume: boolean;
  /** From a frame to the next, mm; 0: not known. */
  step: number;
}

/** Distances may differ by so much: positions in files are rounded. */
const EVEN = 0.02;
/** Frames of which a volume is made, and pixels in all: what a page can hold. */
const VOLUME_LIMITS = { frames: 3000, pixels: 400e6 };

/** Order a series: by place along its own normal where all its frames are parallel, else by their numbers. */
export function stackOf(series: string, instances: readonly Instance[]): Stack {
  const numbered = [...instances].sort((one, other) => one.number - other.number || one.instance.localeCompare(other.instance));
  const frames = numbered.flatMap((instance) => Array.from({ length: instance.frames }, (_, at) => frameOf(instance, at + 1)));
  const places = placesOf(frames);
  if (places === null) return { series, frames, volume: false, step: 0 };
  const order = frames.map((frame, at) => ({ frame, place: places[at] ?? 0 })).sort((one, other) => one.place - other.place);
  // scrolling goes on from the file's first image: number 1 is at the top of the list
  if (order.length > 1 && (order.at(-1)?.frame.of.number ?? 0) < (order[0]?.frame.of.number ?? 0)) order.reverse();
  const gaps = order.slice(1).map(({ place }, at) => Math.abs(place - (order[at]?.place ?? 0)));
  const step = gaps.length === 0 ? 0 : gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const even = step > 0 && gaps.every((gap) => Math.abs(gap - step) <= Math.max(EVEN, step * EVEN));
  const { columns, rows, samples } = frames[0]?.of ?? { columns: 0, rows: 0, samples: 1 };
  const fits = frames.length <= VOLUME_LIMITS.frames && frames.length * columns * rows <= VOLUME_LIMITS.pixels;
  return { series, frames: order.map(({ frame }) => frame), volume: even && frames.length >= 4 && samples === 1 && fits && areOneValue(frames), step };
}

/** Whether the values of all mean the same: one unit, and no tables, of which each instance may have another. */
function areOneValue(frames: readonly Frame[]): boolean {
  const table = frames[0]?.of.modalityTable ?? null;
  return frames.every((frame) => frame.unit === frames[0]?.unit && (frame.of === frames[0].of || (table === null && frame.of.modalityTable === null)));
}

/** Each frame's distance along the normal that they all share, mm; null: they have none, or differ in size. */
function placesOf(frames: readonly Frame[]): number[] | null {
  const first = frames[0]?.plane ?? null;
  if (first === null || frames.length < 2) return null;
  const normal = unit(normalOf(first));
  const places: number[] = [];
  for (const { plane } of frames) {
    if (plane === null || plane.columns !== first.columns || plane.rows !== first.rows) return null;
    if (lengthOf(minus(unit(normalOf(plane)), normal)) > 1e-3 || lengthOf(minus(plane.column, first.column)) > 1e-3) return null;
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
