/** Cuts through a volume: how large they are and where they lie, and the values in them, trilinear between the voxels. */
import type { Frame } from './image';
import type { Plane } from './orientation';
import type { Plane as Cut } from './viewport';
import { cross, dot, lengthOf, minus, times, unit, type Vector, add } from './vectors';

/** Where the voxels lie: of the first one's centre, and from each to the next in three directions, mm. */
export interface Grid {
  origin: Vector;
  steps: readonly [Vector, Vector, Vector];
  size: readonly [number, number, number];
}

/** A way to look: the screen's right and down, in the patient. */
const AXES: Readonly<Record<Exclude<Cut, 'stack'>, readonly [Vector, Vector]>> = {
  axial: [[1, 0, 0], [0, 1, 0]],
  coronal: [[1, 0, 0], [0, 0, -1]],
  sagittal: [[0, 1, 0], [0, 0, -1]],
};

export function gridOf(frames: readonly Frame[]): Grid | null {
  const [first, last] = [frames[0]?.plane, frames.at(-1)?.plane];
  if (!first || !last || frames.length < 2) return null;
  const between = times(minus(last.origin, first.origin), 1 / (frames.length - 1));
  return { origin: first.origin, steps: [first.column, first.row, between], size: [first.columns, first.rows, frames.length] };
}

/** All cuts of one direction: the plane of the first, from one to the next, and how many. */
export interface Cuts {
  plane: Plane;
  step: Vector;
  count: number;
}

/** Cover the whole volume by cuts in one direction, with square pixels of the volume's finest spacing. */
export function cutsOf(grid: Grid, cut: Exclude<Cut, 'stack'>): Cuts {
  const [right, down] = AXES[cut];
  const normal = cross(right, down);
  const pixel = Math.min(...grid.steps.slice(0, 2).map(lengthOf));
  const reach = (axis: Vector): [number, number] => {
    let [low, high] = [Infinity, -Infinity];
    for (let corner = 0; corner < 8; corner++) {
      const at = [0, 1, 2].reduce<Vector>(
        (sum, n) => add(sum, times(grid.steps[n] as Vector, corner & (1 << n) ? (grid.size[n] as number) - 1 : 0)),
        grid.origin,
      );
      const place = dot(axis, at);
      [low, high] = [Math.min(low, place), Math.max(high, place)];
    }
    return [low, high];
  };
  const [x, y, z] = [reach(right), reach(down), reach(normal)];
  // from cut to cut as far as the volume's own step in that direction
  const along = Math.max(...grid.steps.map((step) => Math.abs(dot(unit(step), normal)) > 0.7 ? lengthOf(step) : 0)) || pixel;
  const columns = Math.max(1, Math.floor((x[1] - x[0]) / pixel + 1e-6) + 1);
  const rows = Math.max(1, Math.floor((y[1] - y[0]) / pixel + 1e-6) + 1);
  return {
    plane: {
      origin: add(add(times(right, x[0]), times(down, y[0])), times(normal, z[0])),
      column: times(right, pixel),
      row: times(down, pixel),
      columns,
      rows,
    },
    step: times(normal, along),
    count: Math.max(1, Math.floor((z[1] - z[0]) / along + 1e-6) + 1),
  };
}

export function planeOfCut({ plane, step }: Cuts, slice: number): Plane {
  return { ...plane, origin: add(plane.origin, times(step, slice)) };
}

/** The number of the cut that a point of the patient lies in. */
export function sliceThrough({ plane, step, count }: Cuts, point: Vector): number {
  const length = lengthOf(step);
  const at = Math.round(dot(minus(point, plane.origin), step) / (length * length));
  return Math.min(count - 1, Math.max(0, at));
}

/** A point of the patient by its fractions of a plane. */
export function placeOf(plane: Plane, [x, y]: readonly [number, number]): Vector {
  return add(plane.origin, add(times(plane.column, x * plane.columns - 0.5), times(plane.row, y * plane.rows - 0.5)));
}

/** What makes a slice's stored values those of the first: value * by + plus. */
export interface Scale {
  by: number;
  plus: number;
}

/** PET and the like rescale each slice by a slope of its own; null: all are rescaled alike. */
export function scalesOf(frames: readonly Frame[]): Scale[] | null {
  const first = frames[0];
  if (first === undefined || frames.every(({ slope, intercept }) => slope === first.slope && intercept === first.intercept)) return null;
  return frames.map(({ slope, intercept }) => ({ by: slope / first.slope, plus: (intercept - first.intercept) / first.slope }));
}
