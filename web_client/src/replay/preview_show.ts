/**
 * What is on top of a camera's glass after a seek: its preview's picture of the very moment, until the player itself shows that
 * frame. No element in here: it is told what was drawn and what the player presents.
 */
import type { FrameSpan } from './preview';

/** Containers round; no two frames are nearer than twice this. */
const ROUNDING_S = 0.002;
/** A player that says it is there, and whose frames nobody is told of (a page that is not seen): its picture is shown then. */
const UNTOLD_MS = 1000;
/** A preview that has gone by then is not worth a word. */
const SAID_MS = 150;
/** Playing at four times the speed a player may leave out so much before it presents its first frame. */
const BEGUN_S = 2;

export interface PlayerState {
  /** It is on its way to another position. */
  seeking: boolean;
  playing: boolean;
}

export class PreviewShow {
  /** The moment whose picture is wished for, seconds of the camera; null: none. */
  wished: number | null = null;
  /** What the canvas holds, and the wish that it was drawn for. */
  #drawn: FrameSpan | null = null;
  #drawnFor: number | null = null;
  #onTop = false;
  #picture: number | null = null;
  #since = 0;
  #settledAt: number | null = null;
  /** This wish cannot be met. */
  #missing = false;

  /** The preview's frame that is on top; null: the player's own picture is. */
  get shown(): FrameSpan | null {
    return this.#onTop ? this.#drawn : null;
  }

  /** Its picture is still to be drawn. */
  get coming(): boolean {
    return this.wished !== null && !this.#missing && !this.#hasWished;
  }

  get #hasWished(): boolean {
    if (this.wished === null || this.#drawn === null) return false;
    return this.#drawnFor === this.wished || (this.wished >= this.#drawn.from && this.wished < this.#drawn.until);
  }

  /** Whether it must be said in words; `now` in ms. */
  isSaid(now: number): boolean {
    return this.#onTop && now - this.#since >= SAID_MS;
  }

  handleWish(seconds: number, now: number): void {
    this.wished = seconds;
    this.#settledAt = null;
    this.#missing = false;
    // it was drawn before, and another picture came since
    if (this.#hasWished) this.#place(now);
  }

  /** A frame was drawn on the canvas, for the wish of a while ago. */
  handleDrawn(span: FrameSpan, wished: number, now: number): void {
    this.#drawn = span;
    this.#drawnFor = wished;
    if (this.wished === null) this.#onTop = false;
    else this.#place(now);
  }

  /** There is no preview of the moment, for now or at all. */
  handleMissing(): void {
    this.#missing = true;
    // what is on top is of another moment than all that may follow
    if (!this.#hasWished) this.#onTop = false;
  }

  /** The player presents a frame. */
  handlePicture(mediaTime: number, { seeking, playing }: PlayerState): void {
    this.#picture = mediaTime;
    if (this.wished === null) return;
    const isWished = (this.#hasWished && this.#isOnGlass()) || (!seeking && Math.abs(mediaTime - this.wished) < ROUNDING_S);
    const since = mediaTime - this.wished;
    const playsOn = playing && !seeking && since > -ROUNDING_S && since < BEGUN_S;
    if (isWished || playsOn) this.stop();
  }

  /** Look at the player: `settled`, it is at the wished position with a picture, and not seeking. */
  handleTick(settled: boolean, now: number): void {
    if (!settled || this.wished === null || this.coming) {
      this.#settledAt = null;
      return;
    }
    this.#settledAt ??= now;
    if (now - this.#settledAt >= UNTOLD_MS) this.stop();
  }

  /** The player's own picture is on top, and no other is wished for. */
  stop(): void {
    this.wished = null;
    this.#onTop = false;
    this.#settledAt = null;
  }

  #place(now: number): void {
    // the sharp picture of this very frame is there already
    if (this.#hasWished && this.#isOnGlass()) return this.stop();
    if (!this.#onTop) this.#since = now;
    this.#onTop = true;
  }

  #isOnGlass(): boolean {
    return this.#drawn !== null && this.#picture !== null && covers(this.#drawn, this.#picture);
  }
}

function covers({ from, until }: FrameSpan, moment: number): boolean {
  const rounding = Math.min(ROUNDING_S, (until - from) / 4);
  return moment >= from - rounding && moment < until - rounding;
}
