/** Where the picture lies in its element, and how far a point is from a mark. */
import type { Mark, Point } from '../signalling/protocol';

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Size {
  width: number;
  height: number;
}

/** The part of an element that a picture with `object-fit: contain` fills; null before its size is known. */
export function contentBox(element: Size, picture: Size): Box | null {
  if (!(element.width > 0 && element.height > 0 && picture.width > 0 && picture.height > 0)) return null;
  const scale = Math.min(element.width / picture.width, element.height / picture.height);
  const width = picture.width * scale;
  const height = picture.height * scale;
  return { left: (element.width - width) / 2, top: (element.height - height) / 2, width, height };
}

/** An element's pixel as fractions of the picture, drawn to its edge where it lies outside. */
export function toFraction(x: number, y: number, box: Box): Point {
  return [round(clamp((x - box.left) / box.width)), round(clamp((y - box.top) / box.height))];
}

export function isInside(x: number, y: number, box: Box): boolean {
  return x >= box.left && y >= box.top && x <= box.left + box.width && y <= box.top + box.height;
}

/** Letters of a text mark are this many line widths high. */
export const TEXT_HEIGHT_IN_WIDTHS = 6;

/** The distance in pixels of `at` (pixels in the box) from the line of a mark. */
export function distanceToMark(mark: Mark, at: Point, box: Size): number {
  const points = mark.points.map(([x, y]): Point => [x * box.width, y * box.height]);
  const first = points[0];
  if (first === undefined) return Infinity;
  if (mark.shape === 'text') {
    const height = mark.width * TEXT_HEIGHT_IN_WIDTHS * box.height;
    const dx = Math.max(first[0] - at[0], 0, at[0] - first[0] - mark.text.length * height * 0.6);
    return Math.hypot(dx, Math.max(first[1] - at[1], 0, at[1] - first[1] - height));
  }
  if (mark.shape === 'ellipse') return distanceToEllipse(first, points[1] ?? first, at);
  let nearest = Math.hypot(at[0] - first[0], at[1] - first[1]);
  for (let i = 1; i < points.length; i += 1) {
    nearest = Math.min(nearest, distanceToSegment(at, points[i - 1] ?? first, points[i] ?? first));
  }
  return nearest;
}

function distanceToEllipse(a: Point, b: Point, at: Point): number {
  const rx = Math.max(Math.abs(a[0] - b[0]) / 2, 1);
  const ry = Math.max(Math.abs(a[1] - b[1]) / 2, 1);
  const x = (at[0] - (a[0] + b[0]) / 2) / rx;
  const y = (at[1] - (a[1] + b[1]) / 2) / ry;
  return Math.abs(Math.hypot(x, y) - 1) * Math.min(rx, ry);
}

function distanceToSegment(at: Point, from: Point, to: Point): number {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : clamp(((at[0] - from[0]) * dx + (at[1] - from[1]) * dy) / length);
  return Math.hypot(at[0] - from[0] - along * dx, at[1] - from[1] - along * dy);
}

/** Five decimals: a twenty-fifth of a pixel at 4K, and half the bytes. */
function round(value: number): number {
  return Math.round(value * 1e5) / 1e5;
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
