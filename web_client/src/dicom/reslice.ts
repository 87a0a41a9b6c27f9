/**
 * Values on a plane through a volume, trilinear between the voxels; of a slab, the mean or the greatest through its thickness.
 *
 * What is computed lies between the frames that are there: as long as others are still on their way, each place takes the nearest
 * frame on either side. All is done in bands of rows, so that whoever computes can be told in between that it is not wanted any more.
 */
import type { Plane } from './orientation';
import { normalOf } from './orientation';
import type { Samples } from './pixels';
import { add, cross, dot, lengthOf, minus, times, unit, type Vector } from './vectors';
import type { Slab } from './viewport';
import type { Grid } from './volume';

/** A slab is looked through at so many depths, at most. */
const DEPTHS = 64;
/** Voxels that are computed before others are heard again: a few ms. */
const BAND = 400_000;

/** A volume's frames as far as they are there. */
export interface Frames {
  grid: Grid;
  /** In the order of the grid; null: not there yet. */
  slices: readonly (Samples | null)[];
}

export interface Order {
  plane: Plane;
  slab: Slab | null;
  /** The greatest value is the smallest stored one: its slope is negative. */
  falling: boolean;
  /** What stands where there is nothing, a stored value. */
  outside: number;
}

export interface Cut {
  samples: Float32Array<ArrayBuffer>;
  minimum: number;
  maximum: number;
}

/** The frame at or before each place, and the one at or behind it; -1: there is none. */
function neighbours(slices: readonly (Samples | null)[]): [Int32Array, Int32Array] {
  const [before, behind] = [new Int32Array(slices.length), new Int32Array(slices.length)];
  for (let at = 0, last = -1; at < slices.length; at++) before[at] = last = slices[at] == null ? last : at;
  for (let at = slices.length - 1, next = -1; at >= 0; at--) behind[at] = next = slices[at] == null ? next : at;
  return [before, behind];
}

/** How far from the plane a slab is looked through, mm along its normal; thin: the plane alone. */
export function depthsOf({ steps }: Grid, plane: Plane, slab: Slab | null): number[] {
  if (slab === null) return [0];
  const normal = unit(normalOf(plane));
  // as finely as the volume itself is made in that direction
  const along = Math.max(...steps.map((step) => (Math.abs(dot(unit(step), normal)) > 0.7 ? lengthOf(step) : 0))) || Math.min(...steps.map(lengthOf));
  const count = Math.min(DEPTHS, Math.max(1, Math.round(slab.mm / along)));
  return Array.from({ length: count }, (_, at) => ((at + 0.5) / count - 0.5) * slab.mm);
}

/** How many voxels a cut takes. */
export function workOf(frames: Frames, order: Order): number {
  return depthsOf(frames.grid, order.plane, order.slab).length * order.plane.columns * order.plane.rows;
}

/** Compute a cut, band by band; `every`: only each so-manieth row and column, which the others repeat. Returns it at the end. */
export function* reslice({ grid, slices }: Frames, { plane, slab, falling, outside }: Order, every = 1): Generator<void, Cut> {
  const nearest = neighbours(slices);
  const samples = new Float32Array(plane.columns * plane.rows);
  const normal = unit(normalOf(plane));
  const depths = depthsOf(grid, plane, slab);
  const rows = Math.max(every, Math.floor((BAND * every * every) / (plane.columns * depths.length * every)) * every);
  const band = new Float32Array(plane.columns);
  const [sums, counts] = [new Float64Array(plane.columns), new Uint16Array(plane.columns)];
  let [minimum, maximum] = [Infinity, -Infinity];
  for (let from = 0; from < plane.rows; from += rows) {
    for (let row = from; row < Math.min(plane.rows, from + rows); row += every) {
      sums.fill(slab?.mode === 'max' ? (falling ? Infinity : -Infinity) : 0);
      counts.fill(0);
      for (const depth of depths) {
        sampleRow(grid, slices, nearest, { ...plane, origin: add(plane.origin, times(normal, depth)) }, row, every, band);
        for (let column = 0; column < plane.columns; column += every) {
          const value = band[column] as number;
          if (Number.isNaN(value)) continue;
          counts[column] = (counts[column] as number) + 1;
          const sum = sums[column] as number;
          sums[column] = slab?.mode !== 'max' ? sum + value : falling ? Math.min(sum, value) : Math.max(sum, value);
        }
      }
      for (let column = 0; column < plane.columns; column += every) {
        const count = counts[column] as number;
        const value = count === 0 ? outside : slab?.mode === 'max' ? (sums[column] as number) : (sums[column] as number) / count;
        if (value < minimum) minimum = value;
        if (value > maximum) maximum = value;
        for (let down = row; down < Math.min(plane.rows, row + every); down++) {
          const at = down * plane.columns + column;
          samples.fill(value, at, at + Math.min(every, plane.columns - column));
        }
      }
    }
    yield;
  }
  return { samples, minimum, maximum };
}

/** One row of a plane; NaN: there is nothing. */
function sampleRow(
  grid: Grid, slices: readonly (Samples | null)[], [before, behind]: readonly [Int32Array, Int32Array], plane: Plane, row: number, every: number, into: Float32Array,
): void {
  const [width, height, depth] = grid.size;
  // rows of the inverse of the grid's steps: from millimetres to voxels, whatever the angles
  const [a, b, c] = grid.steps;
  const volume = dot(a, cross(b, c));
  const inverse = [cross(b, c), cross(c, a), cross(a, b)].map((part) => times(part, 1 / volume)) as [Vector, Vector, Vector];
  const toVoxel = (at: Vector): Vector => [dot(inverse[0], at), dot(inverse[1], at), dot(inverse[2], at)];
  const start = toVoxel(minus(add(plane.origin, times(plane.row, row)), grid.origin));
  const across = times(toVoxel(plane.column), every);
  let [x, y, z] = start;
  for (let column = 0; column < plane.columns; column += every, x += across[0], y += across[1], z += across[2]) {
    into[column] = NaN;
    // rounding at the edges must not lose the outermost voxels
    if (x < -1e-3 || y < -1e-3 || z < -1e-3 || x > width - 0.999 || y > height - 0.999 || z > depth - 0.999) continue;
    const [x0, y0, z0] = [Math.min(width - 1, Math.max(0, Math.floor(x))), Math.min(height - 1, Math.max(0, Math.floor(y))), Math.min(depth - 1, Math.max(0, Math.floor(z)))];
    const [fx, fy, fz] = [Math.max(0, x - x0), Math.max(0, y - y0), Math.max(0, z - z0)];
    const [x1, y1] = [Math.min(width - 1, x0 + 1), Math.min(height - 1, y0 + 1)];
    const exact = fz < 1e-4;
    const low = before[z0] as number;
    const high = behind[exact ? z0 : Math.min(depth - 1, z0 + 1)] as number;
    const [near, far] = [slices[low], slices[high]];
    if (near == null || far == null) continue;
    const [i, j, k, l] = [y0 * width + x0, y0 * width + x1, y1 * width + x0, y1 * width + x1];
    const front = mix(mix(near[i] as number, near[j] as number, fx), mix(near[k] as number, near[l] as number, fx), fy);
    if (low === high) into[column] = front;
    else into[column] = mix(front, mix(mix(far[i] as number, far[j] as number, fx), mix(far[k] as number, far[l] as number, fx), fy), (z - low) / (high - low));
  }
}

function mix(one: number, other: number, share: number): number {
  return one + (other - one) * share;
}

/** Do it all at once. */
export function resliced(frames: Frames, order: Order, every = 1): Cut {
  const bands = reslice(frames, order, every);
  for (;;) {
    const { done, value } = bands.next();
    if (done === true) return value;
  }
}

/** In which order the frames of a volume are wanted for cuts: both ends, then between them, ever finer. */
export function coarseFirst(count: number): number[] {
  const order: number[] = [];
  const named = new Set<number>();
  const name = (at: number): void => {
    if (at < 0 || at >= count || named.has(at)) return;
    named.add(at);
    order.push(at);
  };
  name(0);
  name(count - 1);
  for (let step = 2 ** Math.floor(Math.log2(Math.max(1, count))); step >= 1; step /= 2) for (let at = step; at < count; at += step) name(at);
  return order;
}
