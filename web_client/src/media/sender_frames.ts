/**
 * Names the frames of one's own preview as the receivers name them: exactly, or not at all.
 *
 * A preview's frame bears the time of its capture and no RTP timestamp; an encoded frame on the sender (see
 * `sender_frames_worker.ts`) bears its RTP timestamp and no capture time. What joins them is the sender's own clock:
 * the server returns what the browser's sender report said, that so many RTP units belong to such an instant, and
 * tells what is to be added to the timestamps of each encoding to make them the receivers' (`naming`, PROTOCOL.md §2).
 * A browser derives timestamps from capture times in whole milliseconds; so the encoded frame of a captured one lies
 * within a millisecond of where the clock says, and its neighbours a frame's time away. A frame is named only when an
 * encoded frame is there, at the place where it belongs; how long the encoder took says nothing.
 *
 * All times are ms by the page's clock (`performance.now()`).
 */
import { rtpAdd, rtpDifference } from './rtp';

const CLOCK_PER_MS = 90;
/** Two seconds at 60 frames a second, in four encodings. */
const KEPT = 480;
/** Preview and encoded frame may lie so far apart: rounding to ms, and the clocks of page and sender. */
const TOLERANCE_MS = 8;
/** No more than this share of a frame's time: beyond, it could be the neighbour's. */
const CERTAIN = 0.3;
/** A frame that was not encoded by then never will be. */
const PATIENCE_MS = 1500;
/** Nothing is encoded before it was captured: if it seems so, the clocks do not agree. */
const CLOCK_ERROR_MS = 3;
/** Frames whose distance from each other tells the frame rate. */
const SPACED = 30;

export interface FrameName {
  rtpTimestamp: number;
  /** False: this frame was never encoded, and the name is that of the last one before it, which the receivers see in its place. */
  exact: boolean;
}

/** What the server says of one's own producer, in the page's clock. */
export interface Naming {
  /** The frame captured at `at` bears this RTP timestamp at the receivers. */
  rtpTimestamp: number;
  at: number;
  /** By SSRC of an encoding: what is to be added to its timestamps. */
  offsets: ReadonlyMap<number, number>;
}

/** What became of a frame of the preview; null: it got no name. */
export interface ShownFrame {
  captured: number;
  name: FrameName | null;
}

interface Encoded {
  ssrc: number;
  rtpTimestamp: number;
  at: number;
}

interface Shown {
  captured: number;
  done: (name: FrameName | null) => void;
}

export class SenderFrames {
  #encoded: Encoded[] = [];
  #naming: Naming | null = null;
  #waiting: Shown[] = [];
  #captures: number[] = [];
  #settled: ShownFrame[] = [];

  /** What became of the newest frames of the preview. */
  get settled(): readonly ShownFrame[] {
    return this.#settled;
  }

  /** The server told the time of this producer's timestamps. */
  handleNaming(naming: Naming): void {
    this.#naming = naming;
    this.#settle();
  }

  /** An encoded frame left at `at`. */
  handleEncoded(ssrc: number, rtpTimestamp: number, at: number): void {
    this.#encoded.push({ ssrc, rtpTimestamp, at });
    if (this.#encoded.length > KEPT) this.#encoded.shift();
    this.#settle();
  }

  /** The preview shows the frame captured at this time; `done` is told its name as soon as it has one, or that it gets none. */
  handleShown(captured: number, now: number, done: (name: FrameName | null) => void): void {
    if (captured > (this.#captures.at(-1) ?? -Infinity)) this.#captures.push(captured);
    if (this.#captures.length > SPACED) this.#captures.shift();
    this.#waiting.push({ captured, done });
    this.#settle();
    while (this.#waiting[0] !== undefined && now - this.#waiting[0].captured > PATIENCE_MS) this.#finish(this.#waiting.shift(), null);
  }

  #finish(shown: Shown | undefined, name: FrameName | null): void {
    if (shown === undefined) return;
    this.#settled.push({ captured: shown.captured, name });
    if (this.#settled.length > KEPT) this.#settled.shift();
    shown.done(name);
  }

  #settle(): void {
    if (this.#naming === null) return;
    for (const shown of [...this.#waiting]) {
      const name = this.#nameOf(shown.captured);
      if (name === null) continue;
      this.#waiting = this.#waiting.filter((other) => other !== shown);
      this.#finish(shown, name);
    }
  }

  #nameOf(captured: number): FrameName | null {
    const naming = this.#naming;
    if (naming === null) return null;
    const expected = rtpAdd(naming.rtpTimestamp, (captured - naming.at) * CLOCK_PER_MS);
    const tolerance = Math.min(TOLERANCE_MS, CERTAIN * this.#interval()) * CLOCK_PER_MS;
    let before: number | null = null;
    let isPast = false;
    for (const frame of this.#encoded) {
      const offset = naming.offsets.get(frame.ssrc);
      if (offset === undefined) continue;
      const rtpTimestamp = rtpAdd(frame.rtpTimestamp, offset);
      const distance = rtpDifference(rtpTimestamp, expected);
      if (Math.abs(distance) <= tolerance) {
        return frame.at >= captured - CLOCK_ERROR_MS ? { rtpTimestamp, exact: true } : null;
      }
      if (distance > 0) isPast = true;
      else if (before === null || rtpDifference(rtpTimestamp, before) > 0) before = rtpTimestamp;
    }
    // the encoder is further already: it left this one out
    return isPast && before !== null ? { rtpTimestamp: before, exact: false } : null;
  }

  /** The shortest time between two frames of late, ms. */
  #interval(): number {
    let shortest = Infinity;
    for (let i = 1; i < this.#captures.length; i += 1) {
      shortest = Math.min(shortest, (this.#captures[i] ?? 0) - (this.#captures[i - 1] ?? 0));
    }
    return shortest;
  }
}
