/**
 * What is shown while a picture far behind its key frame is decoded: that key frame, as the picture of its own moment.
 *
 * From a key frame ten seconds away a decoder has three hundred pictures of 4K to do before the one that is wished for. Until then
 * the picture from before the seek would stand on the glass. The key frame comes at once and is nearer; whoever shows it says
 * of which moment it is. The exact picture follows.
 */
import { WITHIN_FRAME_S } from './beginning';

/** So near the exact picture comes before anybody would have looked at another. */
const NEAR_S = 1.5;
/** A glass that is not seen tells nothing of what is on it: go on then. */
const PATIENCE_MS = 300;

export class KeyFirst {
  #wished: number | null = null;
  #key = 0;
  #arrivedAt: number | null = null;

  /**
   * Where a player jumps so that `wished` is seen. `key`: where its decoder begins, null where that is not known yet; `shown`: of which
   * moment the picture on the glass is, null where there is none. All in seconds of the camera.
   */
  begin(wished: number, key: number | null, shown: number | null): number {
    const far = key !== null && wished - key > NEAR_S && (shown === null || Math.abs(wished - shown) > wished - key);
    this.#wished = far ? wished : null;
    this.#key = key ?? 0;
    this.#arrivedAt = null;
    return far ? this.#key + WITHIN_FRAME_S : wished;
  }

  /** The exact picture is still to come. */
  get pending(): boolean {
    return this.#wished !== null;
  }

  /** Where the player stands on its way; undefined: it is not on one. */
  get via(): number | undefined {
    return this.#wished === null ? undefined : this.#key;
  }

  /** Look at the player; gives where it jumps to now, or null. `settled`: it is not seeking and has a picture. `now` in ms. */
  handleTick(settled: boolean, shown: number | null, now: number): number | null {
    if (this.#wished === null || !settled) return null;
    this.#arrivedAt ??= now;
    const isShown = shown !== null && Math.abs(shown - this.#key) <= WITHIN_FRAME_S;
    if (!isShown && now - this.#arrivedAt < PATIENCE_MS) return null;
    return this.stop();
  }

  /** Nothing is to come any more; gives what was. */
  stop(): number | null {
    const wished = this.#wished;
    this.#wished = null;
    return wished;
  }
}
