/**
 * Names the frames of one's own preview as the receivers name them.
 *
 * A preview's frames bear a capture time but no RTP timestamp; the encoded frames on the sender (see
 * `sender_frames_worker.ts`) bear an RTP timestamp but no capture time. RTP timestamps of one track run with
 * the capture clock, so `arrival - timestamp / 90` is constant but for the encoder's delay, and its smallest
 * value of late is the delay at its best. The frame captured at `c` is then the first whose best-case arrival
 * is not before `c`. That is exact while the encoder's best case is below one frame interval, and one frame
 * off where it is slower. A frame that is shown before it was encoded gets the newest pair known.
 */
import { rtpDifference } from './rtp';

const CLOCK_PER_MS = 90;
/** Two seconds at 60 frames a second. */
const KEPT = 120;
/** Browsers smooth the capture clock by a millisecond or two before they derive timestamps from it. */
const JITTER_MS = 2;

interface Encoded {
  rtpTimestamp: number;
  at: number;
}

export class SenderFrames {
  #encoded: Encoded[] = [];

  /** An encoded frame passed at `at`, by the page's clock. */
  handleEncoded(rtpTimestamp: number, at: number): void {
    const newest = this.#encoded.at(-1);
    // the same frame again: another layer of it
    if (newest !== undefined && newest.rtpTimestamp === rtpTimestamp) return;
    // a new encoder begins a new clock
    if (newest !== undefined && Math.abs(rtpDifference(rtpTimestamp, newest.rtpTimestamp)) > 10_000 * CLOCK_PER_MS) {
      this.#encoded = [];
    }
    this.#encoded.push({ rtpTimestamp, at });
    if (this.#encoded.length > KEPT) this.#encoded.shift();
  }

  /** The RTP timestamp of the frame captured at this time; null before the first was encoded. */
  rtpTimestampAt(captureTime: number): number | null {
    const newest = this.#encoded.at(-1);
    if (newest === undefined) return null;
    let delay = Infinity;
    for (const frame of this.#encoded) delay = Math.min(delay, frame.at - this.#elapsed(frame, newest));
    for (const frame of this.#encoded) {
      if (this.#elapsed(frame, newest) + delay >= captureTime - JITTER_MS) return frame.rtpTimestamp;
    }
    return newest.rtpTimestamp;
  }

  /** The frame's place on the capture clock, in ms after that of `origin`. */
  #elapsed(frame: Encoded, origin: Encoded): number {
    return rtpDifference(frame.rtpTimestamp, origin.rtpTimestamp) / CLOCK_PER_MS;
  }
}
