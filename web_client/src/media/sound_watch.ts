/**
 * Whose sound has stopped arriving. A voice that is not heard and is thought to be silent is a hazard: who waits for an
 * answer must know that none can come. Told by packets, not by loudness: who is quiet sends, too.
 */
import type { ProducerId } from '../signalling/protocol';

/** Without a packet for so long a sound is called lost; even a pause in speech brings several a second. */
export const LOST_MS = 3000;

interface Heard {
  packets: number;
  at: number;
}

export class SoundWatch {
  readonly #heard = new Map<ProducerId, Heard>();

  /**
   * `packets` that have come of each producer; `expected` are those that are neither muted nor waited for. What never
   * came is not lost: it may have no sound at all.
   */
  handleCounts(packets: ReadonlyMap<ProducerId, number>, expected: ReadonlySet<ProducerId>, now: number): void {
    for (const producer of [...this.#heard.keys()]) if (!expected.has(producer)) this.#heard.delete(producer);
    for (const producer of expected) {
      const count = packets.get(producer) ?? 0;
      const before = this.#heard.get(producer);
      if (count > 0 && (before === undefined || count !== before.packets)) this.#heard.set(producer, { packets: count, at: now });
    }
  }

  /** The page slept, and counted nothing: begin to wait anew. */
  handleVisible(now: number): void {
    for (const heard of this.#heard.values()) heard.at = now;
  }

  /** Whose sound is missing, and for how long, ms. */
  lost(now: number): Map<ProducerId, number> {
    const silent = [...this.#heard].map(([producer, { at }]) => [producer, now - at] as const);
    return new Map(silent.filter(([, silence]) => silence >= LOST_MS));
  }
}
