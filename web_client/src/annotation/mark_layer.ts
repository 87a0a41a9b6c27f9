/**
 * Marks that are painted already: of five hundred on a 4K field, a change repaints those that it touches, and a frame
 * without a change repaints nothing. The canvas itself is the memory; what moves by itself lies on another one.
 */
import type { Rectangle } from './figure';
import type { Size } from './geometry';
import { sameMatrix, type Matrix } from './matrix';
import { paintedBounds, paintMark, plateReach, type Ground, type PaintedMark } from './paint';

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
}

/** With more to be repainted than this share of the canvas, all of it is. */
const WHOLE_FROM = 0.6;

export class MarkLayer {
  #held = new Map<string, Held>();
  #order: string[] = [];
  #size: Size = { width: 0, height: 0 };
  /** How many marks the last update painted: for tests and measurements. */
  repainted = 0;

  /** Bring the canvas to this state. The size is that of the canvas, which is empty after a change of it. */
  update(context: CanvasRenderingContext2D, size: Size, marks: readonly LayerMark[]): void {
    this.repainted = 0;
    const resized = size.width !== this.#size.width || size.height !== this.#size.height;
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
      held.set(painted.mark.mark, { painted, bounds });
      if (before !== undefined) changed.push(before.bounds);
      changed.push(bounds);
    }
    for (const [name, { bounds }] of this.#held) if (!held.has(name)) changed.push(bounds);
    const order = [...held.keys()];
    const reordered = !isPrefix(this.#order.filter((name) => held.has(name)), order);
    this.#held = held;
    this.#order = order;
    if (resized || reordered) return this.#repaint(context, [whole(size)]);
    if (changed.length > 0) this.#repaint(context, changed);
  }

  #repaint(context: CanvasRenderingContext2D, changed: readonly Rectangle[]): void {
    let areas = joined(changed.flatMap((area) => within(area, this.#size)));
    if (areas.length === 0) return;
    const sum = areas.reduce((total, { left, top, right, bottom }) => total + (right - left) * (bottom - top), 0);
    if (sum > WHOLE_FROM * this.#size.width * this.#size.height) areas = [whole(this.#size)];
    context.save();
    context.beginPath();
    for (const { left, top, right, bottom } of areas) {
      context.clearRect(left, top, right - left, bottom - top);
      context.rect(left, top, right - left, bottom - top);
    }
    context.clip();
    for (const { painted, bounds } of this.#held.values()) {
      if (!areas.some((area) => overlap(area, bounds))) continue;
      this.repainted += 1;
      paintMark(context, groundOf(painted, this.#size), painted, painted.stale);
    }
    context.restore();
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

function looksSame(one: LayerMark, other: LayerMark): boolean {
  return (
    one.mark === other.mark &&
    one.stale === other.stale &&
    one.named === other.named &&
    one.colour === other.colour &&
    one.name === other.name &&
    one.measured === other.measured &&
    one.unit === other.unit &&
    sameMatrix(one.matrix, other.matrix)
  );
}

/** Whether those that were painted before still lie in the same order, and what is new above them. */
function isPrefix(before: readonly string[], now: readonly string[]): boolean {
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

function overlap(one: Rectangle, other: Rectangle): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}

/** Overlapping areas become one. */
export function joined(areas: readonly Rectangle[]): Rectangle[] {
  const done: Rectangle[] = [];
  for (const area of areas) {
    let grown = area;
    for (let i = 0; i < done.length; ) {
      const other = done[i];
      if (other === undefined || !overlap(grown, other)) {
        i += 1;
        continue;
      }
      grown = {
        left: Math.min(grown.left, other.left),
        top: Math.min(grown.top, other.top),
        right: Math.max(grown.right, other.right),
        bottom: Math.max(grown.bottom, other.bottom),
      };
      done.splice(i, 1);
      // grown: it may reach others now that it did not before
      i = 0;
    }
    done.push(grown);
  }
  return done;
}
