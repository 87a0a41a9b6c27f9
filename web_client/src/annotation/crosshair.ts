/**
 * Drawing without a mouse and without dragging: the arrow keys move a crosshair, Enter sets a point, Escape gives up.
 * What was just placed, or is selected, is moved by the arrow keys until something new is begun; a full stop takes hold
 * of one of its points instead, and of the next one.
 */
import { Emitter } from '../emitter';
import type { Anchor, Point } from '../signalling/protocol';
import { withinPicture } from './geometry';
import type { Selectable, Selection } from './selection';
import { mannerOf } from './shapes';
import type { Tools } from './tools';

/** What the keyboard draws on: the picture that has the pen. */
export interface Board {
  anchor: () => Anchor | null;
  newest: () => Anchor | null;
  permit: () => boolean;
  /** Those of one's own marks on it, as they lie. */
  mine: () => readonly Selectable[];
  /** Those of others that may be deleted; they are only selected. */
  others: () => readonly Selectable[];
  /** Width by height. */
  aspect: number;
}

export type Said =
  | { kind: 'crosshair' | 'point_set' | 'given_up' | 'none_selected' | 'not_yours' | 'no_points' }
  | { kind: 'placed' | 'moved' | 'bent'; mark: string }
  | { kind: 'selected' | 'point_chosen'; mark: string; index: number; count: number }
  | { kind: 'selected_of'; mark: string; author: string; index: number; count: number }
  | { kind: 'deleted'; count: number };

interface CrosshairEvents {
  changed: undefined;
  /** What a screen reader is to say. */
  said: Said;
}

const STEPS: Readonly<Record<string, Point>> = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] };
/** Of the picture's height. */
const STEP = 0.01;
const LARGE_STEP = 0.05;
const SMALL_STEP = 0.002;

export interface Modifiers {
  shift: boolean;
  control: boolean;
}

export class Crosshair extends Emitter<CrosshairEvents> {
  #at: Point | null = null;
  #board: Board | null = null;
  /** The mark that the last Enter placed, before it is known whether it stands. */
  #placed: string | null = null;

  constructor(
    private readonly tools: Tools,
    private readonly selection: Selection,
  ) {
    super();
    tools.on('mark', ({ mark }) => (this.#placed = mark));
    tools.on('changed', () => {
      if (tools.tool === 'pointer' || tools.tool === 'select') this.#hide();
    });
  }

  /** Where it is; null: it is not used. */
  get at(): Point | null {
    return this.#at;
  }

  get board(): Board | null {
    return this.#board;
  }

  /** The picture that has the pen. */
  attach(board: Board): () => void {
    this.#board = board;
    return () => {
      if (this.#board !== board) return;
      this.#board = null;
      this.#hide();
    };
  }

  /** The hand is back at the mouse. */
  handlePen(): void {
    this.#hide();
  }

  /** True: the key was for the pen. */
  handleKey(key: string, { shift, control }: Modifiers, now: number): boolean {
    const board = this.#board;
    if (board === null) return false;
    const step = STEPS[key];
    if (step !== undefined) {
      const length = shift ? LARGE_STEP : control ? SMALL_STEP : STEP;
      return this.#move(board, [(step[0] * length) / board.aspect, step[1] * length], now);
    }
    if (control) return false;
    if (key === 'enter') return this.tools.tool === 'select' ? this.#selectNext(board, shift) : this.#set(board, now);
    if (key === '.' || key === ',') return this.#choosePoint(board, key === '.' ? 1 : -1);
    if (key === 'escape') return this.#giveUp();
    if (key === 'delete' || key === 'backspace') return this.#remove();
    return false;
  }

  #move(board: Board, step: Point, now: number): boolean {
    if (this.selection.selected.size > 0 && this.tools.inProgress === null) return this.#nudge(board, step);
    if (mannerOf(this.tools.tool) === 'none' && this.tools.tool !== 'pointer') return false;
    if (this.#at === null) {
      this.#at = [0.5, 0.5];
      this.emit('said', { kind: 'crosshair' });
    } else {
      this.#at = withinPicture([this.#at[0] + step[0], this.#at[1] + step[1]]);
    }
    // a line by keyboard is drawn as long as it has been begun
    this.tools.handleMove([this.#at], board.newest(), now, this.tools.inProgress === null);
    this.emit('changed', undefined);
    return true;
  }

  #nudge(board: Board, step: Point): boolean {
    const mine = board.mine().filter(({ mark }) => this.selection.selected.has(mark.mark));
    const [first] = mine;
    if (first === undefined) {
      const isTheirs = board.others().some(({ mark }) => this.selection.selected.has(mark.mark));
      if (isTheirs) this.emit('said', { kind: 'not_yours' });
      return isTheirs;
    }
    const anchor = board.permit() ? board.anchor() : null;
    if (anchor === null) return true;
    this.selection.nudge(step, mine, anchor);
    this.emit('said', { kind: this.selection.handle === null ? 'moved' : 'bent', mark: first.mark.mark });
    return true;
  }

  /** Of the mark that is selected. */
  #choosePoint(board: Board, by: 1 | -1): boolean {
    if (this.selection.selected.size === 0 || this.tools.inProgress !== null) return false;
    const chosen = this.selection.chooseHandle(board.mine(), by);
    if (chosen === null) this.emit('said', { kind: 'no_points' });
    else this.emit('said', { kind: 'point_chosen', mark: chosen.mark, index: chosen.index + 1, count: chosen.count });
    return true;
  }

  #set(board: Board, now: number): boolean {
    const at = this.#at;
    if (at === null) return false;
    this.selection.clear();
    const begins = this.tools.inProgress === null;
    if (begins && !board.permit()) return true;
    const anchor = this.tools.inProgress?.anchor ?? board.anchor();
    if (anchor === null) return true;
    this.#placed = null;
    const manner = mannerOf(this.tools.tool);
    if (manner === 'stroke' && !begins) {
      this.tools.handleEnd();
    } else {
      this.tools.handleDown(at, anchor, now);
      if (manner !== 'stroke') this.tools.handleUp();
    }
    this.#sayPlaced(begins);
    this.emit('changed', undefined);
    return true;
  }

  #sayPlaced(begins: boolean): void {
    const placed = this.#placed;
    if (placed !== null) {
      this.selection.select(placed);
      this.emit('said', { kind: 'placed', mark: placed });
    } else if (this.tools.inProgress !== null || begins) {
      this.emit('said', { kind: 'point_set' });
    }
  }

  #selectNext(board: Board, backwards: boolean): boolean {
    const [mine, others] = [board.mine(), board.others()];
    // one's own come first, then those of others
    const marks = [...others, ...mine];
    if (marks.length === 0) {
      this.emit('said', { kind: 'none_selected' });
      return true;
    }
    const at = marks.findIndex(({ mark }) => this.selection.selected.has(mark.mark));
    // the newest first: it is the one that one just drew
    const next = at < 0 ? marks.length - 1 : (at + (backwards ? 1 : marks.length - 1)) % marks.length;
    const chosen = marks[next];
    if (chosen === undefined) return false;
    this.selection.select(chosen.mark.mark);
    const { mark } = chosen.mark;
    const place = { index: marks.length - next, count: marks.length };
    if (next < others.length) this.emit('said', { kind: 'selected_of', mark, author: chosen.author, ...place });
    else this.emit('said', { kind: 'selected', mark, ...place });
    return true;
  }

  #remove(): boolean {
    const count = this.selection.selected.size;
    if (count === 0) return false;
    this.selection.remove();
    this.emit('said', { kind: 'deleted', count });
    return true;
  }

  /** One thing at a time: what is being drawn, what is selected, the crosshair. */
  #giveUp(): boolean {
    if (this.tools.inProgress !== null) this.tools.handleCancel();
    else if (this.selection.holding) this.selection.handleCancel();
    else if (this.selection.releaseHandle()) this.emit('changed', undefined);
    else if (this.selection.selected.size > 0) this.selection.clear();
    else if (this.#at !== null) this.#hide();
    else return false;
    this.emit('said', { kind: 'given_up' });
    return true;
  }

  #hide(): void {
    if (this.#at === null) return;
    this.#at = null;
    this.emit('changed', undefined);
  }
}
