/**
 * Of which moment the picture on each camera's glass is, where it is not that of the position: after a seek, until the new picture
 * has come, and where one camera has fallen behind the others. The clock beside a picture tells the picture's own moment.
 */
import type { Camera } from './description';

/** Players are steered together within less (`playhead.ts`); what is farther away is another moment. */
const APART_S = 0.25;
/** Whoever seeks expects a blink: only then it must be said in words. */
const LAGGING_MS = 400;
/** A player says that it is there a little before its picture is on the glass; one whose pictures are seconds apart shows no other. */
const UNSEEN_MS = 300;

export interface GlassReport {
  /** Where the player is, seconds of the camera. */
  currentTime: number;
  /** What it shows is not yet what it was told to show. */
  coming: boolean;
  /** The preview of the very moment lies over it. */
  previewed?: boolean;
}

export class GlassMoments {
  /** By camera: the position that its picture is of; null: that of now, or it has none. NaN: nothing was ever shown on it. */
  moments: readonly (number | null)[];
  /** By camera: its picture of this position is waited for, and it must be said. */
  lagging: readonly boolean[];
  readonly #shown: (number | null)[];
  readonly #previews: (number | null)[];
  readonly #since: (number | null)[];
  readonly #arrived: (number | null)[];
  #said = '';

  constructor(private readonly cameras: readonly Camera[]) {
    this.moments = cameras.map(() => null);
    this.lagging = cameras.map(() => false);
    this.#shown = cameras.map(() => null);
    this.#previews = cameras.map(() => null);
    this.#since = cameras.map(() => null);
    this.#arrived = cameras.map(() => null);
  }

  /** A frame is on a camera's glass. */
  handleFrame(index: number, mediaTime: number): void {
    this.#shown[index] = mediaTime;
  }

  /** A preview lies over a camera's picture, or no longer (null). */
  handlePreview(index: number, mediaTime: number | null): void {
    this.#previews[index] = mediaTime;
  }

  /** The media time of the player's own picture, which may lie beneath a preview; null: it never had one. */
  framed(index: number): number | null {
    return this.#shown[index] ?? null;
  }

  /** The media time of what is on a camera's glass; null: nothing was ever shown. */
  shown(index: number): number | null {
    return this.#previews[index] ?? this.#shown[index] ?? null;
  }

  /** Look at all players (null: no picture is to be seen of it); says whether anything is different. `now` in ms. */
  handleTick(position: number, reports: readonly (GlassReport | null)[], now: number): boolean {
    this.moments = this.cameras.map((camera, index) => {
      const report = reports[index] ?? null;
      const wanted = Math.min(camera.seconds, Math.max(0, position - camera.offset));
      if (report === null || !this.#isElsewhere(index, report, wanted, now)) {
        this.#since[index] = this.#arrived[index] = null;
        return null;
      }
      this.#since[index] ??= now;
      return camera.offset + (this.shown(index) ?? NaN);
    });
    this.lagging = this.#since.map((since) => since !== null && now - since >= LAGGING_MS);
    const said = `${this.moments.join()} ${this.lagging.join()}`;
    if (said === this.#said) return false;
    this.#said = said;
    return true;
  }

  #isElsewhere(index: number, report: GlassReport, wanted: number, now: number): boolean {
    if (report.previewed === true) return false;
    if (report.coming || Math.abs(report.currentTime - wanted) > APART_S) {
      this.#arrived[index] = null;
      return true;
    }
    if ((this.#since[index] ?? null) === null) return false;
    const arrived = (this.#arrived[index] ??= now);
    const isSeen = Math.abs((this.shown(index) ?? NaN) - wanted) <= APART_S;
    return !isSeen && now - arrived < UNSEEN_MS;
  }
}
