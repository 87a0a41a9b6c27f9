/** Cuts through the volume that a stack makes, as images like any other. */
import type { Frame, Instance } from './image';
import type { Pixels, Samples } from './pixels';
import type { Stack } from './stack';
import { cutsOf, gridOf, planeOfCut, resample, scalesOf, type Cuts, type Grid, type Scale } from './volume';
import type { Plane } from './viewport';

export type CutName = Exclude<Plane, 'stack'>;

export class Reformat {
  readonly grid: Grid | null;
  readonly #scales: Scale[] | null;
  readonly #cuts = new Map<CutName, Cuts>();
  #last: { key: string; pixels: Pixels } | null = null;

  constructor(private readonly stack: Stack) {
    this.grid = stack.volume ? gridOf(stack.frames) : null;
    this.#scales = scalesOf(stack.frames);
  }

  cuts(name: CutName): Cuts | null {
    if (this.grid === null) return null;
    const cuts = this.#cuts.get(name) ?? cutsOf(this.grid, name);
    this.#cuts.set(name, cuts);
    return cuts;
  }

  /** A cut as a frame: what it shows is between the stored ones. */
  frame(name: CutName, slice: number): Frame | null {
    const cuts = this.cuts(name);
    const first = this.stack.frames[0];
    if (cuts === null || first === undefined) return null;
    const plane = planeOfCut(cuts, Math.min(cuts.count - 1, slice));
    const of: Instance = { ...first.of, columns: plane.columns, rows: plane.rows, bits: 32, samples: 1, floating: true, frames: 1 };
    return { ...first, of, frame: 1, plane, spacing: { basis: first.spacing.basis, x: Math.hypot(...plane.column), y: Math.hypot(...plane.row) }, aspect: 1 };
  }

  /** Its values, from the frames that are there; `complete`: all are. */
  pixels(name: CutName, slice: number, slices: readonly (Samples | null)[]): Pixels | null {
    const frame = this.frame(name, slice);
    if (frame?.plane == null || this.grid === null) return null;
    const there = slices.reduce((count, one) => count + (one === null ? 0 : 1), 0);
    const key = `${name} ${slice} ${there}`;
    if (this.#last?.key === key) return this.#last.pixels;
    const outside = -frame.intercept / frame.slope - (frame.unit === 'HU' ? 1024 / frame.slope : 0);
    const samples = resample(this.grid, slices, frame.plane, outside, this.#scales);
    let [minimum, maximum] = [Infinity, -Infinity];
    for (const value of samples) {
      if (value < minimum) minimum = value;
      if (value > maximum) maximum = value;
    }
    const pixels: Pixels = { frame, samples, minimum, maximum };
    this.#last = { key, pixels };
    return pixels;
  }
}
