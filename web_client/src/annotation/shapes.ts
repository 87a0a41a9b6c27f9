/** The tools, and how each shape is made: how many points, and whether they are dragged or set one by one. */
import type { Mark, Shape } from '../signalling/protocol';

export type Tool = Shape | 'select' | 'pointer' | 'calibrate';

/** In the order of their keys on the keyboard: 1-9, 0. */
export const TOOLS: readonly Tool[] = ['freehand', 'arrow', 'ellipse', 'text', 'pointer', 'line', 'rectangle', 'polygon', 'pin', 'length'];
/** Keys of tools that have no digit. */
export const LETTER_TOOLS: Readonly<Record<string, Tool>> = { s: 'select', k: 'calibrate' };

/** Which tool a key chooses; null: none. Space is no digit, though it counts as nought: it presses what has the focus. */
export function toolOfKey(key: string): Tool | null {
  if (/^[0-9]$/.test(key)) return TOOLS[(Number(key) + 9) % 10] ?? null;
  return LETTER_TOOLS[key] ?? null;
}

/** Least and most points of each shape (annotation/operations.py). */
export const POINTS: Readonly<Record<Shape, readonly [number, number]>> = {
  freehand: [1, 2000],
  line: [2, 2],
  arrow: [2, 2],
  ellipse: [2, 2],
  rectangle: [2, 2],
  polygon: [3, 200],
  text: [1, 1],
  pin: [1, 1],
  length: [2, 2],
  angle: [3, 3],
  cobb: [4, 4],
  bidirectional: [4, 4],
  roi_ellipse: [2, 2],
  roi_rectangle: [2, 2],
  probe: [1, 1],
};

/** How a tool's points are given. */
export type Manner =
  /** As long as it is pressed. */
  | 'stroke'
  /** Set one after another; the first two may be one drag. */
  | 'points'
  /** One touch. */
  | 'place'
  /** Draws nothing. */
  | 'none';

export function mannerOf(tool: Tool): Manner {
  if (tool === 'freehand') return 'stroke';
  if (tool === 'select' || tool === 'pointer') return 'none';
  return tool !== 'calibrate' && POINTS[tool][1] === 1 ? 'place' : 'points';
}

/** How many points end it by themselves; Infinity: it is ended by hand. */
export function pointsNeeded(tool: Tool): number {
  if (tool === 'calibrate') return 2;
  if (tool === 'select' || tool === 'pointer') return 0;
  return tool === 'polygon' || tool === 'freehand' ? Infinity : POINTS[tool][1];
}

const MEASURES: ReadonlySet<Shape> = new Set<Shape>(['length', 'angle', 'cobb', 'bidirectional', 'roi_ellipse', 'roi_rectangle', 'probe']);

/** Whether a number belongs to it, that each side computes for itself. */
export function isMeasure(shape: Shape): boolean {
  return MEASURES.has(shape);
}

/** Whether each of its points can be moved by itself. */
export function hasHandles(mark: Mark): boolean {
  return mark.shape !== 'freehand' && POINTS[mark.shape][1] > 1 && mark.points.length <= 32;
}
