/**
 * How old is the picture on the glass, and does it still move?
 *
 * One for each video producer. `handleFrame` is called for each frame that the browser presents; the age is
 * the server's time now less the time at which that frame was captured: "measured" where the picture bears a
 * barcode, else "estimated" from the producer's sender reports, or where these cannot be true what it is "at least", by
 * when its frames came to the server. All times in ms; `now` is the page's clock.
 */
import type { Barcode, Clock } from '../signalling/protocol';
import { sendingTime } from './barcode';
import { rtpDifference, ticksBetween } from './rtp';

/** Of all video (RFC 3551 and its successors), before the server has said so. */
const VIDEO_CLOCK_RATE = 90_000;
/** Without a new frame for so long, the picture is called frozen. */
export const FROZEN_MS = 1000;
/** Ages are smoothed over this time: a figure that flickers is not read. */
const SMOOTHING_MS = 1000;
/** A barcode reading counts for so long; then the estimate takes over. */
const READING_MS = 3000;
/** From here on the wait for the next frame counts into the age. A source of 5 frames a second stays below. */
const STALLED_MS = 300;
/**
 * The browser's own word for when a frame was captured counts while it lies so near the server's: it knows the line of
 * the media themselves. It takes the publisher's clock from many reports, and strays for a while when that is corrected.
 */
const BELIEVED_MS = 250;
/** Two clocks that were compared over a network agree within this: what is younger was not seen before it happened. */
const IMPOSSIBLE_MS = -100;

export interface PresentedFrame {
  /** Null: it has no name, or not yet. */
  rtpTimestamp: number | null;
  width: number;
  height: number;
  /** When it is shown, by the page's clock. */
  shownAt: number;
  /** When it was captured, by the page's clock, where the browser itself knows. */
  capturedAt?: number | null;
}

export interface Age {
  milliseconds: number;
  source: 'measured' | 'estimated' | 'least';
}

interface Sample {
  at: number;
  age: number;
}

export class FrameClock {
  #clock: Clock | null = null;
  #barcode: Barcode | null = null;
  #estimates: Sample[] = [];
  #readings: Sample[] = [];
  #latest: PresentedFrame | null = null;
  #latestAt: number | null = null;
  #named: PresentedFrame | null = null;
  #waiting: { frame: PresentedFrame; done: (rtpTimestamp: number | null) => void }[] = [];
  #waitingSince: number | null = null;
  #browserKnows = false;
  frames = 0;

  /** Whether the estimate is the browser's own (`captureTime`). */
  get browserKnows(): boolean {
    return this.#browserKnows;
  }

  /** The newest frame that was presented. */
  get latest(): PresentedFrame | null {
    return this.#latest;
  }

  /** The newest frame that was presented and has a name: one's own frames are named after they were shown. */
  get named(): PresentedFrame | null {
    return this.#named;
  }

  /** Whether reading the picture for a barcode is worth the while. */
  get expectsBarcode(): boolean {
    return this.#barcode !== null;
  }

  handleClock(clock: Clock): void {
    // what was reckoned by reports that are not believed any more was too little
    if (clock.source === 'arrival' && this.#clock?.source !== 'arrival') this.#estimates = [];
    this.#clock = clock;
  }

  handleBarcode(barcode: Barcode): void {
    this.#barcode = barcode;
  }

  handleFrame(frame: PresentedFrame, serverNow: number | null, now: number): void {
    this.#latest = frame;
    this.#latestAt = now;
    this.frames += 1;
    if (frame.rtpTimestamp !== null) this.#named = frame;
    if (frame.rtpTimestamp === null || serverNow === null) return;
    const captured = this.captureTime(frame.rtpTimestamp);
    if (captured === null) return;
    const estimate = serverNow + (frame.shownAt - now) - captured;
    if (estimate < IMPOSSIBLE_MS) {
      // its sender's reports are wrong (FFmpeg's are, by what its connection took): no age is better than a false one
      this.#estimates = [];
      return;
    }
    // the browser goes by the sender's reports, whatever they are
    const browsers = typeof frame.capturedAt === 'number' && this.#clock?.source !== 'arrival' ? frame.shownAt - frame.capturedAt : null;
    this.#browserKnows = browsers !== null && Math.abs(browsers - estimate) <= BELIEVED_MS;
    const age = this.#browserKnows && browsers !== null ? browsers : estimate;
    this.#add(this.#estimates, { at: now, age }, now, SMOOTHING_MS);
  }

  /**
   * A frame presented before is named now, or will never be (null). `exact` false: it was never sent, and the name is
   * that of the one that the receivers see in its place.
   */
  handleName(frame: PresentedFrame, rtpTimestamp: number | null, exact: boolean): void {
    if (rtpTimestamp !== null && exact) {
      frame.rtpTimestamp = rtpTimestamp;
      if (this.#named === null || frame.shownAt >= this.#named.shownAt) this.#named = frame;
    }
    const waiting = this.#waiting.filter((who) => who.frame === frame);
    this.#waiting = this.#waiting.filter((who) => who.frame !== frame);
    for (const { done } of waiting) done(rtpTimestamp);
  }

  /** Call when a frame that was presented is named, or will never be. */
  whenNamed(frame: PresentedFrame, done: (rtpTimestamp: number | null) => void): void {
    this.#waiting.push({ frame, done });
  }

  /** A barcode was read off the picture shown at `now`. */
  handleReading(frame: number, serverNow: number, now: number): void {
    if (this.#barcode === null) return;
    const sent = sendingTime(this.#barcode, frame, serverNow);
    if (sent !== null) this.#add(this.#readings, { at: now, age: serverNow - sent }, now, READING_MS);
  }

  /** The page was hidden and presented nothing: begin to wait anew. */
  handleVisible(now: number): void {
    if (this.#latestAt !== null) this.#latestAt = now;
    this.#estimates = [];
    this.#readings = [];
  }

  /**
   * When the frame with this RTP timestamp was captured, by the server's clock; null before a `clock`. `near` is a moment
   * within hours of it where the frame is an old one: timestamps come round.
   */
  captureTime(rtpTimestamp: number, near: number | null = null): number | null {
    const clock = this.#clock;
    if (clock === null || !(clock.clock_rate > 0)) return null;
    const ticks =
      near === null
        ? rtpDifference(rtpTimestamp, clock.rtp_timestamp)
        : ticksBetween(rtpTimestamp, clock.rtp_timestamp, (near - clock.time) / 1000, clock.clock_rate);
    return clock.time + (ticks * 1000) / clock.clock_rate;
  }

  /** By how much, ms, a frame lies before the newest one shown whose name is known; null: nothing is known. */
  behind(rtpTimestamp: number): number | null {
    const [shown, rate] = [this.#named?.rtpTimestamp ?? null, this.#clock?.clock_rate ?? VIDEO_CLOCK_RATE];
    return shown === null || !(rate > 0) ? null : (rtpDifference(shown, rtpTimestamp) * 1000) / rate;
  }

  /** The picture's age; null while nothing is known about it. */
  age(now: number): Age | null {
    const stalled = this.#stalled(now);
    const reading = median(this.#readings.filter((sample) => now - sample.at <= READING_MS + stalled));
    if (reading !== null) return { milliseconds: reading + stalled, source: 'measured' };
    const estimate = median(this.#estimates.filter((sample) => now - sample.at <= SMOOTHING_MS + stalled));
    if (estimate === null) return null;
    return { milliseconds: estimate + stalled, source: this.#clock?.source === 'arrival' ? 'least' : 'estimated' };
  }

  /** For how long no new frame has come, ms, if that is too long: 0 while the picture lives. */
  frozenFor(now: number): number {
    if (this.#latestAt === null) return 0;
    const silence = now - this.#latestAt;
    return silence >= FROZEN_MS ? silence : 0;
  }

  /** For how long the first frame has been awaited, ms; 0 once it is there. */
  awaitedFor(now: number): number {
    if (this.#latestAt !== null) return 0;
    this.#waitingSince ??= now;
    return now - this.#waitingSince;
  }

  #stalled(now: number): number {
    const silence = this.#latestAt === null ? 0 : now - this.#latestAt;
    return silence > STALLED_MS ? silence : 0;
  }

  #add(samples: Sample[], sample: Sample, now: number, window: number): void {
    samples.push(sample);
    while (samples[0] !== undefined && now - samples[0].at > window) samples.shift();
  }
}

function median(samples: Sample[]): number | null {
  if (samples.length === 0) return null;
  const ages = samples.map((sample) => sample.age).sort((a, b) => a - b);
  return ages[ages.length >> 1] ?? null;
}
