/**
 * A mark's lines in pixels: what is painted, what the mouse finds, what is cleared when it changes. One description for
 * all three, so that they cannot differ.
 */
import type { Mark, Point } from '../signalling/protocol';
import { apply, heightOf, type Matrix } from './matrix';

export interface Line {
  points: Point[];
  closed: boolean;
}

export interface Figure {
  lines: Line[];
  /** Filled: an arrow's head. */
  areas: Point[][];
  /** Of the line, px. */
  width: number;
  /** Letters and discs: their place, and how high letters are. */
  text: { at: Point; height: number; length: number } | null;
  pin: { tip: Point; centre: Point; radius: number } | null;
}

export interface Rectangle {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Letters of a text mark are this many line widths high. */
export const TEXT_HEIGHT_IN_WIDTHS = 6;
/** An ellipse is drawn by so many corners: at 4K they lie 0.4 px off the true one at most. */
const ELLIPSE_CORNERS = 128;

/** `matrix` leads from fractions of the picture to pixels; `unit` is the picture's height in pixels, where that differs. */
export function figureOf(mark: Mark, matrix: Matrix, unit: number = heightOf(matrix)): Figure {
  const width = Math.max(1.5, mark.width * unit);
  const points = mark.points.map((point) => apply(matrix, point));
  const figure: Figure = { lines: [], areas: [], width, text: null, pin: null };
  const first = points[0];
  if (first === undefined) return figure;
  switch (mark.shape) {
    case 'freehand':
    case 'line':
    case 'angle':
      figure.lines = [{ points, closed: false }];
      break;
    case 'polygon':
      figure.lines = [{ points, closed: true }];
      break;
    case 'arrow':
      addArrow(figure, first, points[1] ?? first);
      break;
    case 'length':
      addRuler(figure, first, points[1] ?? first);
      break;
    case 'ellipse':
    case 'roi_ellipse':
      figure.lines = [{ points: ellipse(mark.points).map((point) => apply(matrix, point)), closed: true }];
      break;
    case 'rectangle':
    case 'roi_rectangle':
      figure.lines = [{ points: rectangle(mark.points).map((point) => apply(matrix, point)), closed: true }];
      break;
    case 'cobb':
    case 'bidirectional':
      for (let i = 0; i < points.length; i += 2) figure.lines.push({ points: points.slice(i, i + 2), closed: false });
      break;
    case 'probe':
      addCross(figure, first, Math.max(8, width * 3));
      break;
    case 'text': {
      const height = width * TEXT_HEIGHT_IN_WIDTHS;
      figure.text = { at: first, height, length: textLength(mark.text, height) };
      break;
    }
    case 'pin': {
      const radius = Math.max(11, width * 2.6);
      figure.pin = { tip: first, centre: [first[0], first[1] - radius * 2.1], radius };
      if (mark.text !== '') {
        const height = radius * 1.15;
        figure.text = { at: [first[0] + radius * 1.4, first[1] - radius * 2.1 - height / 2], height, length: textLength(mark.text, height) };
      }
      break;
    }
  }
  return figure;
}

/** The distance in pixels of a point from a figure: 0 on letters and in a pin's disc. */
export function distanceTo(figure: Figure, at: Point): number {
  let nearest = Infinity;
  for (const { points, closed } of figure.lines) {
    const first = points[0];
    if (first === undefined) continue;
    if (points.length === 1) nearest = Math.min(nearest, Math.hypot(at[0] - first[0], at[1] - first[1]));
    for (let i = 1; i < points.length; i += 1) nearest = Math.min(nearest, toSegment(at, points[i - 1] ?? first, points[i] ?? first));
    if (closed) nearest = Math.min(nearest, toSegment(at, points.at(-1) ?? first, first));
  }
  for (const area of figure.areas) {
    for (const corner of area) nearest = Math.min(nearest, Math.hypot(at[0] - corner[0], at[1] - corner[1]));
  }
  if (figure.text !== null) {
    const { at: corner, height, length } = figure.text;
    const dx = Math.max(corner[0] - at[0], 0, at[0] - corner[0] - length);
    nearest = Math.min(nearest, Math.hypot(dx, Math.max(corner[1] - at[1], 0, at[1] - corner[1] - height)));
  }
  if (figure.pin !== null) {
    const { tip, centre, radius } = figure.pin;
    nearest = Math.min(nearest, Math.max(0, Math.hypot(at[0] - centre[0], at[1] - centre[1]) - radius), toSegment(at, tip, centre));
  }
  return nearest;
}

/** What a figure covers, with its edges. */
export function boundsOf(figure: Figure): Rectangle {
  const bounds = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  const add = (x: number, y: number): void => {
    bounds.left = Math.min(bounds.left, x);
    bounds.top = Math.min(bounds.top, y);
    bounds.right = Math.max(bounds.right, x);
    bounds.bottom = Math.max(bounds.bottom, y);
  };
  for (const { points } of figure.lines) for (const [x, y] of points) add(x, y);
  for (const area of figure.areas) for (const [x, y] of area) add(x, y);
  if (figure.text !== null) {
    const { at, height, length } = figure.text;
    add(at[0], at[1] - height * 0.3);
    // what `length` estimates may be longer in this machine's letters
    add(at[0] + length * 1.5, at[1] + height * 1.4);
  }
  if (figure.pin !== null) {
    const { tip, centre, radius } = figure.pin;
    add(tip[0] - radius, tip[1]);
    add(centre[0] + radius, centre[1] - radius);
  }
  return bounds;
}

export function overlap(one: Rectangle, other: Rectangle): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}

/** Areas that overlap so much that one of both is hardly more become one; the others stay as they are. */
export function gathered(areas: readonly Rectangle[]): Rectangle[] {
  const done: Rectangle[] = [];
  for (const area of areas) {
    const index = done.findIndex((other) => overlap(area, other) && sizeOf(around(area, other)) <= 1.2 * Math.max(sizeOf(area), sizeOf(other)));
    const other = done[index];
    if (other === undefined) done.push(area);
    else done[index] = around(area, other);
  }
  return done;
}

/** The area that holds both. */
export function around(one: Rectangle, other: Rectangle): Rectangle {
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
}

export function sizeOf({ left, top, right, bottom }: Rectangle): number {
  return (right - left) * (bottom - top);
}

/** Where a mark's name or measure is written: above its highest point. */
export function topOf(figure: Figure): Point {
  const points = [...figure.lines.flatMap((line) => line.points), ...figure.areas.flat()];
  if (figure.text !== null) points.push(figure.text.at);
  if (figure.pin !== null) points.push([figure.pin.centre[0], figure.pin.centre[1] - figure.pin.radius]);
  return points.reduce((top, point) => (point[1] < top[1] ? point : top), points[0] ?? [0, 0]);
}

function addArrow(figure: Figure, tail: Point, head: Point): void {
  const reach = Math.hypot(head[0] - tail[0], head[1] - tail[1]);
  const angle = Math.atan2(head[1] - tail[1], head[0] - tail[0]);
  const length = Math.min(figure.width * 6, reach);
  const neck: Point = [head[0] - 0.8 * length * Math.cos(angle), head[1] - 0.8 * length * Math.sin(angle)];
  const barbs = [2.7, -2.7].map((side): Point => [head[0] + length * Math.cos(angle + side), head[1] + length * Math.sin(angle + side)]);
  figure.lines = [{ points: [tail, neck], closed: false }];
  figure.areas = [[head, ...barbs]];
}

/** A line with a stroke across each end. */
function addRuler(figure: Figure, from: Point, to: Point): void {
  const reach = Math.hypot(to[0] - from[0], to[1] - from[1]);
  const half = Math.max(6, figure.width * 2);
  const [nx, ny] = reach === 0 ? [0, half] : [(-(to[1] - from[1]) / reach) * half, ((to[0] - from[0]) / reach) * half];
  const across = ([x, y]: Point): Line => ({ points: [[x - nx, y - ny], [x + nx, y + ny]], closed: false });
  figure.lines = [{ points: [from, to], closed: false }, across(from), across(to)];
}

function addCross(figure: Figure, [x, y]: Point, half: number): void {
  figure.lines = [
    { points: [[x - half, y], [x + half, y]], closed: false },
    { points: [[x, y - half], [x, y + half]], closed: false },
  ];
}

function ellipse([a, b = a]: Point[]): Point[] {
  if (a === undefined || b === undefined) return [];
  const centre = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] as const;
  const [rx, ry] = [Math.abs(a[0] - b[0]) / 2, Math.abs(a[1] - b[1]) / 2];
  return Array.from({ length: ELLIPSE_CORNERS }, (_, i): Point => {
    const angle = (2 * Math.PI * i) / ELLIPSE_CORNERS;
    return [centre[0] + rx * Math.cos(angle), centre[1] + ry * Math.sin(angle)];
  });
}

function rectangle([a, b = a]: Point[]): Point[] {
  if (a === undefined || b === undefined) return [];
  return [a, [b[0], a[1]], b, [a[0], b[1]]];
}

/** An estimate without a canvas: Chinese letters are as wide as high, others 0.6 of it. */
function textLength(text: string, height: number): number {
  let length = 0;
  for (const letter of text) length += (letter.codePointAt(0) ?? 0) > 0x2e7f ? 1 : 0.6;
  return length * height;
}

function toSegment(at: Point, from: Point, to: Point): number {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : Math.min(1, Math.max(0, ((at[0] - from[0]) * dx + (at[1] - from[1]) * dy) / length));
  return Math.hypot(at[0] - from[0] - along * dx, at[1] - from[1] - along * dy);
}
