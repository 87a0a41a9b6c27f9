/** How an image is laid into a pane: the one matrix by which it is drawn, marked, measured and looked at everywhere. */
import { apply, compose, invert, type Matrix } from '../annotation/matrix';
import type { Size } from '../annotation/geometry';
import type { Point } from '../signalling/protocol';
import type { View } from './viewport';

export const ZOOM_LIMITS = [0.05, 64] as const;

/** An image's size, and how much higher a pixel is than it is wide. */
export interface ImageSize {
  columns: number;
  rows: number;
  aspect: number;
}

/** Pixels of the pane a column at zoom 1: the whole image, as it lies, fits. */
export function fitOf(image: ImageSize, pane: Size, rotation: number): number {
  const angle = (rotation * Math.PI) / 180;
  const [width, height] = [image.columns, image.rows * image.aspect];
  const [cosine, sine] = [Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle))];
  const [across, down] = [width * cosine + height * sine, width * sine + height * cosine];
  return Math.min(pane.width / across, pane.height / down);
}

/** From fractions of the image to pixels of the pane. */
export function matrixOf(image: ImageSize, pane: Size, view: View): Matrix {
  const scale = fitOf(image, pane, view.rotation) * view.zoom;
  const angle = (view.rotation * Math.PI) / 180;
  const [cosine, sine] = [Math.cos(angle) * scale, Math.sin(angle) * scale];
  const [width, height] = [image.columns, image.rows * image.aspect];
  const mirror = view.flip ? -1 : 1;
  const turned: Matrix = [cosine * width * mirror, sine * width, -sine * height * mirror, cosine * height, 0, 0];
  const [x, y] = apply(turned, view.centre);
  let [left, top] = [pane.width / 2 - x, pane.height / 2 - y];
  // pixel upon pixel is not to be smeared by half of one
  if (Math.abs(scale - Math.round(scale)) < 1e-6 && view.rotation % 90 === 0) [left, top] = [Math.round(left), Math.round(top)];
  return [turned[0], turned[1], turned[2], turned[3], left, top];
}

/** The same from pixels of the image. */
export function pixelMatrix(matrix: Matrix, image: { columns: number; rows: number }): Matrix {
  return compose(matrix, [1 / image.columns, 0, 0, 1 / image.rows, 0, 0]);
}

/** The point of the image below a place of the pane, fractions. */
export function pointAt(matrix: Matrix, place: Point): Point {
  return apply(invert(matrix) ?? matrix, place);
}

/** Shift by pixels of the pane. */
export function panned(view: View, matrix: Matrix, dx: number, dy: number, pane: Size): View {
  return { ...view, centre: held(pointAt(matrix, [pane.width / 2 - dx, pane.height / 2 - dy])) };
}

/** Grow or shrink about a place of the pane, which keeps its point of the image. */
export function zoomed(view: View, image: ImageSize, pane: Size, factor: number, about: Point): View {
  const zoom = Math.min(ZOOM_LIMITS[1], Math.max(ZOOM_LIMITS[0], view.zoom * factor));
  const before = pointAt(matrixOf(image, pane, view), about);
  const after = pointAt(matrixOf(image, pane, { ...view, zoom }), about);
  const [x, y] = view.centre;
  return { ...view, zoom, centre: held([x + before[0] - after[0], y + before[1] - after[1]]) };
}

/** A pixel of the image on a pixel of the pane. */
export function actualPixels(view: View, image: ImageSize, pane: Size): View {
  return { ...view, zoom: 1 / fitOf(image, pane, view.rotation) };
}

/** The image never leaves the pane wholly. */
function held([x, y]: Point): Point {
  const within = (value: number): number => Math.min(1, Math.max(0, value));
  return [within(x), within(y)];
}
