/** The previews of one camera of a replay: fetched, decoded, and drawn on a canvas that lies over its video. */
import { fileAddress } from '../replay/api';
import type { Camera } from '../replay/description';
import { edgeOf, frameAt, pieceAt, PreviewError, readList, spanOf, ticksOf, type FrameSpan, type PreviewFrame } from '../replay/preview';
import { codecsOf, PreviewDecoder } from '../replay/preview_decoder';
import { PreviewPieces } from '../replay/preview_pieces';
import { PreviewShow } from '../replay/preview_show';

/** A piece has as many milliseconds of work: what takes longer is stuck, or of no use to somebody who has gone on. */
const DECODING_MS = 150;
/** Two wishes so near each other are of somebody who drags: the piece beside is wanted soon. */
const DRAGGING_MS = 500;
/** No sharp picture is begun before its preview is there, but for so long: both would share two cores and one line. */
const HOLD_MS = 400;
/** Whoever drags wants no sharp picture of what he passes. */
const REST_MS = 100;
/** Of two shapes that differ by less one was rounded. */
const SAME_SHAPE = 0.02;
/** Answers by which more asking changes nothing. */
const FINAL = new Set([400, 403, 404, 410, 500]);

export class PreviewGlass {
  readonly show = new PreviewShow();
  /** Null: not known yet, or there are none. */
  #pieces: PreviewPieces | null = null;
  #decoder: PreviewDecoder | null = null;
  #canvas: HTMLCanvasElement | null = null;
  /** It came before there was a canvas. */
  #early: { frame: VideoFrame; span: FrameSpan; wished: number } | null = null;
  #state: 'new' | 'asked' | 'on' | 'off' = 'new';
  #working = false;
  #decodingSince: number | null = null;
  #wishedAt = -Infinity;
  #dragging = false;
  #direction: 1 | -1 = 1;
  readonly #closing = new AbortController();

  /** `onchanged`: another picture is on top, or none any more. */
  constructor(
    private readonly recording: string,
    private readonly camera: Camera,
    private readonly onchanged: () => void,
  ) {}

  /** Whether a seek will show a preview first. */
  get on(): boolean {
    return this.#state === 'on';
  }

  /** Whether the player is to wait, since what it does would only delay the preview. */
  holds(now: number): boolean {
    if (!this.on || this.show.wished === null) return false;
    const since = now - this.#wishedAt;
    return (this.show.coming && since < HOLD_MS) || (this.#dragging && since < REST_MS);
  }

  attach(canvas: HTMLCanvasElement): () => void {
    this.#canvas = canvas;
    const early = this.#early;
    this.#early = null;
    if (early !== null) this.#draw(early.frame, early.span, early.wished);
    else if (this.show.wished !== null) void this.#work();
    return () => {
      if (this.#canvas === canvas) this.#canvas = null;
      this.stop();
    };
  }

  /** Show the picture of this moment, seconds of the camera, as soon as it can be. */
  wish(seconds: number, now = performance.now()): void {
    if (this.#state === 'off') return;
    const before = this.show.wished;
    this.#dragging = now - this.#wishedAt < DRAGGING_MS;
    this.#wishedAt = now;
    if (before !== null && before !== seconds) this.#direction = seconds > before ? 1 : -1;
    this.show.handleWish(seconds, now);
    if (this.#decodingSince !== null && now - this.#decodingSince > DECODING_MS) this.#decoder?.close();
    const number = this.#pieces === null ? null : pieceAt(this.#pieces.list, seconds);
    // what was wished for before is let go at once
    if (number !== null && this.show.coming) this.#wishPiece(number).catch(() => undefined);
    this.onchanged();
    void this.#work();
  }

  stop(): void {
    const was = this.show.shown;
    this.show.stop();
    if (was !== null) this.onchanged();
  }

  close(): void {
    this.#state = 'off';
    this.#closing.abort();
    this.#turnOff();
  }

  /** A place within the next frame or the one before, seconds of the camera; null: there is none, or that is not known. */
  neighbour(mediaTime: number, direction: 1 | -1): number | null {
    if (!this.on || this.#pieces === null) return null;
    const { list } = this.#pieces;
    const number = pieceAt(list, mediaTime);
    const frames = number === null ? null : this.#pieces.here(number);
    if (number === null || frames === null) return null;
    const index = frameAt(frames, ticksOf(list, mediaTime)) + direction;
    // the list says where the piece beside begins and ends, whether it is here or not
    if (index < 0 || index >= frames.length) return edgeOf(list, number + direction, direction);
    const { from, until } = spanOf(list, number, frames, index);
    return (from + until) / 2;
  }

  /** Ask what there is. A recording without previews goes on without. */
  async open(): Promise<void> {
    if (this.#state !== 'new') return;
    this.#state = 'asked';
    const codecs = codecsOf(globalThis);
    if (codecs === null) return this.#turnOff();
    try {
      const answer = await this.#ask('preview.json', this.#closing.signal);
      if (answer.status === 204) return this.#turnOff();
      const list = readList(await answer.json());
      const decoder = new PreviewDecoder(list, codecs);
      this.#pieces = new PreviewPieces(list, (number, signal) => this.#fetchPiece(number, signal));
      const number = this.show.wished === null ? null : pieceAt(list, this.show.wished);
      // it comes while the browser is asked whether it can decode
      if (number !== null) this.#wishPiece(number).catch(() => undefined);
      if (!(await decoder.isSupported()) || this.#closing.signal.aborted) return this.#turnOff();
      this.#decoder = decoder;
      this.#state = 'on';
      await this.#work();
    } catch {
      this.#turnOff();
    }
  }

  async #work(): Promise<void> {
    if (!this.on || this.#working) return;
    this.#working = true;
    try {
      while (this.show.coming && this.on && this.#early === null) await this.#take();
    } catch {
      // a piece that is damaged: what is shown of this camera is no longer trusted to its previews
      this.#turnOff();
    } finally {
      this.#working = false;
    }
  }

  async #take(): Promise<void> {
    const [pieces, decoder] = [this.#pieces, this.#decoder];
    const asked = this.show.wished;
    if (pieces === null || decoder === null || asked === null) return;
    const number = pieceAt(pieces.list, asked);
    if (number === null) return this.#miss();
    let frames: readonly PreviewFrame[];
    try {
      frames = await this.#wishPiece(number);
    } catch (error) {
      if (error instanceof PreviewError) throw error;
      // a line that broke: the next wish may be met. What was let go was for another one
      if (!isAbort(error) && this.show.wished === asked) this.#miss();
      return;
    }
    // whoever drags has gone on meanwhile, perhaps within the piece
    const { wished } = this.show;
    if (wished === null || pieceAt(pieces.list, wished) !== number) return;
    const index = frameAt(frames, ticksOf(pieces.list, wished));
    this.#decodingSince = performance.now();
    try {
      const frame = await decoder.decode(frames, index);
      if (frame !== null) this.#draw(frame, spanOf(pieces.list, number, frames, index), wished);
    } finally {
      this.#decodingSince = null;
    }
  }

  #wishPiece(number: number): Promise<readonly PreviewFrame[]> {
    const beside = this.#dragging ? number + this.#direction : null;
    return (this.#pieces as PreviewPieces).wish(number, beside);
  }

  #draw(frame: VideoFrame, span: FrameSpan, wished: number): void {
    if (!this.on) return frame.close();
    if (this.#canvas === null) {
      this.#early?.frame.close();
      this.#early = { frame, span, wished };
      return;
    }
    const canvas = this.#canvas;
    const { displayWidth, displayHeight } = frame;
    if (canvas.width !== displayWidth) canvas.width = displayWidth;
    if (canvas.height !== displayHeight) canvas.height = displayHeight;
    // the sides of a small picture are whole pixels, and its shape is only nearly that of the large one
    const [shape, ratio] = [displayWidth / displayHeight, this.camera.width / this.camera.height];
    canvas.style.setProperty('--ratio', String(Math.abs(shape / ratio - 1) < SAME_SHAPE ? ratio : shape));
    canvas.getContext('2d', { alpha: false })?.drawImage(frame, 0, 0, displayWidth, displayHeight);
    frame.close();
    this.show.handleDrawn(span, wished, performance.now());
    this.onchanged();
  }

  #miss(): void {
    this.show.handleMissing();
    this.onchanged();
  }

  #turnOff(): void {
    this.#state = 'off';
    this.#pieces?.close();
    this.#decoder?.close();
    this.#early?.frame.close();
    this.#pieces = this.#decoder = this.#early = null;
    this.stop();
  }

  async #fetchPiece(number: number, signal: AbortSignal): Promise<ArrayBuffer> {
    const answer = await this.#ask(`preview/${number}.kpv`, AbortSignal.any([signal, this.#closing.signal]));
    return answer.arrayBuffer();
  }

  async #ask(name: string, signal: AbortSignal): Promise<Response> {
    const answer = await fetch(`${fileAddress(this.recording, String(this.camera.producer))}/${name}`, { credentials: 'same-origin', signal, priority: 'high' });
    if (answer.ok) return answer;
    if (FINAL.has(answer.status)) throw new PreviewError(String(answer.status));
    throw new Error(String(answer.status));
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
