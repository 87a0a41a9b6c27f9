/** One camera's player in a replay: its element, what feeds it, and whether it comes to where it is sent. Times are seconds of the camera. */
import { Arrival } from '../replay/arrival';
import type { Camera } from '../replay/description';
import type { Command, VideoReport } from '../replay/playhead';
import type { Look } from '../replay/track_feed';
import { MediaFeed, type MediaFeedEvents } from './media_feed';

/** Nearer than any frame: it stands there already. */
const SAME_S = 0.0005;

export interface ReplayPlayerEvents extends MediaFeedEvents {
  /** This frame is on its glass. */
  onframe: (mediaTime: number) => void;
}

export class ReplayPlayer {
  #element: HTMLMediaElement | null = null;
  #feed: MediaFeed | null = null;
  readonly #arrival = new Arrival();

  constructor(
    private readonly recording: string,
    private readonly camera: Camera,
    private readonly events: ReplayPlayerEvents,
  ) {}

  attach(element: HTMLMediaElement, beside: boolean): () => void {
    const feed = new MediaFeed(element, this.recording, this.camera, this.events, beside);
    [this.#element, this.#feed] = [element, feed];
    element.addEventListener('error', this.events.onfailed);
    element.preservesPitch = true;
    const stopWatching = element instanceof HTMLVideoElement ? this.#watchFrames(element) : () => undefined;
    return () => {
      stopWatching();
      element.removeEventListener('error', this.events.onfailed);
      feed.close();
      this.#element = this.#feed = null;
    };
  }

  get attached(): boolean {
    return this.#element !== null;
  }

  get currentTime(): number {
    return this.#element?.currentTime ?? 0;
  }

  get seeking(): boolean {
    return this.#element?.seeking === true;
  }

  get hasPicture(): boolean {
    return (this.#element?.readyState ?? 0) >= HTMLMediaElement.HAVE_CURRENT_DATA;
  }

  /** It is where it was sent. */
  get settled(): boolean {
    return !this.seeking && this.hasPicture;
  }

  get report(): VideoReport {
    const element = this.#element;
    return {
      currentTime: this.currentTime,
      // a browser may call what has ended one that has nothing more to play
      ready: element !== null && (element.ended || element.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA) && !element.seeking,
    };
  }

  /** Where its decoder begins for the picture at a position; null: that is not known yet, or it has no picture. */
  keyTime(position: number): number | null {
    return this.#feed?.keyTime(position) ?? null;
  }

  send(to: number): void {
    if (this.#element === null || Math.abs(this.#element.currentTime - to) <= SAME_S) return;
    this.#element.currentTime = to;
    this.#arrival.handleSent();
  }

  /** Play or stand, and be fed round this position. `look.via`: it is on its way to it. */
  handleCommand({ play, rate }: Command, position: number, look: Omit<Look, 'hurried'>): void {
    const element = this.#element;
    if (element === null) return;
    const onTheWay = look.via !== undefined;
    this.#feed?.handlePosition(position, { ...look, hurried: onTheWay || !this.settled });
    if (element.playbackRate !== rate) element.playbackRate = rate;
    if (play && !onTheWay && element.paused) void element.play().catch(() => undefined);
    if ((!play || onTheWay) && !element.paused) element.pause();
  }

  /** Send it once more where it does not come to, and ask it for a frame that nobody was told of. `wanted`: where it is to stand; null: it plays. */
  lookAfter(wanted: number | null, now: number): void {
    const element = this.#element;
    if (element === null) return;
    const { currentTime, seeking, hasPicture } = this;
    const to = seeking ? currentTime : (wanted ?? currentTime);
    const behindKey = (): number | null => (this.#feed?.holds(to) === true ? Math.max(0, to - (this.keyTime(to) ?? to)) : null);
    const todo = this.#arrival.handleTick({ currentTime, seeking, hasPicture, wanted, behindKey }, now);
    if (todo === 'send') element.currentTime = to;
    if (todo === 'ask' && element instanceof HTMLVideoElement) this.events.onframe(frameTime(element));
  }

  #watchFrames(video: HTMLVideoElement): () => void {
    let handle = 0;
    const handleFrame = (_now: number, { mediaTime }: VideoFrameCallbackMetadata): void => {
      handle = video.requestVideoFrameCallback(handleFrame);
      this.#arrival.handleFrame(mediaTime);
      this.events.onframe(mediaTime);
    };
    handle = video.requestVideoFrameCallback(handleFrame);
    return () => video.cancelVideoFrameCallback(handle);
  }
}

/** The time of the frame that a player shows: exactly, where the browser has WebCodecs. */
function frameTime(video: HTMLVideoElement): number {
  try {
    const frame = new VideoFrame(video);
    const { timestamp } = frame;
    frame.close();
    return timestamp / 1e6;
  } catch {
    return video.currentTime;
  }
}
