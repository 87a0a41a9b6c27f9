/**
 * The drawing tools: pointer input goes in, marks and ephemeral messages come out.
 *
 * Points are fractions of the frame; the anchor is what was on the glass when the pen first went down: a live frame, a
 * still, an image, a page of the board. No page in here: the overlay hands in what it saw, and shows `inProgress`.
 * A shape of two points is one drag, or two touches without dragging: the same machine serves mouse, finger and keyboard.
 */
import { Emitter } from '../emitter';
import { isVideo } from '../signalling/marks';
import type { Anchor, EphemeralMessage, Mark, Point, Shape } from '../signalling/protocol';
import { mannerOf, POINTS, pointsNeeded, TOOLS, type Tool } from './shapes';
import { LINE_WIDTH } from './styles';

export { LINE_WIDTH, TOOLS, type Tool };

/**
 * Stands for the RTP timestamp of a frame that has no name yet: one's own picture is drawn on before its frame is
 * encoded. What is drawn is shown at once and told to nobody before `handleName`.
 */
export const UNNAMED = -1;

export function isUnnamed(anchor: Anchor): boolean {
  return isVideo(anchor) && anchor.rtp_timestamp === UNNAMED;
}

/** A message a sender at 30 a second keeps well below the server's 200, and lines stay smooth. */
const SEND_EVERY_MS = 33;
/** While a text is being typed its frame is named so often: the tracker keeps it. */
const TYPING_EVERY_MS = 1000;
/** Where a pen hovers is worth less: sixteen of them are told to sixteen. */
const GHOST_EVERY_MS = 80;
const MAX_TEXT = 200;
/** Points that are sent again with the next part of a stroke, so that a lost message leaves no gap. */
const OVERLAP = 8;
/** Points nearer than this to the last are not kept: a quarter of a pixel at 4K. */
const MIN_STEP = 0.00007;
/** A shape smaller than this is a slip of the hand. */
const MIN_SHAPE = 0.006;
/** A polygon is closed by a touch as near as this to its first corner: what a glove hits. */
const CLOSES = 0.02;

/** What distributes over the union, so that each message keeps its own fields. */
type Unstamped<Message> = Message extends EphemeralMessage ? Omit<Message, 'sent' | 'n'> : never;
export type OutgoingEphemeral = Unstamped<EphemeralMessage>;

interface ToolEvents {
  /** A mark is finished: to be shown at once and sent as `add`. */
  mark: Mark;
  ephemeral: OutgoingEphemeral;
  /** A text is to be typed at this place; then `handleText`. */
  text_wanted: { anchor: Anchor; point: Point };
  /** A length is drawn that shall be known: ask how long it is. */
  calibrate_wanted: { anchor: Anchor; points: [Point, Point] };
  /** The frame that something was drawn on never got a name: it is gone. */
  unnamed: undefined;
  /** An anchor that was `UNNAMED` has its name, or never will (null). */
  named: { anchor: Anchor; rtpTimestamp: number | null };
  changed: undefined;
}

export class Tools extends Emitter<ToolEvents> {
  #tool: Tool = 'freehand';
  #width = LINE_WIDTH;
  #follow = false;
  #mark: Mark | null = null;
  /** Points of the mark under the pen that will not move any more; the one after them follows the pen. */
  #fixed = 0;
  #pressed = false;
  /** Finished, but their frame has no name yet. */
  #waiting: Mark[] = [];
  #sentPoints = 0;
  #lastSent = -Infinity;
  #lastTyped = -Infinity;
  #pointing: { anchor: Anchor; point: Point } | null = null;
  #ghostShown = false;
  /** The others see what is being drawn. */
  #strokeShown = false;
  #textAt: { anchor: Anchor; point: Point; mark: string } | null = null;
  #count = 0;

  /** `prefix` makes the identifiers of this page's marks unique in the room. */
  constructor(private prefix: string) {
    super();
  }

  get tool(): Tool {
    return this.#tool;
  }

  /** Of the lines to come, a fraction of the picture's height. */
  get width(): number {
    return this.#width;
  }

  /** Whether marks to come ask to follow the tissue, where the picture is live. */
  get follow(): boolean {
    return this.#follow;
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

  setWidth(width: number): void {
    this.#width = width;
    this.emit('changed', undefined);
  }

  setFollow(follow: boolean): void {
    this.#follow = follow;
    this.emit('changed', undefined);
  }

  /** `pressure` 0-1 where a pen tells it; null: it does not. */
  handleDown(point: Point, anchor: Anchor, now: number, pressure: number | null = null): void {
    const tool = this.#tool;
    if (tool === 'pointer') return this.#point(point, anchor, now);
    if (tool === 'select') return;
    this.#pressed = true;
    if (tool === 'text') {
      this.#count += 1;
      this.#textAt = { anchor, point, mark: this.#name() };
      this.handleTyping(now);
      this.emit('text_wanted', { anchor, point });
      return;
    }
    if (this.#mark !== null && mannerOf(tool) === 'points') return this.#moveLoose(point, now);
    this.#begin(tool === 'calibrate' ? 'length' : tool, point, anchor, pressure);
    this.emit('changed', undefined);
  }

  /** The frame of an `UNNAMED` anchor has its name now, or will have none (null): what was drawn on it goes out, or away. */
  handleName(anchor: Anchor, rtpTimestamp: number | null): void {
    if (rtpTimestamp !== null) {
      if (isVideo(anchor)) anchor.rtp_timestamp = rtpTimestamp;
      const named = this.#waiting.filter((mark) => mark.anchor === anchor);
      this.#waiting = this.#waiting.filter((mark) => mark.anchor !== anchor);
      for (const mark of named) this.emit('mark', mark);
    }
    this.emit('named', { anchor, rtpTimestamp });
    if (rtpTimestamp !== null) return;
    const isLost = this.#mark?.anchor === anchor || this.#textAt?.anchor === anchor || this.#waiting.some((mark) => mark.anchor === anchor);
    this.#waiting = this.#waiting.filter((mark) => mark.anchor !== anchor);
    if (!isLost) return;
    if (this.#mark?.anchor === anchor || this.#textAt?.anchor === anchor) this.handleCancel();
    else this.emit('changed', undefined);
    this.emit('unnamed', undefined);
  }

  /**
   * The pointer moved; `points` are all since the last call, `hovering` tells that it is not pressed. `anchor` is the
   * newest frame that has a name. `pressures` belong to the points, where a pen tells them.
   */
  handleMove(points: readonly Point[], anchor: Anchor | null, now: number, hovering: boolean, pressures: readonly number[] = []): void {
    const last = points.at(-1);
    if (last === undefined) return;
    if (this.#tool === 'pointer') {
      if (anchor !== null) this.#point(last, anchor, now);
      return;
    }
    const mark = this.#mark;
    if (mark === null) {
      if (hovering && anchor !== null) this.#hover(last, anchor, now);
      return;
    }
    if (mannerOf(this.#tool) === 'points') return this.#moveLoose(last, now);
    if (hovering) return;
    if (mark.shape === 'freehand') this.#extend(mark, points, pressures);
    else mark.points = [last];
    this.emit('changed', undefined);
    this.#sendStroke(this.#mark ?? mark, now);
  }

  handleUp(): void {
    const mark = this.#mark;
    const pressed = this.#pressed;
    this.#pressed = false;
    if (mark === null || !pressed) return;
    if (mannerOf(this.#tool) === 'points') return this.#fix(mark);
    this.#mark = null;
    this.emit('changed', undefined);
    this.#finish(mark);
  }

  /** End a shape of any number of points where it is. */
  handleEnd(): void {
    const mark = this.#mark;
    if (mark === null) return;
    if (mark.shape === 'freehand') {
      this.#pressed = true;
      return this.handleUp();
    }
    if (mark.shape !== 'polygon' || this.#fixed < POINTS.polygon[0]) return;
    mark.points = mark.points.slice(0, this.#fixed);
    this.#complete(mark);
  }

  /** The pointer left the picture, or the system took it: nothing is drawn. */
  handleCancel(): void {
    const isSeen = this.#mark !== null && this.#strokeShown;
    this.#mark = null;
    this.#textAt = null;
    this.#pressed = false;
    // the others are not left with what was given up
    if (isSeen) this.#ghostShown = true;
    this.handleLeave();
    this.emit('changed', undefined);
  }

  /** The pointer left the picture. */
  handleLeave(): void {
    if (this.#pointing === null && !this.#ghostShown) return;
    this.#pointing = null;
    this.#ghostShown = false;
    this.emit('ephemeral', { type: 'pointer', anchor: null, point: null });
    this.emit('changed', undefined);
  }

  /** The text typed at the place that `text_wanted` named; empty gives it up. */
  handleText(text: string): void {
    const at = this.#textAt;
    this.#textAt = null;
    this.#pressed = false;
    const plain = plainText(text);
    if (at === null || plain === '') return;
    const { anchor, point, mark } = at;
    this.#finish(this.#made(mark, 'text', [point], anchor, plain));
  }

  /** A text is being typed: the others learn where, and on which frame. */
  handleTyping(now: number): void {
    if (this.#textAt === null || isUnnamed(this.#textAt.anchor) || now - this.#lastTyped < TYPING_EVERY_MS) return;
    this.#lastTyped = now;
    const { mark, anchor, point } = this.#textAt;
    this.emit('ephemeral', { type: 'stroke', mark, shape: 'text', anchor, from: 0, points: [point], width: this.#width });
  }

  #begin(shape: Shape, point: Point, anchor: Anchor, pressure: number | null): void {
    this.#count += 1;
    const points: Point[] = mannerOf(this.#tool) === 'points' ? [point, point] : [point];
    this.#mark = this.#made(this.#name(), shape, points, anchor, '');
    if (pressure !== null && shape === 'freehand') this.#mark.pressures = [pressureOf(pressure)];
    this.#fixed = 1;
    this.#sentPoints = 0;
    this.#strokeShown = false;
  }

  #made(name: string, shape: Shape, points: Point[], anchor: Anchor, text: string): Mark {
    const mark: Mark = { mark: name, shape, anchor, points, width: this.#width, text };
    if (this.#follow && isVideo(anchor) && anchor.still !== true) mark.follow = true;
    return mark;
  }

  /** The point that is not set yet follows the pen. */
  #moveLoose(point: Point, now: number): void {
    const mark = this.#mark;
    if (mark === null) return;
    mark.points = [...mark.points.slice(0, this.#fixed), point];
    this.emit('changed', undefined);
    this.#sendStroke(mark, now);
  }

  /** The point under the pen is set; the last one that is needed ends the mark. */
  #fix(mark: Mark): void {
    const [first, before, loose] = [mark.points[0], mark.points[this.#fixed - 1], mark.points[this.#fixed]];
    if (first === undefined || before === undefined || loose === undefined) return;
    const needed = pointsNeeded(this.#tool);
    const closable = needed === Infinity && this.#fixed >= POINTS.polygon[0];
    // on the first corner again, or twice on the last
    if (closable && (distance(loose, first) < CLOSES || distance(loose, before) < MIN_SHAPE)) return this.handleEnd();
    if (distance(loose, before) < MIN_SHAPE) return;
    this.#fixed += 1;
    if (this.#fixed >= needed || this.#fixed >= POINTS[mark.shape][1]) return this.#complete(mark);
    mark.points = [...mark.points, loose];
    this.emit('changed', undefined);
  }

  #complete(mark: Mark): void {
    this.#mark = null;
    this.emit('changed', undefined);
    const [from, to] = mark.points;
    if (this.#tool !== 'calibrate') this.#finish(mark);
    else if (from !== undefined && to !== undefined) this.emit('calibrate_wanted', { anchor: mark.anchor, points: [from, to] });
  }

  #finish(mark: Mark): void {
    if (isUnnamed(mark.anchor)) this.#waiting.push(mark);
    else this.emit('mark', mark);
  }

  #name(): string {
    return `m-${this.prefix}-${this.#count}`;
  }

  #extend(mark: Mark, points: readonly Point[], pressures: readonly number[]): void {
    points.forEach((point, index) => {
      const last = mark.points.at(-1);
      if (last !== undefined && distance(point, last) < MIN_STEP) return;
      mark.points.push(point);
      const pressure = pressureOf(pressures[index] ?? 0.5);
      mark.pressures?.push(pressure);
      if (mark.points.length < POINTS.freehand[1]) return;
      // a mark holds no more: the line goes on as another one
      this.#count += 1;
      this.#finish(mark);
      mark = this.#mark = { ...mark, mark: this.#name(), points: [point], ...(mark.pressures === undefined ? {} : { pressures: [pressure] }) };
      this.#sentPoints = 0;
    });
  }

  #sendStroke(mark: Mark, now: number): void {
    if (now - this.#lastSent < SEND_EVERY_MS || isUnnamed(mark.anchor)) return;
    const { shape, anchor, width } = mark;
    // what is placed at once is never in progress
    if (shape === 'text' || shape === 'pin' || shape === 'probe' || this.#tool === 'calibrate') return;
    this.#lastSent = now;
    this.#ghostShown = false;
    this.#strokeShown = true;
    const from = Math.max(0, Math.min(this.#sentPoints, mark.points.length) - OVERLAP);
    this.emit('ephemeral', { type: 'stroke', mark: mark.mark, shape, anchor, from, points: mark.points.slice(from), width });
    this.#sentPoints = shape === 'freehand' ? mark.points.length : this.#fixed;
  }

  #point(point: Point, anchor: Anchor, now: number): void {
    if (isUnnamed(anchor)) return;
    this.#pointing = { anchor, point };
    this.emit('changed', undefined);
    if (now - this.#lastSent < SEND_EVERY_MS) return;
    this.#lastSent = now;
    this.emit('ephemeral', { type: 'pointer', anchor, point });
  }

  /** The pen is over the picture: the others see where, faintly. */
  #hover(point: Point, anchor: Anchor, now: number): void {
    if (isUnnamed(anchor) || now - this.#lastSent < GHOST_EVERY_MS) return;
    this.#lastSent = now;
    this.#ghostShown = true;
    this.emit('ephemeral', { type: 'pointer', anchor, point, ghost: true });
  }
}

/** Without control characters and changes of writing direction, which the server refuses. */
export function plainText(text: string, most: number = MAX_TEXT): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, ' ').trim().slice(0, most);
}

function pressureOf(pressure: number): number {
  return Math.round(Math.min(1, Math.max(0, pressure)) * 100) / 100;
}

function distance(one: Point, other: Point): number {
  return Math.hypot(one[0] - other[0], one[1] - other[1]);
}
