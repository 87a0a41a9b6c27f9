/** Lines whose width follows the pressure of the pen, in dashes too. */
import { getStroke } from 'perfect-freehand';
import type { Figure } from './figure';
import { patternOf, strata, type Dash } from './styles';

/** The edge of a line whose width follows the pen's pressure, and its coloured dashes. */
export function swell(figure: Figure, pressures: readonly number[], dash: Dash): { edge: Path2D; parts: Path2D } {
  const points = (figure.lines[0]?.points ?? []).map(([x, y], index): Pressed => [x, y, pressures[index] ?? 0.5]);
  const { colour } = strata(figure.width);
  const parts = new Path2D();
  for (const part of cut(points, patternOf(dash, colour))) addEdge(parts, part, colour);
  const edge = new Path2D();
  addEdge(edge, points, colour);
  return { edge, parts };
}

type Pressed = [x: number, y: number, pressure: number];

function addEdge(path: Path2D, points: readonly Pressed[], size: number): void {
  // no streamlining: the line lies where the pen was, not where it looks smoother
  const edge = getStroke(points as Pressed[], { size: size * 1.5, thinning: 0.6, smoothing: 0.5, streamline: 0, simulatePressure: false, last: true });
  const first = edge[0];
  if (first === undefined) return;
  path.moveTo(first[0] ?? 0, first[1] ?? 0);
  for (let i = 1; i < edge.length; i += 1) {
    const [at, next] = [edge[i] ?? first, edge[(i + 1) % edge.length] ?? first];
    path.quadraticCurveTo(at[0] ?? 0, at[1] ?? 0, ((at[0] ?? 0) + (next[0] ?? 0)) / 2, ((at[1] ?? 0) + (next[1] ?? 0)) / 2);
  }
  path.closePath();
}

/** A line cut into the parts that a dash pattern paints; the whole of it for a solid one. */
export function cut(points: readonly Pressed[], pattern: readonly number[]): Pressed[][] {
  const first = points[0];
  if (first === undefined || pattern.length === 0) return first === undefined ? [] : [[...points]];
  const parts: Pressed[][] = [];
  let [index, left] = [0, pattern[0] ?? 1];
  let part: Pressed[] = [first];
  let from = first;
  for (const to of points.slice(1)) {
    let length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    while (length > left) {
      const along = left / length;
      const at: Pressed = [from[0] + along * (to[0] - from[0]), from[1] + along * (to[1] - from[1]), from[2] + along * (to[2] - from[2])];
      if (index % 2 === 0) parts.push([...part, at]);
      [length, from, part] = [length - left, at, [at]];
      index = (index + 1) % pattern.length;
      left = Math.max(0.01, pattern[index] ?? 1);
    }
    left -= length;
    from = to;
    part.push(to);
  }
  if (index % 2 === 0 && part.length > 0) parts.push(part);
  return parts;
}
