/**
 * Which way an image lies in the patient: the letters at its edges, and where one cut crosses another.
 *
 * Letters are those of PS3.3 C.7.6.1.1.1: L R left and right, A P front and back, H F head and feet.
 */
import type { Point } from '../signalling/protocol';
import { dot, minus, type Vector, add, cross, times } from './vectors';

/** A plane of pixels in the patient: of the first pixel's centre, and from a column and a row to the next, mm. */
export interface Plane {
  origin: Vector;
  /** Along a row, to the next column. */
  column: Vector;
  /** Down a column, to the next row. */
  row: Vector;
  columns: number;
  rows: number;
}

const OPPOSITE: Readonly<Record<string, string>> = { L: 'R', R: 'L', A: 'P', P: 'A', H: 'F', F: 'H' };

/** A part smaller than this of a direction is not worth a letter: 1 : 10. */
const SLIGHT = 0.1;

/** The letters of a direction in the patient, the greatest part first: `L`, `LA`, `HLA`. */
export function lettersOf(direction: Vector): string {
  const parts: [number, string][] = [
    [direction[0], direction[0] < 0 ? 'R' : 'L'],
    [direction[1], direction[1] < 0 ? 'A' : 'P'],
    [direction[2], direction[2] < 0 ? 'F' : 'H'],
  ];
  const size = Math.hypot(...direction);
  return parts
    .filter(([part]) => size > 0 && Math.abs(part) / size > SLIGHT)
    .sort((one, other) => Math.abs(other[0]) - Math.abs(one[0]))
    .map(([, letter]) => letter)
    .join('');
}

export function opposite(letters: string): string {
  return [...letters].map((letter) => OPPOSITE[letter] ?? letter).join('');
}

/** What the image's right and lower edges show, in letters; null: not known. */
export interface Ways {
  right: string;
  bottom: string;
}

export interface Edges {
  left: string;
  right: string;
  top: string;
  bottom: string;
}

/** The letters at the edges of the pane, for an image that is turned clockwise (degrees) and then mirrored. */
export function edgesOf(ways: Ways | null, rotation: number, flip: boolean): Edges | null {
  if (ways === null) return null;
  // quarters only: between them no letter stands for an edge truly, so the nearest is meant
  const quarters = ((Math.round(rotation / 90) % 4) + 4) % 4;
  const { right, bottom } = ways;
  const [left, top] = [opposite(right), opposite(bottom)];
  // clockwise round the image: what was at the top goes to the right
  const ring = [top, right, bottom, left];
  const at = (place: number): string => ring[(place - quarters + 4) % 4] ?? '';
  const edges: Edges = { top: at(0), right: at(1), bottom: at(2), left: at(3) };
  return flip ? { ...edges, left: edges.right, right: edges.left } : edges;
}

const ALONG: Readonly<Record<string, Vector>> = {
  L: [1, 0, 0], R: [-1, 0, 0], P: [0, 1, 0], A: [0, -1, 0], H: [0, 0, 1], F: [0, 0, -1],
};

/**
 * Whether left and right are exchanged against how such an image is looked at: cross-sections from the feet, front views from the
 * front (PS3.3, C.7.6.2). However it is turned; side views are looked at from either side, and only a mirror changes them.
 */
export function isMirrored(ways: Ways | null, flip: boolean): boolean {
  const [right, bottom] = [ALONG[ways?.right[0] ?? ''], ALONG[ways?.bottom[0] ?? '']];
  if (right === undefined || bottom === undefined) return flip;
  const into = lettersOf(cross(right, bottom));
  return (into === 'F' || into === 'A') !== flip;
}

export function normalOf(plane: Plane): Vector {
  return cross(plane.column, plane.row);
}

/** Where another plane cuts this one: two points in fractions of this one, or null where they do not meet within it. */
export function cutLine(here: Plane, other: Plane): [Point, Point] | null {
  const normal = normalOf(other);
  // signed distance of a corner of this image from the other's plane; corners are half a pixel outside the centres
  const corner = (x: number, y: number): number =>
    dot(normal, minus(add(here.origin, add(times(here.column, x * here.columns - 0.5), times(here.row, y * here.rows - 0.5))), other.origin));
  const corners: [Point, number][] = ([[0, 0], [1, 0], [1, 1], [0, 1]] as Point[]).map((point) => [point, corner(point[0], point[1])]);
  const found: Point[] = [];
  corners.forEach(([from, a], index) => {
    const [to, b] = corners[(index + 1) % 4] as [Point, number];
    if (a === b || a * b > 0) return;
    const share = a / (a - b);
    const point: Point = [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share];
    if (!found.some((known) => Math.hypot(known[0] - point[0], known[1] - point[1]) < 1e-6)) found.push(point);
  });
  const [first, second] = found;
  return first === undefined || second === undefined ? null : [first, second];
}
