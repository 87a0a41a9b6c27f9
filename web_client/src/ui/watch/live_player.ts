/** Plays a live picture with its sound in a video element: by hls.js, or by the browser's own player where that cannot be. */
import Hls, { ErrorTypes, Events, type ErrorData } from 'hls.js';

/** Ms after which it is tried again when nothing comes. */
const AGAIN_MS = 2000;
/** The cookie holds for an hour. */
const RENEWED_MS = 30 * 60_000;

export class LivePlayer {
  #hls: Hls | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;
  #renewing: ReturnType<typeof setInterval> | undefined;
  #stopped = false;

  /** `failed` says whether nothing comes just now. */
  constructor(
    private readonly video: HTMLVideoElement,
    private readonly address: string,
    private readonly token: string,
    private readonly failed: (now: boolean) => void,
  ) {}

  /** Begin, and go on until stopped. */
  async start(): Promise<void> {
    this.#renewing = setInterval(() => void this.#renew(), RENEWED_MS);
    await this.#renew();
    if (!this.#stopped) this.#begin();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#again);
    clearInterval(this.#renewing);
    this.#drop();
    this.video.removeAttribute('src');
    this.video.load();
  }

  /** When the camera saw what is shown now, Unix ms; null: not known. */
  get seenAt(): number | null {
    return this.#hls?.playingDate?.getTime() ?? null;
  }

  /** Get the cookie that the player's requests bear. */
  async #renew(): Promise<void> {
    try {
      await fetch('/api/live', { method: 'POST', headers: { Authorization: `Bearer ${this.token}` } });
    } catch {
      // the network is away: the pictures are too, and are tried again
    }
  }

  #begin(): void {
    this.#drop();
    if (!Hls.isSupported()) return this.#beginOwn();
    const hls = new Hls({
      lowLatencyMode: true,
      // fragments are taken as they are: there is nothing for a worker to do
      enableWorker: false,
      backBufferLength: 20,
      // whoever fell behind comes back without a jump
      maxLiveSyncPlaybackRate: 1.1,
    });
    hls.on(Events.ERROR, (_, data) => this.#handleError(hls, data));
    hls.on(Events.FRAG_BUFFERED, () => this.failed(false));
    hls.loadSource(`${this.address}?parts=1`);
    hls.attachMedia(this.video);
    this.#hls = hls;
    this.#play();
  }

  /** Where there is no MediaSource (iPhones), the browser knows HLS itself. */
  #beginOwn(): void {
    this.video.src = this.address;
    this.video.onerror = () => this.#retry();
    this.video.onplaying = () => this.failed(false);
    this.#play();
  }

  #play(): void {
    this.video.play().catch(() => {
      // without a touch a browser begins silently, and the page shows how sound is turned on
      this.video.muted = true;
      this.video.play().catch(() => undefined);
    });
  }

  #handleError(hls: Hls, data: ErrorData): void {
    if (hls !== this.#hls || !data.fatal) return;
    if (data.type === ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
    else this.#retry();
  }

  #retry(): void {
    this.failed(true);
    this.#drop();
    clearTimeout(this.#again);
    if (!this.#stopped) this.#again = setTimeout(() => void this.#renew().then(() => this.#stopped || this.#begin()), AGAIN_MS);
  }

  #drop(): void {
    this.#hls?.destroy();
    this.#hls = null;
    this.video.onerror = null;
    this.video.onplaying = null;
  }
}
