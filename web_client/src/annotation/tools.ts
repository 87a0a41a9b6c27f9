/**
 * The drawing tools: pointer input goes in, marks and ephemeral messages come out.
 *
 * Points are fractions of the frame; the anchor is the frame that was on the glass when the pointer went down.
 * No page in here: the overlay hands in what it saw, and shows `inProgress`.
 */
import { Emitter } from '../emitter';
import { isVideo } from '../signalling/marks';
import type { Anchor, EphemeralMessage, Mark, Point, VideoAnchor } from '../signalling/protocol';

/**
 * Stands for the RTP timestamp of a frame that has no name yet: one's own picture is drawn on before its frame is
 * encoded. What is drawn is shown at once and told to nobody before `handleName`.
 */
export const UNNAMED = -1;

function isUnnamed(anchor: Anchor): boolean {
  return isVideo(anchor) && anchor.rtp_timestamp === UNNAMED;
}

export type Tool = 'freehand' | 'arrow' | 'ellipse' | 'text' | 'pointer';
export const TOOLS: readonly Tool[] = ['freehand', 'arrow', 'ellipse', 'text', 'pointer'];

/** A message a sender at 30 a second keeps well below the server's 200, and lines stay smooth. */
const SEND_EVERY_MS = 33;
const MAX_POINTS = 2000;
const MAX_TEXT = 200;
/** Points that are sent again with the next part of a stroke, so that a lost message leaves no gap. */
const OVERLAP = 8;
/** Points nearer than this to the last are not kept: a quarter of a pixel at 4K. */
const MIN_STEP = 0.00007;
/** A shape smaller than this is a slip of the hand. */
const MIN_SHAPE = 0.006;
/** Of the frame's height: 4 px on a laptop, 13 at 4K. */
export const LINE_WIDTH = 0.006;

/** What distributes over the union, so that each message keeps its own fields. */
type Unstamped<Message> = Message extends EphemeralMessage ? Omit<Message, 'sent' | 'n'> : never;
export type OutgoingEphemeral = Unstamped<EphemeralMessage>;

interface ToolEvents {
  /** A mark is finished: to be shown at once and sent as `add`. */
  mark: Mark;
  ephemeral: OutgoingEphemeral;
  /** A text is to be typed at this place; then `handleText`. */
  text_wanted: { anchor: Anchor; point: Point };
  /** The frame that something was drawn on never got a name: it is gone. */
  unnamed: undefined;
  changed: undefined;
}

export class Tools extends Emitter<ToolEvents> {
  #tool: Tool = 'freehand';
  #mark: Mark | null = null;
  /** Finished, but their frame has no name yet. */
  #waiting: Mark[] = [];
  #sentPoints = 0;
  #lastSent = -Infinity;
  #pointing: { anchor: Anchor; point: Point } | null = null;
  #textAt: { anchor: Anchor; point: Point } | null = null;
  #count = 0;

  /** `prefix` makes the identifiers of this page's marks unique in the room. */
  constructor(private prefix: string) {
    super();
  }

  get tool(): Tool {
    return this.#tool;
  }

  /** The mark under the pen. */
  get inProgress(): Mark | null {
    return this.#mark;
  }

  /** Marks that are finished and wait for their frame's name. */
  get waiting(): readonly Mark[] {
    return this.#waiting;
  }

  /** Where one's own laser pointer is; null: nowhere. */
  get pointing(): { anchor: Anchor; point: Point } | null {
    return this.#pointing;
  }

  setPrefix(prefix: string): void {
    this.prefix = prefix;
  }

  choose(tool: Tool): void {
    if (tool === this.#tool) return;
    this.handleCancel();
    this.#tool = tool;
    this.emit('changed', undefined);
  }

  handleDown(point: Point, anchor: Anchor, now: number): void {
    if (this.#tool === 'pointer') return this.#point(point, anchor, now);
    if (this.#tool === 'text') {
      this.#textAt = { anchor, point };
      this.emit('text_wanted', this.#textAt);
      return;
    }
    this.#count += 1;
    const points: Point[] = this.#tool === 'freehand' ? [point] : [point, point];
    this.#mark = { mark: this.#name(), shape: this.#tool, anchor, points, width: LINE_WIDTH, text: '' };
    this.#sentPoints = 0;
    this.emit('changed', undefined);
  }

  /** The frame of an `UNNAMED` anchor has its name now, or will have none (null): what was drawn on it goes out, or away. */
  handleName(anchor: VideoAnchor, rtpTimestamp: number | null): void {
    if (rtpTimestamp !== null) {
      anchor.rtp_timestamp = rtpTimestamp;
      const named = this.#waiting.filter((mark) => mark.anchor === anchor);
      this.#waiting = this.#waiting.filter((mark) => mark.anchor !== anchor);
      for (const mark of named) this.emit('mark', mark);
      return;
    }
    const isLost = this.#mark?.anchor === anchor || this.#textAt?.anchor === anchor || this.#waiting.some((mark) => mark.anchor === anchor);
    this.#waiting = this.#waiting.filter((mark) => mark.anchor !== anchor);
    if (!isLost) return;
    if (this.#mark?.anchor === anchor || this.#textAt?.anchor === anchor) this.handleCancel();
    else this.emit('changed', undefined);
    this.emit('unnamed', undefined);
  }

  /** The pointer moved; `points` are all since the last call, `hovering` tells that it is not pressed. */
  handleMove(points: readonly Point[], anchor: Anchor | null, now: number, hovering: boolean): void {
    const last = points.at(-1);
    if (last === undefined) return;
    if (this.#tool === 'pointer') {
      if (anchor !== null) this.#point(last, anchor, now);
      return;
    }
    const mark = this.#mark;
    if (mark === null || hovering) return;
    if (mark.shape === 'freehand') this.#extend(mark, points);
    else mark.points = [mark.points[0] ?? last, last];
    this.emit('changed', undefined);
    this.#sendStroke(this.#mark ?? mark, now);
  }

  handleUp(): void {
    const mark = this.#mark;
    if (mark === null) return;
    this.#mark = null;
    this.emit('changed', undefined);
    if (mark.shape === 'freehand' || spanOf(mark) >= MIN_SHAPE) this.#finish(mark);
  }

  /** The pointer left the picture, or the system took it: nothing is drawn. */
  handleCancel(): void {
    this.#mark = null;
    this.#textAt = null;
    this.handleLeave();
    this.emit('changed', undefined);
  }

  /** The laser pointer left the picture. */
  handleLeave(): void {
    if (this.#pointing === null) return;
    this.#pointing = null;
    this.emit('ephemeral', { type: 'pointer', anchor: null, point: null });
    this.emit('changed', undefined);
  }

  /** The text typed at the place that `text_wanted` named; empty gives it up. */
  handleText(text: string): void {
    const at = this.#textAt;
    this.#textAt = null;
    // no control characters and no change of writing direction: the server refuses them
    const trimmed = text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu, ' ').trim().slice(0, MAX_TEXT);
    if (at === null || trimmed === '') return;
    this.#count += 1;
    const { anchor, point } = at;
    this.#finish({ mark: this.#name(), shape: 'text', anchor, points: [point], width: LINE_WIDTH, text: trimmed });
  }

  #finish(mark: Mark): void {
    if (isUnnamed(mark.anchor)) this.#waiting.push(mark);
    else this.emit('mark', mark);
  }

  #name(): string {
    return `m-${this.prefix}-${this.#count}`;
  }

  #extend(mark: Mark, points: readonly Point[]): void {
    for (const point of points) {
      const last = mark.points.at(-1);
      if (last !== undefined && Math.hypot(point[0] - last[0], point[1] - last[1]) < MIN_STEP) continue;
      mark.points.push(point);
      if (mark.points.length < MAX_POINTS) continue;
      // a mark holds no more: the line goes on as another one
      this.#count += 1;
      this.#finish(mark);
      mark = this.#mark = { ...mark, mark: this.#name(), points: [point] };
      this.#sentPoints = 0;
    }
  }

  #sendStroke(mark: Mark, now: number): void {
    if (now - this.#lastSent < SEND_EVERY_MS || isUnnamed(mark.anchor)) return;
    this.#lastSent = now;
    const from = mark.shape === 'freehand' ? Math.max(0, this.#sentPoints - OVERLAP) : 0;
    const { shape, anchor, width } = mark;
    if (shape === 'text' || shape === 'pin' || shape === 'probe') return;
    this.emit('ephemeral', { type: 'stroke', mark: mark.mark, shape, anchor, from, points: mark.points.slice(from), width });
    this.#sentPoints = mark.points.length;
  }

  #point(point: Point, anchor: Anchor, now: number): void {
    if (isUnnamed(anchor)) return;
    this.#pointing = { anchor, point };
    this.emit('changed', undefined);
    if (now - this.#lastSent < SEND_EVERY_MS) return;
    this.#lastSent = now;
    this.emit('ephemeral', { type: 'pointer', anchor, point });
  }
}

function spanOf(mark: Mark): number {
  const [from, to] = mark.points;
  return from === undefined || to === undefined ? 0 : Math.hypot(from[0] - to[0], from[1] - to[1]);
}
