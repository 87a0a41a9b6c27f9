/** Where the picture lies in its element, and how far a point is from a mark. */
import type { Mark, Point } from '../signalling/protocol';
import { distanceTo, figureOf } from './figure';
import { stretch } from './matrix';

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
  return withinPicture([(x - box.left) / box.width, (y - box.top) / box.height]);
}

/** A point as it may travel: within the picture, and no longer than it need be. */
export function withinPicture([x, y]: Point): Point {
  return [round(clamp(x)), round(clamp(y))];
}

export function isInside(x: number, y: number, box: Box): boolean {
  return x >= box.left && y >= box.top && x <= box.left + box.width && y <= box.top + box.height;
}

/** The distance in pixels of `at` (pixels in the box) from the line of a mark. */
export function distanceToMark(mark: Mark, at: Point, box: Size): number {
  return distanceTo(figureOf(mark, stretch(box.width, box.height)), at);
}

/** Five decimals: a twenty-fifth of a pixel at 4K, and half the bytes. */
export function round(value: number): number {
  return Math.round(value * 1e5) / 1e5;
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
