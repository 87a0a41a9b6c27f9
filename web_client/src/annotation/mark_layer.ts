/**
 * Marks that are painted already: of five hundred on a 4K field, a change repaints those that it touches, and a frame
 * without a change repaints nothing. The canvases themselves are the memory; what moves by itself lies on others.
 */
import { around, gathered, overlap, sizeOf, type Rectangle } from './figure';
import type { Size } from './geometry';
import { sameMatrix, type Matrix } from './matrix';
import { paintedBounds, plateReach, type Ground, type PaintedMark } from './paint';

export interface LayerMark extends PaintedMark {
  /** From fractions of the picture to pixels of the canvas, with the mark's own movement. */
  matrix: Matrix;
  /** The picture's height on the canvas. */
  unit: number;
  stale: boolean;
  /** It goes with its tissue, ten times a second. */
  follows?: boolean;
}

interface Held {
  painted: LayerMark;
  bounds: Rectangle;
  /** Painted nearly where it is: once more, when there is time. */
  nearly: boolean;
}

/** Paints what overlaps this area; outside of it nothing is changed. */
export type Repaint = (context: CanvasRenderingContext2D, area: Rectangle) => void;

/** The canvases that are painted on. */
export interface Sheets {
  /** Clear these areas and have them painted anew. */
  repaint(areas: readonly Rectangle[], paint: Repaint): void;
}

/** With more to be repainted than this share of what lies about it, all of that is. */
const WHOLE_FROM = 0.6;
/**
 * So many marks go with their tissue in one frame; where more were told to, the others go in the next ones, from left to
 * right. So no frame is late for them, and the last goes as many frames later as there are lots.
 */
export const MOVED_A_FRAME = 100;
/** So many that were painted nearly where they are are painted once more, in a frame in which nothing else is done. */
const NEARLY_A_FRAME = 8;

/** False: it is painted nearly where it is, and to be painted once more when there is time. */
export type PaintLayerMark = (context: CanvasRenderingContext2D, ground: Ground, painted: LayerMark) => boolean;

export class MarkLayer {
  #held = new Map<string, Held>();
  #order: string[] = [];
  #size: Size = { width: 0, height: 0 };
  #ground: Matrix | null = null;
  /** Up to where from the left those that moved have been painted. */
  #moved = -Infinity;
  /** How many marks the last update painted: for tests and measurements. */
  repainted = 0;
  /** How many have moved that are not painted where they are yet: the next update, at the next frame, goes on. */
  behind = 0;

  constructor(private readonly paintMark: PaintLayerMark) {}

  /** Bring the canvases to this state. `emptied`: nothing is on them any more. `ground` is the picture's own map. */
  update(sheets: Sheets, size: Size, emptied: boolean, marks: readonly LayerMark[], ground: Matrix): void {
    this.repainted = 0;
    const resized = emptied || size.width !== this.#size.width || size.height !== this.#size.height;
    const shifted = resized || this.#ground === null || !sameMatrix(this.#ground, ground);
    [this.#size, this.#ground] = [size, ground];
    const later = shifted ? NONE : this.#later(marks);
    const held = new Map<string, Held>();
    const changed: Rectangle[] = [];
    for (const painted of marks) {
      const name = painted.mark.mark;
      const before = this.#held.get(name);
      if (before !== undefined && !resized && (later.has(name) || looksSame(before.painted, painted))) {
        held.set(name, before);
        continue;
      }
      const bounds = boundsOf(painted, size);
      held.set(name, { painted, bounds, nearly: false });
      if (before !== undefined) changed.push(before.bounds);
      changed.push(bounds);
    }
    for (const [name, { bounds }] of this.#held) if (!held.has(name)) changed.push(bounds);
    const order = [...held.keys()];
    const reordered = !isSame(this.#order.filter((name) => held.has(name)), order.filter((name) => this.#held.has(name)));
    this.#held = held;
    this.#order = order;
    if (resized || reordered) this.#repaint(sheets, [whole(size)]);
    else if (changed.length > 0) this.#repaint(sheets, changed);
    else this.#repaint(sheets, this.#nearly().slice(0, NEARLY_A_FRAME).map(({ bounds }) => bounds));
    this.behind = later.size + this.#nearly().length;
  }

  #nearly(): Held[] {
    return [...this.#held.values()].filter(({ nearly }) => nearly);
  }

  /** Those that moved with their tissue, and whose turn it is not in this frame. What else is new of a mark never waits. */
  #later(marks: readonly LayerMark[]): ReadonlySet<string> {
    const moved = marks.flatMap((painted) => {
      const before = this.#held.get(painted.mark.mark);
      const waits = before !== undefined && painted.follows === true && looksAlike(before.painted, painted) && !looksSame(before.painted, painted);
      return waits ? [{ name: painted.mark.mark, left: before.bounds.left }] : [];
    });
    if (moved.length <= MOVED_A_FRAME) return NONE;
    moved.sort((one, other) => one.left - other.left);
    const next = Math.max(0, moved.findIndex(({ left }) => left > this.#moved));
    const turn = [...moved.slice(next), ...moved.slice(0, next)];
    this.#moved = turn[MOVED_A_FRAME - 1]?.left ?? -Infinity;
    return new Set(turn.slice(MOVED_A_FRAME).map(({ name }) => name));
  }

  #repaint(sheets: Sheets, changed: readonly Rectangle[]): void {
    let areas = gathered(changed.flatMap((area) => within(area, this.#size)));
    const [first] = areas;
    if (first === undefined) return;
    const sum = areas.reduce((total, area) => total + sizeOf(area), 0);
    const all = areas.reduce(around, first);
    if (sum > WHOLE_FROM * sizeOf(all)) areas = [all];
    const touched = [...this.#held.values()].filter(({ bounds }) => areas.some((area) => overlap(area, bounds)));
    this.repainted = touched.length;
    sheets.repaint(areas, (context, area) => {
      for (const held of touched) {
        if (overlap(area, held.bounds)) held.nearly = !this.paintMark(context, groundOf(held.painted, this.#size), held.painted);
      }
    });
  }
}

const NONE: ReadonlySet<string> = new Set();

function groundOf({ matrix, unit }: LayerMark, size: Size): Ground {
  return { matrix, unit, size };
}

function boundsOf(painted: LayerMark, size: Size): Rectangle {
  const bounds = paintedBounds(painted.mark, groundOf(painted, size));
  const words = [painted.named ? painted.name : '', painted.measured ?? ''].sort((a, b) => b.length - a.length)[0] ?? '';
  if (words === '') return bounds;
  // plates are kept within the picture: they may lie to either side
  const { width, height } = plateReach(size, words);
  return { left: bounds.left - width, top: bounds.top - height, right: bounds.right + width, bottom: bounds.bottom + height };
}

export function looksSame(one: LayerMark, other: LayerMark): boolean {
  return looksAlike(one, other) && sameMatrix(one.matrix, other.matrix);
}

/** Whether two differ by nothing but where they lie. */
export function looksAlike(one: LayerMark, other: LayerMark): boolean {
  return (
    one.mark === other.mark &&
    one.stale === other.stale &&
    one.named === other.named &&
    one.colour === other.colour &&
    one.name === other.name &&
    one.measured === other.measured &&
    one.unit === other.unit
  );
}

/** Whether those that were painted before lie in the same order: what comes between them is a change of its own place. */
function isSame(before: readonly string[], now: readonly string[]): boolean {
  return before.every((name, index) => now[index] === name);
}

function whole({ width, height }: Size): Rectangle {
  return { left: 0, top: 0, right: width, bottom: height };
}

/** On whole pixels, so that no edge is painted twice. */
function within({ left, top, right, bottom }: Rectangle, { width, height }: Size): Rectangle[] {
  const area = {
    left: Math.max(0, Math.floor(left)),
    top: Math.max(0, Math.floor(top)),
    right: Math.min(width, Math.ceil(right)),
    bottom: Math.min(height, Math.ceil(bottom)),
  };
  return area.right > area.left && area.bottom > area.top ? [area] : [];
}
