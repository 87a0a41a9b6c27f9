/** Rectangles that a person draws over a camera's picture, to hide words burnt into it (PROTOCOL.md §6, `masks`). */

/** In shares of the picture's width and height, 0-1. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Mask extends Box {
  producer: number;
}

/** Most of all cameras of one film, as the server takes them. */
export const MOST_MASKS = 64;
/** What is smaller was a click. */
export const SMALLEST = 0.01;
/** How far a key moves or stretches. */
export const STEP = 0.01;

const WAYS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP],
};

const clamp = (value: number, least: number, most: number): number => Math.min(Math.max(value, least), most);

/** The box between two places, whichever comes first; what lies outside the picture is cut off. */
export function boxBetween(one: { x: number; y: number }, other: { x: number; y: number }): Box {
  const [left, right] = [one.x, other.x].map((x) => clamp(x, 0, 1)).sort((a, b) => a - b) as [number, number];
  const [top, bottom] = [one.y, other.y].map((y) => clamp(y, 0, 1)).sort((a, b) => a - b) as [number, number];
  return { x: left, y: top, width: right - left, height: bottom - top };
}

export function isLarge({ width, height }: Box): boolean {
  return width >= SMALLEST && height >= SMALLEST;
}

/** The same box elsewhere, whole within the picture. */
export function moved<T extends Box>(box: T, dx: number, dy: number): T {
  return { ...box, x: clamp(box.x + dx, 0, 1 - box.width), y: clamp(box.y + dy, 0, 1 - box.height) };
}

/** The same box wider and higher, its first corner where it was. */
export function stretched<T extends Box>(box: T, dx: number, dy: number): T {
  return { ...box, width: clamp(box.width + dx, SMALLEST, 1 - box.x), height: clamp(box.height + dy, SMALLEST, 1 - box.y) };
}

/** What a key makes of a box; null: it is taken away; undefined: the key means nothing here. */
export function byKey<T extends Box>(box: T, key: string, shift: boolean): T | null | undefined {
  if (key === 'Delete' || key === 'Backspace') return null;
  const way = WAYS[key];
  if (way === undefined) return undefined;
  const [dx, dy] = way;
  return shift ? stretched(box, dx, dy) : moved(box, dx, dy);
}

/** Where a mask is put by key: in the middle, to be moved. */
export function middle(producer: number): Mask {
  return { producer, x: 0.35, y: 0.4, width: 0.3, height: 0.2 };
}
