/**
 * What a measuring mark measures: from its points (fractions of the pixel matrix), the spacing, and the stored values.
 *
 * Nothing of this is on the wire: each page computes it, and the server's structured report too
 * (`annotation/dicom/`, the same vectors: tests/vectors/measurements.json).
 */
import type { Point } from '../signalling/protocol';
import { spacingAt, type Basis, type Spacing, type UltrasoundRegion } from './spacing';

export type MeasuringShape = 'length' | 'angle' | 'cobb' | 'bidirectional' | 'roi_ellipse' | 'roi_rectangle' | 'probe';
export const MEASURING_SHAPES: readonly MeasuringShape[] = [
  'length', 'angle', 'cobb', 'bidirectional', 'roi_ellipse', 'roi_rectangle', 'probe',
];

/** The points of each, and how many. */
export const POINTS_OF: Readonly<Record<MeasuringShape, number>> = {
  length: 2, angle: 3, cobb: 4, bidirectional: 4, roi_ellipse: 2, roi_rectangle: 2, probe: 1,
};

/** An image as far as measuring needs it. */
export interface MeasuredImage {
  columns: number;
  rows: number;
  spacing: Spacing;
  regions: readonly UltrasoundRegion[];
  /** The value of a pixel with the rescale applied; null: the image is in colour, or its pixels are not there. */
  value: ((column: number, row: number) => number) | null;
  /** Of the values: `HU`, what RescaleType says, or nothing. */
  unit: string;
}

export interface Measured {
  /** Millimetres or pixels by `basis`; two for bidirectional, the longer first. */
  lengths: number[];
  /** Degrees. */
  angle: number | null;
  /** Square millimetres, or square pixels. */
  area: number | null;
  /** Of the pixels whose centre lies within; of a probe its one. */
  mean: number | null;
  /** Of all of them: the population's. */
  deviation: number | null;
  minimum: number | null;
  maximum: number | null;
  pixels: number;
  basis: Basis;
  unit: string;
}

type Pixel = [x: number, y: number];

/** Measure; null while there are fewer points than the shape has. */
export function measure(shape: MeasuringShape, points: readonly Point[], image: MeasuredImage): Measured | null {
  if (points.length < POINTS_OF[shape]) return null;
  const pixels = points.map(([x, y]): Pixel => [x * image.columns, y * image.rows]);
  const spacing = spacingAt(pixels, image.spacing, image.regions);
  const result: Measured = {
    lengths: [], angle: null, area: null, mean: null, deviation: null, minimum: null, maximum: null, pixels: 0,
    basis: spacing.basis, unit: image.unit,
  };
  const [a, b, c, d] = pixels as [Pixel, Pixel, Pixel, Pixel];
  switch (shape) {
    case 'length':
      result.lengths = [distance(a, b, spacing)];
      break;
    case 'angle':
      result.angle = angleBetween(direction(b, a, spacing), direction(b, c, spacing));
      break;
    case 'cobb':
      // both endplates from left to right: so that a curve of more than 90° is not taken for its complement
      result.angle = angleBetween(rightwards(direction(a, b, spacing)), rightwards(direction(c, d, spacing)));
      break;
    case 'bidirectional':
      result.lengths = [distance(a, b, spacing), distance(c, d, spacing)].sort((one, other) => other - one);
      break;
    case 'probe':
      return { ...result, ...statistics(image, [Math.floor(a[0]), Math.floor(a[1]), Math.floor(a[0]), Math.floor(a[1])], () => true) };
    default:
      return { ...result, ...region(shape, a, b, spacing, image) };
  }
  return result;
}

type Statistics = Pick<Measured, 'mean' | 'deviation' | 'minimum' | 'maximum' | 'pixels'>;

function region(
  shape: 'roi_ellipse' | 'roi_rectangle', a: Pixel, b: Pixel, spacing: Spacing, image: MeasuredImage,
): Statistics & { area: number } {
  const [left, right] = [Math.min(a[0], b[0]), Math.max(a[0], b[0])];
  const [top, bottom] = [Math.min(a[1], b[1]), Math.max(a[1], b[1])];
  const scale = spacing.basis === 'none' ? 1 : spacing.x * spacing.y;
  const box = (right - left) * (bottom - top) * scale;
  const [x, y, width, height] = [(left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2];
  const holds =
    shape === 'roi_rectangle'
      ? (column: number, row: number): boolean => column >= left && column <= right && row >= top && row <= bottom
      : (column: number, row: number): boolean => ((column - x) / width) ** 2 + ((row - y) / height) ** 2 <= 1;
  const within = [Math.floor(left), Math.floor(top), Math.ceil(right), Math.ceil(bottom)] as const;
  return { area: shape === 'roi_rectangle' ? box : (box * Math.PI) / 4, ...statistics(image, within, holds) };
}

/** Over the pixels of a box (both ends in it) whose centre the shape holds. */
function statistics(
  image: MeasuredImage,
  [left, top, right, bottom]: readonly [number, number, number, number],
  holds: (x: number, y: number) => boolean,
): Statistics {
  const none: Statistics = { mean: null, deviation: null, minimum: null, maximum: null, pixels: 0 };
  const { value } = image;
  if (value === null) return none;
  let [count, mean, squares, minimum, maximum] = [0, 0, 0, Infinity, -Infinity];
  for (let row = Math.max(0, top); row <= Math.min(image.rows - 1, bottom); row++) {
    for (let column = Math.max(0, left); column <= Math.min(image.columns - 1, right); column++) {
      if (!holds(column + 0.5, row + 0.5)) continue;
      const here = value(column, row);
      count += 1;
      // Welford: large offsets cost no digits
      const before = here - mean;
      mean += before / count;
      squares += before * (here - mean);
      minimum = Math.min(minimum, here);
      maximum = Math.max(maximum, here);
    }
  }
  if (count === 0) return none;
  return { mean, deviation: Math.sqrt(squares / count), minimum, maximum, pixels: count };
}

/** Where nothing is known of the size it is in pixels as they are counted. */
function distance(a: Pixel, b: Pixel, { basis, x, y }: Spacing): number {
  const scale = basis === 'none' ? 1 : y;
  return Math.hypot((b[0] - a[0]) * (basis === 'none' ? 1 : x), (b[1] - a[1]) * scale);
}

/** Angles need the proportion of the pixel only, which may be known where its size is not. */
function direction(from: Pixel, to: Pixel, { x, y }: Spacing): Pixel {
  return [(to[0] - from[0]) * x, (to[1] - from[1]) * y];
}

function rightwards([x, y]: Pixel): Pixel {
  return x < 0 || (x === 0 && y < 0) ? [-x, -y] : [x, y];
}

function angleBetween(a: Pixel, b: Pixel): number {
  const [cross, dot] = [a[0] * b[1] - a[1] * b[0], a[0] * b[0] + a[1] * b[1]];
  return (Math.atan2(Math.abs(cross), dot) * 180) / Math.PI;
}
