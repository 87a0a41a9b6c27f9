/**
 * Marks that are taken hold of: moved, bent at a point, made thicker, worded anew, deleted. Only one's own, but for
 * those who may clear the field: they may delete anybody's.
 *
 * A mark that is moved is placed anew, by somebody who looks at the picture now: it hangs on the frame that is on the
 * glass then. What only looks different stays where it was.
 */
import { Emitter } from '../emitter';
import type { Anchor, Mark, ParticipantId, Point } from '../signalling/protocol';
import type { Timers } from '../timers';
import { distanceTo, figureOf } from './figure';
import { withinPicture } from './geometry';
import { apply, type Matrix } from './matrix';
import { hasHandles } from './shapes';
import { isUnnamed, plainText } from './tools';

/** A mark as it lies on the glass. */
export interface Selectable {
  mark: Mark;
  author: ParticipantId;
  /** Its own movement, of fractions of the picture. */
  moved?: Matrix | undefined;
}

/** How one picture lies on the glass. */
export interface Glass {
  /** From fractions of the picture to pixels. */
  matrix: Matrix;
  /** From so many pixels away a mark is hit. */
  reach: number;
}

interface SelectionEvents {
  /** To be sent as one `edit`: what one movement of the hand did comes back as one. */
  edit: Mark[];
  /** To be sent as `delete`. */
  delete: string[];
  /** A mark's words are to be typed anew; then `setText`. */
  text_wanted: { mark: Mark };
  changed: undefined;
}

interface Hold {
  /** Which point is held; null: the whole marks are. */
  handle: number | null;
  from: Point;
  /** The frame on the glass, asked for when it is moved; null: it may not be. */
  anchor: () => Anchor | null;
  onto: Anchor | null;
  /** As they lay on the glass when they were taken. */
  marks: Mark[];
  moved: boolean;
}

/** Steps of the keyboard are one change when they follow each other as quickly as this. */
const NUDGES_MS = 600;
/** A hand that trembles moves nothing. */
const MIN_MOVE = 0.002;

export class Selection extends Emitter<SelectionEvents> {
  readonly #selected = new Set<string>();
  /** The point that the keyboard has hold of, and of which mark. */
  #handle: { mark: string; index: number } | null = null;
  #several = false;
  /** What is shown in place of what the log holds, as long as it is in the hand or its frame has no name. */
  readonly #drafts = new Map<string, Mark>();
  #unnamed: Mark[] = [];
  #hold: Hold | null = null;
  #nudged = new Map<string, Mark>();
  #cancelNudge: () => void = () => undefined;

  constructor(private readonly timers: Timers) {
    super();
  }

  get selected(): ReadonlySet<string> {
    return this.#selected;
  }

  /** Which point of the one mark that is selected is moved by itself; null: the whole mark is. */
  get handle(): number | null {
    return this.#handle !== null && this.#selected.size === 1 && this.#selected.has(this.#handle.mark) ? this.#handle.index : null;
  }

  /** Whether each touch selects one more: a finger has no Shift. */
  get several(): boolean {
    return this.#several;
  }

  setSeveral(several: boolean): void {
    this.#several = several;
    this.emit('changed', undefined);
  }

  /**
   * Take hold of the next point of the one that is selected, or of the one before it (`by` -1). Says which of how many;
   * null: what is selected has no points that move by themselves.
   */
  chooseHandle(marks: readonly Selectable[], by: 1 | -1): { mark: string; index: number; count: number } | null {
    const held = marks.filter(({ mark }) => this.#selected.has(mark.mark));
    const mark = held[0]?.mark;
    if (mark === undefined || this.#selected.size !== 1 || !hasHandles(mark)) return null;
    const count = mark.points.length;
    const before = this.handle ?? (by > 0 ? -1 : 0);
    this.#handle = { mark: mark.mark, index: (before + by + count) % count };
    this.emit('changed', undefined);
    return { ...this.#handle, count };
  }

  /** The whole mark is moved again. False: it was. */
  releaseHandle(): boolean {
    if (this.handle === null) return false;
    this.#handle = null;
    this.emit('changed', undefined);
    return true;
  }

  /** Whether a mark is in the hand just now. */
  get holding(): boolean {
    return this.#hold !== null;
  }

  /** The mark as it is to be shown here, and whether that is not what the log holds. */
  shown(mark: Mark): Mark {
    return this.#drafts.get(mark.mark) ?? mark;
  }

  isDraft(mark: string): boolean {
    return this.#drafts.has(mark);
  }

  select(...marks: string[]): void {
    this.#endNudge();
    this.#handle = null;
    if (marks.length === 0) this.#several = false;
    this.#selected.clear();
    for (const mark of marks) this.#selected.add(mark);
    this.emit('changed', undefined);
  }

  clear(): void {
    if (this.#selected.size > 0) this.select();
  }

  /** What is no longer there is selected no longer. */
  handleMarks(isVisible: (mark: string) => boolean): void {
    let gone = false;
    for (const mark of this.#selected) if (!isVisible(mark)) gone = this.#selected.delete(mark) || gone;
    for (const mark of this.#drafts.keys()) {
      if (isVisible(mark)) continue;
      this.#drafts.delete(mark);
      this.#nudged.delete(mark);
    }
    if (gone) this.emit('changed', undefined);
  }

  /**
   * The pen went down with the selecting tool; `at` in fractions. True: it has hit something. `mine` are those that may
   * be changed, `others` those that may only be selected (to delete them); the topmost last. `anchor` is asked for the
   * frame on the glass when they are moved, and says null where they may not be. `shift` selects more, as `several` does.
   */
  handleDown(at: Point, glass: Glass, marks: { mine: readonly Selectable[]; others: readonly Selectable[] }, anchor: () => Anchor | null, shift: boolean): boolean {
    this.#endNudge();
    this.#handle = null;
    const adding = shift || this.#several;
    const pixel = apply(glass.matrix, at);
    const held = marks.mine.filter(({ mark }) => this.#selected.has(mark.mark));
    const only = held.length === 1 ? held[0] : undefined;
    if (only !== undefined && this.#selected.size === 1 && hasHandles(only.mark)) {
      const lying = asItLies(only);
      const handle = lying.points.findIndex((point) => distance(apply(glass.matrix, point), pixel) <= glass.reach);
      if (handle >= 0) {
        this.#hold = { handle, from: at, anchor, onto: null, marks: [lying], moved: false };
        return true;
      }
    }
    const hit = nearest([...marks.others, ...marks.mine], pixel, glass);
    if (hit === null) {
      // beside every mark a finger ends what it began
      if (!shift) this.clear();
      return false;
    }
    const name = hit.mark.mark;
    if (adding) {
      if (!this.#selected.delete(name)) this.#selected.add(name);
    } else if (!this.#selected.has(name)) {
      this.#selected.clear();
      this.#selected.add(name);
    }
    const taken = marks.mine.filter(({ mark }) => this.#selected.has(mark.mark));
    const isMine = marks.mine.includes(hit);
    if (isMine && taken.length > 0) this.#hold = { handle: null, from: at, anchor, onto: null, marks: taken.map(asItLies), moved: false };
    this.emit('changed', undefined);
    return true;
  }

  handleMove(at: Point): void {
    const hold = this.#hold;
    if (hold === null) return;
    if (!hold.moved && distance(at, hold.from) < MIN_MOVE) return;
    hold.onto ??= hold.anchor();
    if (hold.onto === null) {
      this.#hold = null;
      return;
    }
    hold.moved = true;
    const step: Point = [at[0] - hold.from[0], at[1] - hold.from[1]];
    for (const mark of hold.marks) this.#drafts.set(mark.mark, changedBy(mark, hold.handle, step, hold.onto));
    this.emit('changed', undefined);
  }

  handleUp(): void {
    const hold = this.#hold;
    this.#hold = null;
    if (hold === null || !hold.moved) return;
    this.#send(hold.marks.flatMap(({ mark }) => this.#drafts.get(mark) ?? []));
  }

  /** What is in the hand goes back to where it was. */
  handleCancel(): void {
    const hold = this.#hold;
    this.#hold = null;
    if (hold?.moved !== true) return;
    for (const { mark } of hold.marks) this.#drafts.delete(mark);
    this.emit('changed', undefined);
  }

  /** Move what is selected, or the point of it that was chosen, by a step; `anchor` is the frame on the glass. Sent when no further step follows. */
  nudge(step: Point, marks: readonly Selectable[], anchor: Anchor): void {
    this.#cancelNudge();
    for (const one of marks) {
      if (!this.#selected.has(one.mark.mark)) continue;
      const lying = this.#nudged.get(one.mark.mark) ?? asItLies(one);
      const draft = changedBy(lying, this.handle, step, anchor);
      this.#nudged.set(draft.mark, draft);
      this.#drafts.set(draft.mark, draft);
    }
    this.#cancelNudge = this.timers.after(NUDGES_MS, () => this.#endNudge());
    this.emit('changed', undefined);
  }

  /** Draw what is selected in another width. */
  setWidth(width: number, marks: readonly Selectable[]): void {
    this.#endNudge();
    const others = marks.filter(({ mark }) => this.#selected.has(mark.mark) && mark.width !== width);
    this.#change(others.map(({ mark }) => ({ ...this.shown(mark), width })));
  }

  /** Ask for the words of the one that is selected. */
  askForText(marks: readonly Selectable[]): void {
    this.#endNudge();
    const one = marks.find(({ mark }) => this.#selected.has(mark.mark));
    if (one !== undefined && (one.mark.shape === 'text' || one.mark.shape === 'pin')) this.emit('text_wanted', { mark: this.shown(one.mark) });
  }

  setText(mark: Mark, text: string): void {
    const plain = plainText(text, mark.shape === 'pin' ? 80 : 200);
    // a text without letters would be invisible; a pin without any is a pin
    if (plain === mark.text || (plain === '' && mark.shape === 'text')) return;
    this.#change([{ ...this.shown(mark), text: plain }]);
  }

  remove(): void {
    this.#cancelNudge();
    this.#nudged.clear();
    const marks = [...this.#selected];
    if (marks.length === 0) return;
    this.#selected.clear();
    this.#several = false;
    this.emit('delete', marks);
    this.emit('changed', undefined);
  }

  /** An anchor that was `UNNAMED` has its name, or never will. */
  handleName(anchor: Anchor, rtpTimestamp: number | null): void {
    const waiting = this.#unnamed.filter((mark) => mark.anchor === anchor);
    this.#unnamed = this.#unnamed.filter((mark) => mark.anchor !== anchor);
    if (rtpTimestamp !== null) this.#send(waiting);
    else for (const { mark } of waiting) this.#drafts.delete(mark);
    if (waiting.length > 0) this.emit('changed', undefined);
  }

  #change(marks: Mark[]): void {
    for (const mark of marks) this.#drafts.set(mark.mark, mark);
    this.#send(marks);
    this.emit('changed', undefined);
  }

  #send(marks: Mark[]): void {
    this.#unnamed.push(...marks.filter(({ anchor }) => isUnnamed(anchor)));
    const named = marks.filter(({ anchor }) => !isUnnamed(anchor));
    if (named.length === 0) return;
    // from here on the log's copy shows them, as pending
    this.emit('edit', named);
    for (const { mark } of named) this.#drafts.delete(mark);
  }

  #endNudge(): void {
    this.#cancelNudge();
    this.#cancelNudge = () => undefined;
    const nudged = [...this.#nudged.values()];
    this.#nudged.clear();
    this.#send(nudged);
  }
}

/** Its points where they are seen. */
function asItLies({ mark, moved }: Selectable): Mark {
  return moved === undefined ? mark : { ...mark, points: mark.points.map((point) => withinPicture(apply(moved, point))) };
}

function changedBy(mark: Mark, handle: number | null, [dx, dy]: Point, anchor: Anchor): Mark {
  const points = mark.points.map(([x, y], index): Point => (handle !== null && handle !== index ? [x, y] : [x + dx, y + dy]));
  const [bx, by] = [backInto(points.map(([x]) => x)), backInto(points.map(([, y]) => y))];
  const kept = handle === null ? points.map(([x, y]): Point => [x + bx, y + by]) : points;
  return { ...mark, anchor, points: kept.map(withinPicture) };
}

/** How far a row of coordinates must go back so that a mark at the edge keeps its form. */
function backInto(values: readonly number[]): number {
  const [least, most] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  return least < 0 ? -least : most > 1 ? 1 - most : 0;
}

function nearest(marks: readonly Selectable[], pixel: Point, glass: Glass): Selectable | null {
  let best: Selectable | null = null;
  let reach = glass.reach;
  for (const one of marks) {
    const away = distanceTo(figureOf(asItLies(one), glass.matrix), pixel);
    // of equals the topmost
    if (away <= reach) [best, reach] = [one, away];
  }
  return best;
}

function distance(one: Point, other: Point): number {
  return Math.hypot(one[0] - other[0], one[1] - other[1]);
}

