/**
 * Too many marks on one picture: none is read any more, and they hide the tissue. From a number on it is said, and all but
 * the newest can be put away, on this page only; those that an open instruction means always stay, and what is put away is
 * counted where it is missing.
 */
import { Emitter } from '../emitter';

/** From here on a picture is called crowded. */
export const CROWDED = 40;
export const NEWEST = 15;

export class Declutter extends Emitter<{ changed: undefined }> {
  #on = false;

  get active(): boolean {
    return this.#on;
  }

  set(on: boolean): void {
    if (this.#on === on) return;
    this.#on = on;
    this.emit('changed', undefined);
  }

  /** What stays of finished marks, the oldest first; `meant`: those that open instructions mean. */
  keep<Shown extends { mark: { mark: string }; draft: boolean }>(marks: readonly Shown[], meant: ReadonlySet<string>): Shown[] {
    if (!this.#on) return [...marks];
    const done = marks.filter(({ draft }) => !draft);
    if (done.length < CROWDED) return [...marks];
    const newest = new Set(done.slice(-NEWEST).map(({ mark }) => mark.mark));
    return marks.filter(({ mark, draft }) => draft || newest.has(mark.mark) || meant.has(mark.mark));
  }
}
