/** Affine maps of the plane, in the order of a canvas: x' = a·x + c·y + e, y' = b·x + d·y + f. */
import type { Point } from '../signalling/protocol';

export type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

export const IDENTITY: Matrix = [1, 0, 0, 1, 0, 0];

/** The map from fractions of a picture to pixels, where the picture fills this size. */
export function stretch(width: number, height: number): Matrix {
  return [width, 0, 0, height, 0, 0];
}

export function apply([a, b, c, d, e, f]: Matrix, [x, y]: Point): Point {
  return [a * x + c * y + e, b * x + d * y + f];
}

/** First `inner`, then `outer`. */
export function compose(outer: Matrix, inner: Matrix): Matrix {
  const [a, b, c, d, e, f] = outer;
  const [A, B, C, D, E, F] = inner;
  return [a * A + c * B, b * A + d * B, a * C + c * D, b * C + d * D, a * E + c * F + e, b * E + d * F + f];
}

/** Null where the map is flat, and nothing leads back. */
export function invert([a, b, c, d, e, f]: Matrix): Matrix | null {
  const area = a * d - b * c;
  if (!Number.isFinite(area) || Math.abs(area) < 1e-12) return null;
  return [d / area, -b / area, -c / area, a / area, (c * f - d * e) / area, (b * e - a * f) / area];
}

/** How many pixels the picture is high: what line widths are fractions of. */
export function heightOf([, , c, d]: Matrix): number {
  return Math.hypot(c, d);
}

/** Width by height of the picture as it is shown. */
export function aspectOf(matrix: Matrix): number {
  return Math.hypot(matrix[0], matrix[1]) / Math.max(1e-9, heightOf(matrix));
}

export function scaled(matrix: Matrix, factor: number): Matrix {
  return compose([factor, 0, 0, factor, 0, 0], matrix);
}

export function sameMatrix(one: Matrix | undefined, other: Matrix | undefined): boolean {
  if (one === other) return true;
  return one !== undefined && other !== undefined && one.every((value, index) => value === other[index]);
}

/**
 * A movement in units of the picture's height, which is how it travels (a turn is a turn there, whatever the picture's
 * format), as a map of fractions.
 */
export function movementInFractions(movement: Matrix, aspect: number): Matrix {
  return compose([1 / aspect, 0, 0, 1, 0, 0], compose(movement, [aspect, 0, 0, 1, 0, 0]));
}
