/** Where marks that were made on the stored images lie on a cut: the part of each that the cut goes through. */
import { figureOf, type Line } from '../annotation/figure';
import type { Mark, Point } from '../signalling/protocol';
import { normalOf, type Plane } from './orientation';
import { dot, minus, times, unit, type Vector, add } from './vectors';

/** Lines in fractions of the cut. */
export interface Crossing {
  lines: Point[][];
}

/** Of what has one place only that is meant, whatever is drawn round it. */
const POINTED: ReadonlySet<string> = new Set(['pin', 'text', 'probe']);

/**
 * Cut a mark that lies on the image `on`; null: it lies wholly beside the cut. What is up to `reach` mm from the cut counts, so that
 * a mark on the nearest image of a stack is seen on a cut between two of them.
 */
export function crossingOf(mark: Mark, on: Plane, cut: Plane, reach: number): Crossing | null {
  const normal = unit(normalOf(cut));
  const isParallel = Math.abs(dot(normal, unit(normalOf(on)))) > 0.999;
  const place = ([x, y]: Point): Vector => add(on.origin, add(times(on.column, x * on.columns - 0.5), times(on.row, y * on.rows - 0.5)));
  const lines: Point[][] = [];
  for (const { points, closed } of linesOf(mark, on)) {
    const corners = points.map(place);
    if (closed && corners[0] !== undefined) corners.push(corners[0]);
    const pieces = within(corners, (at) => dot(normal, minus(at, cut.origin)), reach);
    if (pieces.length === 0) continue;
    const flat = pieces.map((piece) => piece.map((at) => ontoCut(at, cut)));
    // what is drawn round something means what is within, too
    if (closed && !isParallel) lines.push(spanOf(flat.flat()));
    else lines.push(...flat);
  }
  return lines.length === 0 ? null : { lines };
}

/** The lines of a mark in fractions of its image. */
function linesOf(mark: Mark, { columns, rows }: Plane): Line[] {
  if (POINTED.has(mark.shape) || mark.points.length === 1) return mark.points.slice(0, 1).map((point) => ({ points: [point], closed: false }));
  if (mark.shape === 'arrow' || mark.shape === 'length') return [{ points: mark.points.slice(0, 2), closed: false }];
  const back = ([x, y]: Point): Point => [x / columns, y / rows];
  return figureOf(mark, [columns, 0, 0, rows, 0, 0]).lines.map(({ points, closed }) => ({ points: points.map(back), closed }));
}

/** The pieces of a line whose distance is `reach` at most. */
function within(corners: readonly Vector[], distance: (at: Vector) => number, reach: number): Vector[][] {
  const pieces: Vector[][] = [];
  let piece: Vector[] = [];
  const end = (): void => {
    if (piece.length > 0) pieces.push(piece);
    piece = [];
  };
  corners.forEach((corner, at) => {
    const before = corners[at - 1];
    const here = distance(corner);
    if (before !== undefined) {
      const there = distance(before);
      // where the way from corner to corner goes in and out
      for (const share of [reach, -reach].map((side) => (side - there) / (here - there)).filter((part) => part > 0 && part < 1).sort((a, b) => a - b)) {
        const point = add(before, times(minus(corner, before), share));
        piece.push(point);
        if (Math.abs(distance(add(before, times(minus(corner, before), Math.min(1, share + 1e-6))))) > reach) end();
      }
    }
    if (Math.abs(here) <= reach) piece.push(corner);
  });
  end();
  return pieces;
}

function ontoCut(at: Vector, { origin, column, row, columns, rows }: Plane): Point {
  const away = minus(at, origin);
  return [(dot(away, column) / dot(column, column) + 0.5) / columns, (dot(away, row) / dot(row, row) + 0.5) / rows];
}

/** From the one end of what lies on a line to the other. */
function spanOf(points: readonly Point[]): Point[] {
  let [from, to, longest] = [points[0] as Point, points[0] as Point, 0];
  const first = points[0] as Point;
  const far = points.reduce((best, point) => (apart(first, point) > apart(first, best) ? point : best), first);
  for (const point of points) if (apart(far, point) >= longest) [from, to, longest] = [far, point, apart(far, point)];
  return [from, to];
}

function apart(one: Point, other: Point): number {
  return Math.hypot(one[0] - other[0], one[1] - other[1]);
}
