/** Draws marks on a canvas that covers exactly the picture: one code for the stage and for replay. */
import { getStroke } from 'perfect-freehand';
import type { Mark, Point } from '../signalling/protocol';
import { TEXT_HEIGHT_IN_WIDTHS, type Size } from './geometry';

/** Marks of a picture that does not move: their colour would claim to know where the tissue is. */
const STALE = '#9aa3ad';
/** A dark hem round every line, so that each colour stands out from tissue and from glare. */
const HEM = 'rgba(4, 8, 12, 0.62)';
const FONT = '600 {}px system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif';

export interface PaintedMark {
  mark: Mark;
  colour: string;
  name: string;
  /** The person under whose mark the mouse rests is named. */
  named: boolean;
}

export interface PaintedPointer {
  colour: string;
  name: string;
  /** The newest last; `age` 0 (now) to 1 (gone). */
  trail: { point: Point; age: number }[];
}

/** The outlines of freehand lines, kept as long as the mark has as many points and the picture its size. */
const outlines = new WeakMap<Mark, { key: string; path: Path2D }>();

export function paintMark(context: CanvasRenderingContext2D, size: Size, painted: PaintedMark, stale: boolean): void {
  const { mark, name, named } = painted;
  const colour = stale ? STALE : painted.colour;
  context.save();
  context.lineJoin = 'round';
  context.lineCap = 'round';
  if (stale) context.globalAlpha = 0.75;
  const width = Math.max(1.5, mark.width * size.height);
  const points = mark.points.map(([x, y]): Point => [x * size.width, y * size.height]);
  if (mark.shape === 'freehand') paintFreehand(context, mark, points, width, colour, size);
  else if (mark.shape === 'arrow') paintArrow(context, points, width, colour);
  else if (mark.shape === 'ellipse') paintEllipse(context, points, width, colour);
  else if (mark.shape !== 'text' && mark.shape !== 'pin') paintLine(context, points, width, colour);
  else paintText(context, mark.text, points[0] ?? [0, 0], width, colour);
  if (named) paintLabel(context, name, topOf(points), colour, size);
  context.restore();
}

export function paintPointer(context: CanvasRenderingContext2D, size: Size, pointer: PaintedPointer): void {
  const newest = pointer.trail.at(-1);
  if (newest === undefined) return;
  const radius = Math.max(6, size.height * 0.009);
  context.save();
  context.lineCap = 'round';
  for (let i = 1; i < pointer.trail.length; i += 1) {
    const [from, to] = [pointer.trail[i - 1], pointer.trail[i]];
    if (from === undefined || to === undefined) continue;
    context.globalAlpha = 0.7 * (1 - to.age);
    context.strokeStyle = pointer.colour;
    context.lineWidth = radius * (1.2 - 0.8 * to.age);
    context.beginPath();
    context.moveTo(from.point[0] * size.width, from.point[1] * size.height);
    context.lineTo(to.point[0] * size.width, to.point[1] * size.height);
    context.stroke();
  }
  const [x, y] = [newest.point[0] * size.width, newest.point[1] * size.height];
  context.globalAlpha = 1;
  disc(context, x, y, radius * 1.75, `${pointer.colour}55`);
  disc(context, x, y, radius + 2, HEM);
  disc(context, x, y, radius, pointer.colour);
  disc(context, x, y, radius * 0.4, '#ffffff');
  if (pointer.name !== '') paintLabel(context, pointer.name, [x + radius * 2, y - radius], pointer.colour, size);
  context.restore();
}

function paintFreehand(
  context: CanvasRenderingContext2D,
  mark: Mark,
  points: Point[],
  width: number,
  colour: string,
  size: Size,
): void {
  const key = `${points.length} ${size.width} ${size.height}`;
  const known = outlines.get(mark);
  const path = known?.key === key ? known.path : outline(points, width);
  outlines.set(mark, { key, path });
  context.strokeStyle = HEM;
  context.lineWidth = hem(width) * 2;
  context.stroke(path);
  context.fillStyle = colour;
  context.fill(path);
}

function outline(points: Point[], width: number): Path2D {
  // no streamlining: the line lies where the pen was, not where it looks smoother
  const edge = getStroke(points, { size: width * 1.5, thinning: 0.35, smoothing: 0.5, streamline: 0, last: true });
  const path = new Path2D();
  const first = edge[0];
  if (first === undefined) return path;
  path.moveTo(first[0], first[1]);
  for (let i = 1; i < edge.length; i += 1) {
    const [at, next] = [edge[i] ?? first, edge[(i + 1) % edge.length] ?? first];
    path.quadraticCurveTo(at[0], at[1], (at[0] + next[0]) / 2, (at[1] + next[1]) / 2);
  }
  path.closePath();
  return path;
}

function paintArrow(context: CanvasRenderingContext2D, points: Point[], width: number, colour: string): void {
  const [tail, head] = points;
  if (tail === undefined || head === undefined) return;
  const angle = Math.atan2(head[1] - tail[1], head[0] - tail[0]);
  const length = Math.min(width * 6, Math.hypot(head[0] - tail[0], head[1] - tail[1]));
  const neck: Point = [head[0] - 0.8 * length * Math.cos(angle), head[1] - 0.8 * length * Math.sin(angle)];
  const shaft = new Path2D();
  shaft.moveTo(tail[0], tail[1]);
  shaft.lineTo(neck[0], neck[1]);
  const barb = new Path2D();
  barb.moveTo(head[0], head[1]);
  for (const side of [2.7, -2.7]) barb.lineTo(head[0] + length * Math.cos(angle + side), head[1] + length * Math.sin(angle + side));
  barb.closePath();
  context.strokeStyle = HEM;
  context.lineWidth = width + 2 * hem(width);
  context.stroke(shaft);
  context.lineWidth = 2 * hem(width);
  context.stroke(barb);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke(shaft);
  context.fillStyle = colour;
  context.fill(barb);
}

function paintEllipse(context: CanvasRenderingContext2D, points: Point[], width: number, colour: string): void {
  const [a, b] = points;
  if (a === undefined || b === undefined) return;
  const path = new Path2D();
  const [rx, ry] = [Math.abs(a[0] - b[0]) / 2, Math.abs(a[1] - b[1]) / 2];
  path.ellipse((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, rx, ry, 0, 0, 2 * Math.PI);
  context.strokeStyle = HEM;
  context.lineWidth = width + 2 * hem(width);
  context.stroke(path);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke(path);
}

function paintLine(context: CanvasRenderingContext2D, points: Point[], width: number, colour: string): void {
  const path = new Path2D();
  points.forEach(([x, y], index) => (index === 0 ? path.moveTo(x, y) : path.lineTo(x, y)));
  context.strokeStyle = HEM;
  context.lineWidth = width + 2 * hem(width);
  context.stroke(path);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke(path);
}

function paintText(context: CanvasRenderingContext2D, text: string, at: Point, width: number, colour: string): void {
  const height = width * TEXT_HEIGHT_IN_WIDTHS;
  context.font = FONT.replace('{}', String(height));
  context.textBaseline = 'top';
  context.strokeStyle = HEM;
  context.lineWidth = 2 * hem(width) + 1;
  context.strokeText(text, at[0], at[1]);
  context.fillStyle = colour;
  context.fillText(text, at[0], at[1]);
}

/** A name on a dark plate, kept within the picture. */
function paintLabel(context: CanvasRenderingContext2D, name: string, at: Point, colour: string, size: Size): void {
  const height = Math.max(12, Math.min(18, size.height * 0.02));
  context.globalAlpha = 1;
  context.font = FONT.replace('{}', String(height));
  context.textBaseline = 'middle';
  const width = context.measureText(name).width + height * 1.6;
  const left = Math.min(Math.max(2, at[0]), Math.max(2, size.width - width - 2));
  const top = Math.min(Math.max(2, at[1] - height * 2), Math.max(2, size.height - height * 1.7 - 2));
  context.beginPath();
  context.roundRect(left, top, width, height * 1.7, height * 0.45);
  context.fillStyle = 'rgba(6, 10, 14, 0.86)';
  context.fill();
  disc(context, left + height * 0.65, top + height * 0.85, height * 0.25, colour);
  context.fillStyle = '#e4e9ee';
  context.fillText(name, left + height * 1.15, top + height * 0.87);
}

function disc(context: CanvasRenderingContext2D, x: number, y: number, radius: number, colour: string): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
}

function topOf(points: Point[]): Point {
  return points.reduce((top, point) => (point[1] < top[1] ? point : top), points[0] ?? [0, 0]);
}

function hem(width: number): number {
  return Math.max(1, width * 0.3);
}
