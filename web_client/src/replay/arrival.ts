/**
 * Whether a player comes to where it was sent, and whether anybody was told of the picture that it shows there.
 *
 * A browser's seek may never end, or end and tell no page of its frame; whoever watches would see the picture from before for ever.
 * So a player that has all the data and is not there is sent once more, and one that is there and of whose frame nobody was told
 * is asked. No element in here.
 */

/** A player that stands nearer to where it was sent is there. */
export const THERE_S = 0.25;
/** Browsers tell of a frame within some tens of milliseconds after they are there. */
const UNTOLD_MS = 500;
/** In software a decoder does three or four seconds of 4K in one; from its key frame on it has so much to do. */
const PATIENCE_MS = 3000;
const PATIENCE_MS_PER_S = 1000;

export interface PlayerLook {
  seeking: boolean;
  /** It has the picture of where it stands. */
  hasPicture: boolean;
  /** Seconds of the camera, as all times in here. */
  currentTime: number;
  /** Where it is to stand; null: it plays, or is on no way that is known. */
  wanted: number | null;
  /** How far behind a key frame that place is, which is what its decoder has to do; null: not all of it has come. */
  behindKey: () => number | null;
}

export class Arrival {
  #wanted: number | null = null;
  #told = false;
  #since: number | null = null;
  #wasThere = false;
  #tries = 0;

  /** It is sent elsewhere. */
  handleSent(): void {
    this.#told = this.#wasThere = false;
    this.#since = null;
    this.#tries = 0;
  }

  /** The page was told of a frame. One from before the seek may come late. */
  handleFrame(mediaTime: number): void {
    if (this.#wanted === null || Math.abs(mediaTime - this.#wanted) <= THERE_S) this.#told = true;
  }

  /** What is to be done with it: `send` it there again, `ask` it what it shows, or nothing. `now` in ms. */
  handleTick(look: PlayerLook, now: number): 'send' | 'ask' | null {
    // while it played the last word may have been of the frame before the one that it stopped at
    if (this.#wanted === null && look.wanted !== null) this.#told = this.#wasThere = false;
    this.#wanted = look.wanted;
    const isThere = !look.seeking && look.hasPicture && (look.wanted === null || Math.abs(look.currentTime - look.wanted) <= THERE_S);
    if (isThere !== this.#wasThere) this.#since = null;
    this.#wasThere = isThere;
    if (isThere) {
      this.#since ??= now;
      if (this.#told || look.wanted === null || now - this.#since < UNTOLD_MS) return null;
      this.#told = true;
      return 'ask';
    }
    const behindKey = look.behindKey();
    this.#since = behindKey === null ? null : (this.#since ?? now);
    // longer each time: a slow machine that is sent back to the key frame again and again would never be there
    const patience = (PATIENCE_MS + PATIENCE_MS_PER_S * (behindKey ?? 0)) * 2 ** this.#tries;
    if (this.#since === null || now - this.#since < patience) return null;
    this.#tries += 1;
    this.#since = now;
    return 'send';
  }
}
