/**
 * Draws marks on a canvas: one code for the stage, stills, images, the board and replay.
 *
 * A line is a white halo, in it a dark core, and on the core the author's colour in the author's dash: the halo stands
 * out from dark tissue, the core from bright, the colour from both; in a dash's gaps the core shows, so that no line is
 * ever interrupted. `styles.ts` has the figures, and a test their contrast on every kind of ground.
 */
import type { Mark, Point } from '../signalling/protocol';
import { boundsOf, figureOf, topOf, type Figure, type Line, type Rectangle } from './figure';
import type { Size } from './geometry';
import type { Matrix } from './matrix';
import { CORE, dashOf, HALO, patternOf, STALE, strata, type Dash } from './styles';
import { swell } from './swelling';

export const FONT = '600 {}px system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif';

/** Of a page's canvas, or of one that is never seen. */
export type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

export interface PaintedMark {
  mark: Mark;
  colour: string;
  name: string;
  /** The person under whose mark the mouse rests is named. */
  named: boolean;
  /** Its measure, in words. */
  measured?: string | undefined;
}

/** Where a picture lies on a canvas. */
export interface Ground {
  /** From fractions of the picture to the canvas's pixels. */
  matrix: Matrix;
  /** Of the canvas. */
  size: Size;
  /** The picture's height in pixels, where the matrix also holds a mark's own movement. */
  unit?: number;
}

interface Outline {
  key: string;
  figure: Figure;
  /** The whole line; null where it is written, not drawn. */
  line: Path2D;
  area: Path2D | null;
  /** Lines whose width follows the pen: their edge, and the coloured parts of it. */
  swelling: { edge: Path2D; parts: Path2D } | null;
}

/** Kept as long as the mark is the same object and lies at the same place. */
const outlines = new WeakMap<Mark, Outline>();

/** What the mark covers with its edges, name and measure not counted. */
export function paintedBounds(mark: Mark, ground: Ground): Rectangle {
  const figure = figureOf(mark, ground.matrix, ground.unit);
  const { left, top, right, bottom } = boundsOf(figure);
  const edge = strata(figure.width).halo + 3;
  return { left: left - edge, top: top - edge, right: right + edge, bottom: bottom + edge };
}

export function paintMark(context: Context, ground: Ground, painted: PaintedMark, stale: boolean): void {
  const { mark, name, named, measured } = painted;
  const dash = dashOf(painted.colour);
  const outline = outlineOf(mark, ground, dash);
  const { figure } = outline;
  const colour = stale ? STALE : painted.colour;
  context.save();
  context.lineJoin = 'round';
  context.lineCap = 'round';
  if (stale) context.globalAlpha = 0.8;
  paintLines(context, outline, colour, dash);
  if (figure.pin !== null) paintPin(context, figure.pin, mark.number ?? 0, colour);
  if (figure.text !== null) paintText(context, mark.text, figure.text.at, figure.text.height, colour);
  if (measured !== undefined) paintPlate(context, measured, measureAt(figure), colour, ground.size, 1.15);
  if (named && name !== '') paintPlate(context, name, topOf(figure), colour, ground.size);
  context.restore();
}

function paintLines(context: Context, outline: Outline, colour: string, dash: Dash): void {
  const { figure, line, area, swelling } = outline;
  const { halo, core, colour: inner } = strata(figure.width);
  const layers = [[HALO, halo], [CORE, core]] as const;
  for (const [ink, width] of layers) {
    context.strokeStyle = ink;
    context.fillStyle = ink;
    if (swelling !== null) {
      context.lineWidth = width - inner;
      context.stroke(swelling.edge);
      context.fill(swelling.edge);
    } else {
      context.lineWidth = width;
      context.stroke(line);
    }
    if (area !== null) {
      context.lineWidth = width - inner;
      context.stroke(area);
      context.fill(area);
    }
  }
  context.fillStyle = colour;
  if (swelling !== null) {
    context.fill(swelling.parts);
  } else {
    context.strokeStyle = colour;
    context.lineWidth = inner;
    context.setLineDash(patternOf(dash, inner));
    context.stroke(line);
    context.setLineDash([]);
  }
  if (area !== null) context.fill(area);
}

/** A needle whose tip is the place, and a disc that bears the number. */
function paintPin(context: Context, pin: NonNullable<Figure['pin']>, number: number, colour: string): void {
  const { tip, centre, radius } = pin;
  const path = new Path2D();
  path.moveTo(tip[0], tip[1]);
  path.lineTo(centre[0] - radius * 0.72, centre[1] + radius * 0.7);
  path.arc(centre[0], centre[1], radius, Math.PI * 0.75, Math.PI * 2.25);
  path.closePath();
  for (const [ink, width] of [[HALO, 7], [CORE, 4]] as const) {
    context.strokeStyle = ink;
    context.lineWidth = width;
    context.stroke(path);
  }
  context.fillStyle = colour;
  context.fill(path);
  disc(context, centre[0], centre[1], radius * 0.78, CORE);
  // before the server has numbered it, it has none
  const said = number === 0 ? '·' : String(number);
  context.font = FONT.replace('{}', String(radius * (said.length > 1 ? 0.95 : 1.15)));
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillStyle = HALO;
  context.fillText(said, centre[0], centre[1] + radius * 0.06);
  context.textAlign = 'start';
}

function paintText(context: Context, text: string, at: Point, height: number, colour: string): void {
  context.font = FONT.replace('{}', String(height));
  context.textBaseline = 'top';
  for (const [ink, width] of [[HALO, height * 0.3], [CORE, height * 0.2]] as const) {
    context.strokeStyle = ink;
    context.lineWidth = width;
    context.strokeText(text, at[0], at[1]);
  }
  context.fillStyle = colour;
  context.fillText(text, at[0], at[1]);
}

/** A name or a measure on a dark plate, kept within the picture. */
export function paintPlate(context: Context, words: string, at: Point, colour: string, size: Size, scale = 1): void {
  const height = Math.max(12, Math.min(18, size.height * 0.02)) * scale;
  context.globalAlpha = 1;
  context.font = FONT.replace('{}', String(height));
  context.textBaseline = 'middle';
  const width = context.measureText(words).width + height * 1.6;
  const left = Math.min(Math.max(2, at[0]), Math.max(2, size.width - width - 2));
  const top = Math.min(Math.max(2, at[1] - height * 2), Math.max(2, size.height - height * 1.7 - 2));
  context.beginPath();
  context.roundRect(left, top, width, height * 1.7, height * 0.45);
  context.fillStyle = 'rgba(6, 10, 14, 0.9)';
  context.fill();
  disc(context, left + height * 0.65, top + height * 0.85, height * 0.25, colour);
  context.fillStyle = '#e4e9ee';
  context.fillText(words, left + height * 1.15, top + height * 0.87);
}

/** How far plates reach beyond a figure. */
export function plateReach(size: Size, words: string): { width: number; height: number } {
  const height = Math.max(12, Math.min(18, size.height * 0.02)) * 1.15;
  return { width: (words.length + 2) * height, height: height * 2.2 };
}

function measureAt(figure: Figure): Point {
  const line = figure.lines[0];
  const [from, to] = [line?.points[0], line?.points.at(-1)];
  if (line === undefined || from === undefined || to === undefined || line.closed) return topOf(figure);
  return [(from[0] + to[0]) / 2 + figure.width * 2, (from[1] + to[1]) / 2 - figure.width];
}

function outlineOf(mark: Mark, { matrix, unit }: Ground, dash: Dash): Outline {
  const key = `${mark.points.length} ${dash} ${unit ?? ''} ${matrix.join(' ')}`;
  const known = outlines.get(mark);
  if (known?.key === key) return known;
  const figure = figureOf(mark, matrix, unit);
  const swelling = mark.pressures === undefined || mark.shape !== 'freehand' ? null : swell(figure, mark.pressures, dash);
  const outline: Outline = { key, figure, line: pathOf(figure.lines, mark.shape === 'freehand'), area: areaOf(figure.areas), swelling };
  outlines.set(mark, outline);
  return outline;
}

function pathOf(lines: readonly Line[], smooth: boolean): Path2D {
  const path = new Path2D();
  for (const { points, closed } of lines) {
    const first = points[0];
    if (first === undefined) continue;
    path.moveTo(first[0], first[1]);
    if (points.length === 1) path.lineTo(first[0] + 0.01, first[1]);
    // through the middles, bent at the points: the line lies where the pen was, without its corners
    for (let i = 1; i < points.length; i += 1) {
      const [at, next] = [points[i] ?? first, points[i + 1]];
      if (smooth && next !== undefined) path.quadraticCurveTo(at[0], at[1], (at[0] + next[0]) / 2, (at[1] + next[1]) / 2);
      else path.lineTo(at[0], at[1]);
    }
    if (closed) path.closePath();
  }
  return path;
}

function areaOf(areas: readonly Point[][]): Path2D | null {
  if (areas.length === 0) return null;
  const path = new Path2D();
  for (const corners of areas) {
    corners.forEach(([x, y], index) => (index === 0 ? path.moveTo(x, y) : path.lineTo(x, y)));
    path.closePath();
  }
  return path;
}

export function disc(context: Context, x: number, y: number, radius: number, colour: string): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
}
