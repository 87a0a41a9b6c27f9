/**
 * Where marks have gone with the tissue, and whether to believe it: from the tracks in the log, and from how far the
 * tracker has looked.
 *
 * The server says fifteen times a second up to which frame the tracks that it told stand (`followed`). A mark is good no
 * longer than 200 ms beyond that frame, by the frames' own timestamps: where the tracker died or is late, or the network
 * is gone while the picture still moves, the page greys the mark by itself. Pure: `now` is an argument, ms of any clock
 * that goes only forwards.
 */
import type { ProducerId } from '../signalling/protocol';
import { isVideo, type Mark, type Track } from '../signalling/marks';
import { IDENTITY, type Matrix } from './matrix';

export interface Moved {
  transform: Matrix;
  /** `pending`: it was moved, and nobody has looked at where it lies now. */
  state: Track['state'] | 'pending';
}

/** So far may the picture on the glass be beyond the last frame that was looked at (docs/tracking.md: the rule). */
export const UNSEEN_MS = 200;
/** A page plays so far behind what arrives, at most; that the picture on the glass is older says that it stands still. */
const BEFORE_MS = 500;
/** Marks that are remembered: many more than there can be. */
const REMEMBERED = 4096;

/** Until when the pictures on the glass are near enough to one that was looked at. */
export class Followed {
  readonly #until = new Map<ProducerId, number>();

  /** A frame was looked at that lies so far behind the one on the glass, ms. True: for a while none had been. */
  handle(producer: ProducerId, behind: number, now: number): boolean {
    const before = this.#until.get(producer) ?? -Infinity;
    const until = now + UNSEEN_MS - Math.max(behind, -BEFORE_MS);
    this.#until.set(producer, until);
    return before < now && until >= now;
  }

  /** The last moment at which what was told of a producer's marks is to be believed; null: it was never looked at. */
  until(producer: ProducerId): number | null {
    return this.#until.get(producer) ?? null;
  }
}

interface Heard {
  mark: Mark;
  track: Track | null;
  at: number;
  /** What was told is of where it lay before it was moved. */
  moved: boolean;
}

export class Movement {
  readonly #heard = new Map<string, Heard>();

  constructor(private readonly followed: Followed) {}

  /** Where a mark is by its newest track (null: none), which is known by its identity; null: where it was drawn. */
  of(mark: Mark, track: Track | null, now: number, edited = false): Moved | null {
    const follows = mark.follow === true;
    const before = this.#heard.get(mark.mark);
    if (track === null && !follows && before === undefined) return null;
    let heard = before;
    if (heard?.track !== track || heard === undefined) {
      if (this.#heard.size >= REMEMBERED) this.#heard.clear();
      // it was told of, and is told of no more: it was moved, and the tracker begins anew
      heard = { mark, track, at: now, moved: track === null && (edited || before !== undefined) };
      this.#heard.set(mark.mark, heard);
    }
    const transform = track?.matrix ?? IDENTITY;
    if (heard.moved) return { transform, state: 'pending' };
    // what does not follow is told of only when that changes
    if (track !== null && (!follows || track.state !== 'good')) return { transform, state: track.state };
    return { transform, state: now > this.#until(heard) ? 'stale' : 'good' };
  }

  /** When, in ms from now, the next mark stops being believed if nothing comes; null: none does. */
  nextDoubt(now: number): number | null {
    let next: number | null = null;
    for (const heard of this.#heard.values()) {
      if (heard.moved || heard.mark.follow !== true || (heard.track !== null && heard.track.state !== 'good')) continue;
      const left = this.#until(heard) + 1 - now;
      if (left > 0 && (next === null || left < next)) next = left;
    }
    return next;
  }

  /** A mark that was drawn just now has no track yet, and one that was told as one came has been looked at by nobody since. */
  #until({ mark, track, at }: Heard): number {
    const looked = isVideo(mark.anchor) ? this.followed.until(mark.anchor.producer) : null;
    return track === null || looked === null ? at + UNSEEN_MS : looked;
  }
}
