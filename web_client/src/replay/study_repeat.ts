/**
 * What is played again and again: all of it, or from A to B. A and B are also where a clip begins and ends.
 *
 * No clock and no player in here: `back` is told where one is, and says where to go on instead.
 */

/** What is shorter is no loop but a slip of the hand. */
const SHORTEST_S = 0.2;
/** The playhead stands a little behind the last frame. */
const END_S = 0.06;

export interface Range {
  from: number;
  until: number;
}

export class Repeat {
  /** In, or A. */
  from: number | null = null;
  /** Out, or B. */
  until: number | null = null;
  /** A to B is repeated. */
  on = false;
  whole = false;

  get range(): Range | null {
    return this.from === null || this.until === null ? null : { from: this.from, until: this.until };
  }

  setIn(at: number): void {
    this.from = at;
    if (this.until !== null && this.until < at + SHORTEST_S) this.until = null;
    if (this.until === null) this.on = false;
  }

  setOut(at: number): void {
    this.until = at;
    if (this.from !== null && at < this.from + SHORTEST_S) this.from = null;
    if (this.from === null) this.on = false;
  }

  /** Repeat a clip. */
  take(range: Range): void {
    [this.from, this.until, this.on] = [range.from, range.until, true];
  }

  clear(): void {
    [this.from, this.until, this.on] = [null, null, false];
  }

  /** One key for all: A, then B and off it goes, then no more of it. What was set by in and out is repeated at once. */
  press(at: number): void {
    if (this.range !== null) {
      if (this.on) this.clear();
      else this.on = true;
    } else if (this.from === null || at < this.from + SHORTEST_S) this.setIn(at);
    else {
      this.setOut(at);
      this.on = true;
    }
  }

  /** Where to go on from here while it plays; null: just on. `beginning`: where all of it begins. */
  back(position: number, seconds: number, beginning: number): number | null {
    const range = this.on ? this.range : null;
    if (range !== null) return position >= Math.min(range.until, seconds - END_S) ? range.from : null;
    return this.whole && position >= seconds - END_S ? beginning : null;
  }
}
