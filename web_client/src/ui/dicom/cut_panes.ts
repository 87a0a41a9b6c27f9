/** The panes that show cuts: which volumes they need, which frames these lack, and what there is to be shown. */
import { Cutter } from '../../dicom/cutter';
import { failure, type FrameLoader } from '../../dicom/frames';
import type { Frame } from '../../dicom/image';
import { Reformat } from '../../dicom/reformat';
import { coarseFirst } from '../../dicom/reslice';
import type { Stack } from '../../dicom/stack';
import type { PaneState } from '../../dicom/viewport';
import type { Shown } from './viewer.svelte';

export class CutPanes {
  readonly cutter = new Cutter();
  readonly #reformats = new Map<Stack, Reformat>();
  readonly #places = new Map<Stack, ReadonlyMap<Frame, number>>();
  #shownOf = new Map<string, Reformat>();

  constructor(private readonly loader: FrameLoader) {}

  reformatOf(stack: Stack): Reformat {
    const known = this.#reformats.get(stack) ?? new Reformat(stack);
    this.#reformats.set(stack, known);
    return known;
  }

  /** A frame came: whoever needs it for a cut is given it. */
  handleFrame(frame: Frame): void {
    for (const reformat of new Set(this.#shownOf.values())) {
      const at = this.#placesOf(reformat.stack).get(frame);
      const state = at === undefined ? null : this.loader.state(frame);
      if (at !== undefined && state !== null && 'pixels' in state) this.cutter.give(reformat, at, state.pixels);
    }
  }

  /** Say which panes show cuts, and of what; others are let go of. */
  show(panes: ReadonlyMap<string, Stack>): void {
    this.#shownOf = new Map([...panes].map(([pane, stack]) => [pane, this.reformatOf(stack)]));
    this.cutter.keep(this.#shownOf);
    for (const reformat of this.#shownOf.values()) this.cutter.open(reformat);
    // what is held for cuts is not held twice
    this.loader.reserve(this.cutter.bytes);
    for (const stack of this.#reformats.keys()) if (![...panes.values()].includes(stack)) this.#places.delete(stack);
  }

  /** The frames that a volume lacks, the most useful first; what lies ready is given on the way. */
  missing(stack: Stack): Frame[] {
    const reformat = this.reformatOf(stack);
    return coarseFirst(stack.frames.length).flatMap((at) => {
      const frame = stack.frames[at];
      if (frame === undefined || this.cutter.has(reformat, at)) return [];
      const state = this.loader.state(frame);
      if (state !== null && 'pixels' in state) this.cutter.give(reformat, at, state.pixels);
      return this.cutter.has(reformat, at) ? [] : [frame];
    });
  }

  /** What a pane shows of a cut. */
  shown(empty: Shown, stack: Stack, pane: string, state: PaneState): Shown {
    if (state.plane === 'stack') return empty;
    const reformat = this.reformatOf(stack);
    const cuts = reformat.cuts(state.plane);
    if (cuts === null) return { ...empty, stack, failure: failure('flat') };
    if (!this.cutter.fits(reformat)) return { ...empty, stack, failure: failure('memory'), count: cuts.count };
    const at = Math.min(cuts.count - 1, state.slice);
    const cut = this.cutter.cut(pane, reformat, state.plane, at, state.slab);
    if (cut === null) return { ...empty, stack, frame: reformat.frame(state.plane, at), at, count: cuts.count };
    const loaded = cut.fine ? cut.there : Math.min(cut.there, stack.frames.length - 1);
    return { ...empty, stack, frame: cut.frame, pixels: cut.pixels, at: cut.slice, count: cuts.count, loaded };
  }

  close(): void {
    this.cutter.close();
  }

  #placesOf(stack: Stack): ReadonlyMap<Frame, number> {
    const known = this.#places.get(stack) ?? new Map(stack.frames.map((frame, at) => [frame, at]));
    this.#places.set(stack, known);
    return known;
  }
}
