/**
 * Where marks have gone with the tissue, and whether to believe it: from the tracks in the log, and from their silence.
 *
 * The server tells of a mark that follows at least every 300 ms while it is good. A page that hears nothing for 200 ms
 * more (the tracker died, the network is gone) no longer believes the last word, and greys the mark by itself. Pure:
 * `now` is an argument, ms of any clock that goes only forwards.
 */
import type { Mark, Track } from '../signalling/marks';
import { IDENTITY, type Matrix } from './matrix';

export interface Moved {
  transform: Matrix;
  state: Track['state'];
}

/** The rate at which a good mark is told of, and 200 ms. */
export const SILENCE_MS = 500;
/** A mark that asks to follow may be without a track for so long: its picture has to be decoded first. */
export const BEGIN_MS = 1500;
/** Marks that are remembered: many more than there can be. */
const REMEMBERED = 4096;

interface Heard {
  track: Track | null;
  at: number;
}

export class Movement {
  readonly #heard = new Map<string, Heard>();

  /** Where a mark is by its newest track (null: none), which is known by its identity; null: where it was drawn. */
  of(mark: Mark, track: Track | null, now: number): Moved | null {
    const follows = mark.follow === true;
    if (track === null && !follows) return null;
    let heard = this.#heard.get(mark.mark);
    if (heard?.track !== track || heard === undefined) {
      if (this.#heard.size >= REMEMBERED) this.#heard.clear();
      heard = { track, at: now };
      this.#heard.set(mark.mark, heard);
    }
    const silent = now - heard.at;
    if (track === null) return { transform: IDENTITY, state: silent > BEGIN_MS ? 'stale' : 'good' };
    // what does not follow is told of only when that changes
    if (follows && track.state === 'good' && silent > SILENCE_MS) return { transform: track.matrix, state: 'stale' };
    return { transform: track.matrix, state: track.state };
  }

  /** When, in ms from now, the next mark stops being believed if nothing comes; null: none does. */
  nextDoubt(now: number): number | null {
    let next: number | null = null;
    for (const { track, at } of this.#heard.values()) {
      const wait = track === null ? BEGIN_MS : track.state === 'good' ? SILENCE_MS : null;
      if (wait === null) continue;
      const left = at + wait + 1 - now;
      if (left > 0 && (next === null || left < next)) next = left;
    }
    return next;
  }
}
