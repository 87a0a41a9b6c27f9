/**
 * A film in a pane: played by the browser's own player where it knows how, else shown frame by frame as the server decodes it. What
 * is on the glass is drawn like any image, so that zoom, turn, mirror and marks are the same; the position is a frame's number.
 */
import { Emitter } from '../../emitter';
import type { Frame } from '../../dicom/image';
import type { DicomWeb, FilmFacts } from '../../dicom/web';
import { failureOf, type FrameFailure } from '../../dicom/frames';

/** A follower that is so many seconds away from where he should be is put there; nearer, he comes by himself. */
const ASTRAY = 0.3;
/** Frames by which a leader's own player may be ahead of what was last told. */
const OWN_STEP = 2;

/** What there is to be drawn. */
export interface FilmPicture {
  source: CanvasImageSource;
  /** From 1. */
  frame: number;
}

export class FilmPlayer extends Emitter<{ picture: undefined; frame: number }> {
  facts: FilmFacts | null = null;
  picture: FilmPicture | null = null;
  /** Why it is not shown; null: it is, or will be. */
  failure: FrameFailure | null = null;
  /** Null until it is known. */
  isPlayable: boolean | null = null;
  readonly #video = document.createElement('video');
  readonly #stop = new AbortController();
  #wanted: { frame: number; playing: boolean; rate: number; leads: boolean } | null = null;
  #seeks = false;
  #isWatching = false;
  #fetching = 0;
  #isClosed = false;

  constructor(
    private readonly web: DicomWeb,
    readonly film: Frame['of'],
  ) {
    super();
    this.#video.muted = true;
    this.#video.playsInline = true;
    this.#video.preload = 'auto';
    this.#video.addEventListener('seeked', () => this.#handleSeeked());
    this.#video.addEventListener('loadeddata', () => this.#obey());
    this.#video.addEventListener('ended', () => this.#handleEnd());
    this.#video.addEventListener('error', () => void this.#renew());
    void this.#open();
  }

  /** Be at a frame, and play on from there or stand; `leads`: the player itself says where it is. */
  show(frame: number, playing: boolean, rate: number, leads: boolean): void {
    const before = this.#wanted;
    if (before !== null && before.frame === frame && before.playing === playing && before.rate === rate && before.leads === leads) return;
    this.#wanted = { frame, playing, rate, leads };
    this.#obey();
  }

  close(): void {
    this.#isClosed = true;
    this.#stop.abort();
    this.#video.pause();
    this.#video.removeAttribute('src');
    this.#video.load();
    if (this.picture?.source instanceof ImageBitmap) this.picture.source.close();
  }

  async #open(): Promise<void> {
    try {
      this.facts = await this.web.film(this.film, this.#stop.signal);
    } catch (error) {
      if (this.#isClosed) return;
      this.failure = failureOf(error);
      return this.emit('picture', undefined);
    }
    if (this.#isClosed) return;
    this.isPlayable = this.facts.type !== '' && this.#video.canPlayType(this.facts.type) !== '';
    if (this.isPlayable) this.#video.src = this.web.filmAddress(this.film);
    this.emit('picture', undefined);
    this.#obey();
  }

  /** The leave to fetch it has run out, or it cannot be played after all. */
  #renewals = 0;
  async #renew(): Promise<void> {
    if (this.#isClosed || this.isPlayable !== true) return;
    this.#renewals += 1;
    try {
      if (this.#renewals > 3) throw new Error('it cannot be played');
      await this.web.film(this.film, this.#stop.signal);
      this.#video.load();
    } catch {
      if (this.#isClosed) return;
      this.isPlayable = false;
      this.emit('picture', undefined);
      this.#obey();
    }
  }

  /** Do what is wanted, as far as it can be done now. */
  #obey(): void {
    const [wanted, facts] = [this.#wanted, this.facts];
    if (wanted === null || facts === null || this.#isClosed) return;
    if (this.isPlayable !== true) return void this.#fetch();
    if (this.#video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    const away = wanted.frame - this.#frameAt(this.#video.currentTime);
    this.#video.playbackRate = Math.min(4, Math.max(0.1, wanted.rate / facts.rate));
    if (!wanted.playing) {
      // what the player is at when it stops is a frame further, at times
      const ran = !this.#video.paused;
      this.#video.pause();
      return this.#seekTo(wanted.frame, ran);
    }
    const isFar = wanted.leads ? Math.abs(away) > OWN_STEP : Math.abs(away) > ASTRAY * facts.rate;
    if (isFar) this.#seekTo(wanted.frame);
    if (this.#video.paused) {
      void this.#video.play().catch(() => undefined);
      this.#watch();
    }
  }

  #seekTo(frame: number, anyway = false): void {
    if (this.facts === null) return;
    if (!anyway && this.picture?.frame === frame && this.#frameAt(this.#video.currentTime) === frame) return;
    this.#seeks = true;
    // a busy browser says that it is there before there is a picture to be drawn
    if (this.#video.paused) this.#watch();
    // into the middle of the frame: its edges are rounded
    this.#video.currentTime = (frame - 0.5) / this.facts.rate;
  }

  #handleSeeked(): void {
    this.#seeks = false;
    this.#take(this.#frameAt(this.#video.currentTime));
    // meanwhile another place may have been asked for
    const wanted = this.#wanted;
    if (wanted !== null && !wanted.playing && this.#frameAt(this.#video.currentTime) !== wanted.frame) this.#seekTo(wanted.frame);
  }

  #handleEnd(): void {
    if (this.#wanted?.playing !== true) return;
    this.#video.currentTime = 0;
    void this.#video.play().catch(() => undefined);
  }

  /** Take each frame that the player shows, as long as it plays. */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#video.requestVideoFrameCallback((_, { mediaTime }) => {
      this.#isWatching = false;
      if (this.#isClosed || this.facts === null) return;
      const frame = Math.round(mediaTime * this.facts.rate) + 1;
      // a frame that was on its way when the film was stopped is not shown any more
      if (!this.#seeks && (this.#wanted?.playing === true || this.#wanted?.frame === frame)) this.#take(frame);
      if (!this.#video.paused) this.#watch();
    });
  }

  #take(frame: number): void {
    this.picture = { source: this.#video, frame };
    this.emit('picture', undefined);
    const wanted = this.#wanted;
    if (wanted?.playing === true && wanted.leads && frame !== wanted.frame) {
      this.#wanted = { ...wanted, frame };
      this.emit('frame', frame);
    }
  }

  #frameAt(seconds: number): number {
    const { rate, frames } = this.facts ?? { rate: 25, frames: 1 };
    return Math.min(frames, Math.floor(seconds * rate + 1e-6) + 1);
  }

  /** Fetch the frame that is wanted, one at a time. */
  async #fetch(): Promise<void> {
    const frame = this.#wanted?.frame;
    if (frame === undefined || this.#fetching > 0 || this.picture?.frame === frame) return;
    this.#fetching = frame;
    try {
      const source = await createImageBitmap(await this.web.rendered({ of: this.film, frame }, 0, this.#stop.signal));
      if (this.#isClosed) return source.close();
      if (this.picture?.source instanceof ImageBitmap) this.picture.source.close();
      this.picture = { source, frame };
      this.failure = null;
    } catch (error) {
      if (this.#isClosed) return;
      this.failure = failureOf(error);
    }
    this.#fetching = 0;
    this.emit('picture', undefined);
    if (this.failure === null) void this.#fetch();
  }
}
