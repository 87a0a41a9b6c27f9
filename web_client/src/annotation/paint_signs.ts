/** What is painted beside the marks: laser pointers, others' pens, the keyboard's crosshair, what is selected. */
import type { Point } from '../signalling/protocol';
import type { Rectangle } from './figure';
import { apply, heightOf } from './matrix';
import { disc, FONT, paintPlate, type Ground } from './paint';
import { CORE, HALO } from './styles';

export interface PaintedPointer {
  colour: string;
  name: string;
  /** The newest last; `age` 0 (now) to 1 (gone). */
  trail: { point: Point; age: number }[];
  /** A pen that hovers: where somebody is about to draw, faint. */
  ghost?: boolean;
}

/** Where the points of a selected mark are taken hold of. */
export function paintHandles(context: CanvasRenderingContext2D, ground: Ground, points: readonly Point[], round: boolean, chosen: number | null = null): void {
  const radius = Math.max(5, heightOf(ground.matrix) * 0.007);
  context.save();
  for (const [index, point] of points.entries()) {
    const [x, y] = apply(ground.matrix, point);
    if (index === chosen) paintChosen(context, x, y, 2 * radius);
    context.beginPath();
    if (round) context.arc(x, y, radius, 0, 2 * Math.PI);
    else context.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    context.fillStyle = HALO;
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = CORE;
    context.stroke();
  }
  context.restore();
}

/** A ring round the point that the arrow keys move: told by its form, not by its colour. */
function paintChosen(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  for (const [colour, width] of [[CORE, 6], [HALO, 3]] as const) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  }
}

/** A frame round what is selected. */
export function paintFrame(context: CanvasRenderingContext2D, bounds: Rectangle): void {
  context.save();
  const { left, top, right, bottom } = bounds;
  for (const [colour, width, dash] of [[CORE, 4, []], [HALO, 1.6, [6, 5]]] as const) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash([...dash]);
    context.strokeRect(left, top, right - left, bottom - top);
  }
  context.restore();
}

/** Where the keyboard's next point will lie. */
export function paintCrosshair(context: CanvasRenderingContext2D, ground: Ground, point: Point): void {
  const [x, y] = apply(ground.matrix, point);
  const arm = Math.max(14, ground.size.height * 0.028);
  const gap = arm * 0.25;
  context.save();
  const path = new Path2D();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
    path.moveTo(x + dx * gap, y + dy * gap);
    path.lineTo(x + dx * arm, y + dy * arm);
  }
  for (const [colour, width] of [[HALO, 6], [CORE, 4], ['#3fd0b6', 2]] as const) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke(path);
  }
  disc(context, x, y, 2.5, HALO);
  context.restore();
}

export function paintPointer(context: CanvasRenderingContext2D, ground: Ground, pointer: PaintedPointer): void {
  const newest = pointer.trail.at(-1);
  if (newest === undefined) return;
  if (pointer.ghost === true) return paintGhost(context, ground, pointer, newest.point);
  const { size } = ground;
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
    context.moveTo(...apply(ground.matrix, from.point));
    context.lineTo(...apply(ground.matrix, to.point));
    context.stroke();
  }
  const [x, y] = apply(ground.matrix, newest.point);
  context.globalAlpha = 1;
  disc(context, x, y, radius * 1.75, `${pointer.colour}55`);
  disc(context, x, y, radius + 3.5, HALO);
  disc(context, x, y, radius + 2, CORE);
  disc(context, x, y, radius, pointer.colour);
  disc(context, x, y, radius * 0.4, '#ffffff');
  if (pointer.name !== '') paintPlate(context, pointer.name, [x + radius * 2, y - radius], pointer.colour, size);
  context.restore();
}

/** What a pointer covers, with its trail and its name. */
export function pointerBounds(ground: Ground, pointer: PaintedPointer): Rectangle {
  const points = pointer.trail.map(({ point }) => apply(ground.matrix, point));
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const reach = Math.max(60, ground.size.height * 0.06);
  return {
    left: Math.min(...xs) - reach,
    top: Math.min(...ys) - reach,
    right: Math.max(...xs) + reach + pointer.name.length * 20,
    bottom: Math.max(...ys) + reach,
  };
}

function paintGhost(context: CanvasRenderingContext2D, ground: Ground, pointer: PaintedPointer, point: Point): void {
  const [x, y] = apply(ground.matrix, point);
  const radius = Math.max(5, ground.size.height * 0.007);
  context.save();
  context.globalAlpha = 0.6;
  const path = new Path2D();
  path.arc(x, y, radius, 0, 2 * Math.PI);
  for (const [colour, width] of [[CORE, 4], [pointer.colour, 2]] as const) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke(path);
  }
  const height = Math.max(11, Math.min(15, ground.size.height * 0.016));
  context.font = FONT.replace('{}', String(height));
  context.textBaseline = 'middle';
  context.lineWidth = 3;
  context.strokeStyle = CORE;
  context.lineJoin = 'round';
  context.strokeText(pointer.name, x + radius * 1.8, y);
  context.fillStyle = pointer.colour;
  context.fillText(pointer.name, x + radius * 1.8, y);
  context.restore();
}

