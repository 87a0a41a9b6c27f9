/** Cuts through the volume that a stack makes, as images like any other: where they lie, and what is asked of whoever computes them. */
import type { Frame, Instance } from './image';
import type { Pixels, Samples } from './pixels';
import type { Cut, Order } from './reslice';
import type { Stack } from './stack';
import { cutsOf, gridOf, planeOfCut, scalesOf, type Cuts, type Grid, type Scale } from './volume';
import type { Plane, Slab } from './viewport';

export type CutName = Exclude<Plane, 'stack'>;

export class Reformat {
  readonly grid: Grid | null;
  readonly #cuts = new Map<CutName, Cuts>();
  readonly #scales: Scale[] | null;

  constructor(readonly stack: Stack) {
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

  order(name: CutName, slice: number, slab: Slab | null): Order | null {
    const frame = this.frame(name, slice);
    if (frame?.plane == null) return null;
    const outside = -frame.intercept / frame.slope - (frame.unit === 'HU' ? 1024 / frame.slope : 0);
    return { plane: frame.plane, slab, falling: frame.slope < 0, outside };
  }

  /** A copy of a frame's values that may be given away, in the scale of the first one. */
  samples(at: number, { samples }: Pixels): Samples {
    const scale = this.#scales?.[at];
    return scale === undefined ? samples.slice() : Float32Array.from(samples, (value) => value * scale.by + scale.plus);
  }

  /** Bytes of all frames where they are held for cuts. */
  get bytes(): number {
    const first = this.stack.frames[0]?.of;
    return first === undefined ? 0 : this.stack.frames.length * first.columns * first.rows * (this.#scales !== null ? 4 : Math.max(1, first.bits >> 3));
  }

  /** What was computed, as an image. */
  pixels(frame: Frame, { samples, minimum, maximum }: Cut): Pixels {
    return { frame, samples, minimum, maximum };
  }
}
