/**
 * Fetches frames in the order in which they will be looked at, and keeps as many as the page can hold.
 *
 * What is on a screen is wanted first; what is near it next. A wish replaces the one before it from the same pane; what nobody
 * wants any more and is still on its way is let go when something that is looked at waits for it.
 */
import { Emitter } from '../emitter';
import type { Frame } from './image';
import { PixelError, readPixels, type Pixels } from './pixels';
import { ImageError } from './web';

export type FrameState = { pixels: Pixels } | { failed: FrameFailure } | null;
export interface FrameFailure {
  reason: 'size' | 'kind' | 'palette' | 'none' | 'refused' | 'away' | 'flat' | 'memory' | 'missing';
  /** What the server said, where it refused: a code, and a sentence in English. */
  code: string;
  message: string;
}

/** More at once would only queue in the browser, before what is wanted next. */
const AT_ONCE = 6;
const LIMIT_BYTES = 768 << 20;
/** What is left for frames however much is held elsewhere. */
const LEAST_BYTES = 128 << 20;

interface FrameEvents {
  /** A frame is there, or failed. */
  frame: Frame;
}

type Get = (frame: Frame, signal: AbortSignal) => Promise<ArrayBuffer>;

export class FrameLoader extends Emitter<FrameEvents> {
  /** In the order of the last use. */
  readonly #kept = new Map<string, Pixels>();
  readonly #failed = new Map<string, FrameFailure>();
  readonly #running = new Map<string, AbortController>();
  readonly #wishes = new Map<string, readonly Frame[]>();
  #bytes = 0;
  #hurries = false;

  constructor(
    private readonly get: Get,
    private readonly most = LIMIT_BYTES,
  ) {
    super();
    this.limit = most;
  }

  private limit: number;

  /** So much of the page's memory is held for something else. */
  reserve(bytes: number): void {
    this.limit = Math.max(Math.min(LEAST_BYTES, this.most), this.most - bytes);
  }

  state(frame: Frame): FrameState {
    const key = keyOf(frame);
    const pixels = this.#kept.get(key);
    if (pixels !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, pixels);
      return { pixels };
    }
    const failed = this.#failed.get(key);
    return failed === undefined ? null : { failed };
  }

  /** How many of these are there. */
  countOf(frames: readonly Frame[]): number {
    return frames.reduce((count, frame) => count + (this.#kept.has(keyOf(frame)) ? 1 : 0), 0);
  }

  /** What a pane wants, the most urgent first; nothing: it is closed. */
  want(pane: string, frames: readonly Frame[]): void {
    if (frames.length === 0) this.#wishes.delete(pane);
    else this.#wishes.set(pane, frames);
    this.#makeWay();
    this.#go();
  }

  /** The line is slow: as long as what is looked at is not there, nothing is fetched beforehand. */
  hurry(hurries: boolean): void {
    if (hurries === this.#hurries) return;
    this.#hurries = hurries;
    if (hurries) {
      const urgent = new Set([...this.#wishes.values()].flatMap((list) => (list[0] === undefined ? [] : [keyOf(list[0])])));
      for (const [key, controller] of this.#running) if (!urgent.has(key)) controller.abort();
    }
    this.#go();
  }

  /** Try again what failed since the server could not be reached. */
  retry(): void {
    for (const [key, { reason }] of [...this.#failed]) if (reason === 'away') this.#failed.delete(key);
    this.#go();
  }

  close(): void {
    this.#wishes.clear();
    for (const controller of this.#running.values()) controller.abort();
    this.#kept.clear();
    this.#bytes = 0;
  }

  /** The first wishes of all panes, then the second ones. */
  *#next(): Generator<Frame> {
    const lists = [...this.#wishes.values()];
    const longest = Math.max(0, ...lists.map((list) => list.length));
    for (let at = 0; at < longest; at++) {
      for (const list of lists) {
        const frame = list[at];
        if (frame === undefined) continue;
        const key = keyOf(frame);
        if (!this.#kept.has(key) && !this.#failed.has(key)) yield frame;
      }
    }
  }

  #go(): void {
    for (const frame of this.#next()) {
      if (this.#running.size >= AT_ONCE || (this.#hurries && !this.#isUrgent(frame))) return;
      // what would push out what is looked at sooner is not fetched beforehand
      if (this.#bytes + bytesOf(frame) > this.limit && !this.#isUrgent(frame) && !this.#drop(frame)) return;
      if (!this.#running.has(keyOf(frame))) void this.#load(frame);
    }
  }

  #isUrgent(frame: Frame): boolean {
    return [...this.#wishes.values()].some((list) => list[0] !== undefined && keyOf(list[0]) === keyOf(frame));
  }

  /** Let go of the least used frame that nobody wants; false: there is none. */
  #drop(instead: Frame): boolean {
    const wanted = new Set([...this.#wishes.values()].flat().map(keyOf));
    while (this.#bytes + bytesOf(instead) > this.limit) {
      const idle = [...this.#kept.keys()].find((key) => !wanted.has(key)) ?? (this.#isUrgent(instead) ? [...this.#kept.keys()][0] : undefined);
      if (idle === undefined) return false;
      const pixels = this.#kept.get(idle);
      this.#kept.delete(idle);
      if (pixels !== undefined) this.#bytes -= bytesOf(pixels.frame);
    }
    return true;
  }

  /** Something that is looked at waits behind what nobody wants any more. */
  #makeWay(): void {
    if (this.#running.size < AT_ONCE) return;
    const wanted = new Set([...this.#wishes.values()].flatMap((list) => list.slice(0, AT_ONCE)).map(keyOf));
    for (const [key, controller] of this.#running) if (!wanted.has(key)) controller.abort();
  }

  async #load(frame: Frame): Promise<void> {
    const key = keyOf(frame);
    const controller = new AbortController();
    this.#running.set(key, controller);
    try {
      const pixels = readPixels(frame, await this.get(frame, controller.signal));
      this.#drop(frame);
      this.#kept.set(key, pixels);
      this.#bytes += bytesOf(frame);
    } catch (error) {
      if (!controller.signal.aborted) this.#failed.set(key, failureOf(error));
    } finally {
      this.#running.delete(key);
    }
    if (!controller.signal.aborted) this.emit('frame', frame);
    this.#go();
  }
}

export function failureOf(error: unknown): FrameFailure {
  if (error instanceof PixelError) return failure(error.reason);
  // busy or broken for now (429, 5xx): it may go another time
  if (error instanceof ImageError && error.status !== 429 && error.status < 500) return { reason: 'refused', code: error.code, message: error.message };
  return failure('away');
}

/** A failure that the page found by itself. */
export function failure(reason: Exclude<FrameFailure['reason'], 'refused'>): FrameFailure {
  return { reason, code: '', message: '' };
}

export function keyOf({ of, frame }: Frame): string {
  return `${of.instance} ${frame}`;
}

export function bytesOf({ of }: Frame): number {
  return of.columns * of.rows * of.samples * Math.max(1, of.bits >> 3);
}
