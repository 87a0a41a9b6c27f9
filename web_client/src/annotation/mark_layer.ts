/**
 * Marks that are painted already: of five hundred on a 4K field, a change repaints those that it touches, and a frame
 * without a change repaints nothing. The canvases themselves are the memory; what moves by itself lies on others.
 */
import { overlap, type Rectangle } from './figure';
import type { Size } from './geometry';
import { sameMatrix, type Matrix } from './matrix';
import { paintedBounds, plateReach, type Ground, type PaintedMark } from './paint';

export interface LayerMark extends PaintedMark {
  /** From fractions of the picture to pixels of the canvas, with the mark's own movement. */
  matrix: Matrix;
  /** The picture's height on the canvas. */
  unit: number;
  stale: boolean;
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

/** What was painted nearly where it is is painted once more: so many a frame, after so many frames in which nothing moved. */
const NEARLY_A_FRAME = 8;
const QUIET_FRAMES = 12;

/** False: it is painted nearly where it is, and to be painted once more when there is time. */
export type PaintLayerMark = (context: CanvasRenderingContext2D, ground: Ground, painted: LayerMark) => boolean;

export class MarkLayer {
  #held = new Map<string, Held>();
  #order: string[] = [];
  #size: Size = { width: 0, height: 0 };
  #quiet = 0;
  readonly #painted = new Set<Held>();

  constructor(private readonly paintMark: PaintLayerMark) {}

  /** How many marks the last update painted: for tests and measurements. */
  get repainted(): number {
    return this.#painted.size;
  }

  /** Whether something is painted nearly where it is: updates at the next frames see to it. */
  get behind(): boolean {
    return this.#nearly().length > 0;
  }

  /** Bring the canvases to this state. `emptied`: nothing is on them any more. */
  update(sheets: Sheets, size: Size, emptied: boolean, marks: readonly LayerMark[]): void {
    this.#painted.clear();
    const resized = emptied || size.width !== this.#size.width || size.height !== this.#size.height;
    this.#size = size;
    const held = new Map<string, Held>();
    const changed: Rectangle[] = [];
    for (const painted of marks) {
      const before = this.#held.get(painted.mark.mark);
      if (before !== undefined && !resized && looksSame(before.painted, painted)) {
        held.set(painted.mark.mark, before);
        continue;
      }
      const bounds = boundsOf(painted, size);
      held.set(painted.mark.mark, { painted, bounds, nearly: false });
      if (before !== undefined) changed.push(before.bounds);
      changed.push(bounds);
    }
    for (const [name, { bounds }] of this.#held) if (!held.has(name)) changed.push(bounds);
    const order = [...held.keys()];
    const reordered = !isSame(this.#order.filter((name) => held.has(name)), order.filter((name) => this.#held.has(name)));
    this.#held = held;
    this.#order = order;
    this.#quiet = changed.length === 0 ? this.#quiet + 1 : 0;
    if (resized || reordered) this.#repaint(sheets, [whole(size)]);
    else if (changed.length > 0) this.#repaint(sheets, changed);
    else if (this.#quiet >= QUIET_FRAMES) this.#repaint(sheets, this.#nearly().slice(0, NEARLY_A_FRAME).map(({ bounds }) => bounds));
  }

  #nearly(): Held[] {
    return [...this.#held.values()].filter(({ nearly }) => nearly);
  }

  #repaint(sheets: Sheets, changed: readonly Rectangle[]): void {
    const areas = changed.flatMap((area) => within(area, this.#size));
    if (areas.length === 0) return;
    sheets.repaint(areas, (context, area) => {
      for (const held of this.#held.values()) {
        if (!overlap(area, held.bounds)) continue;
        this.#painted.add(held);
        held.nearly = !this.paintMark(context, groundOf(held.painted, this.#size), held.painted);
      }
    });
  }
}

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
