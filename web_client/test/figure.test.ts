import { describe, expect, test } from 'vitest';
import { boundsOf, distanceTo, figureOf } from '../src/annotation/figure';
import { apply, aspectOf, compose, invert, movementInFractions, sameMatrix, stretch, type Matrix } from '../src/annotation/matrix';
import type { Point, Shape } from '../src/signalling/protocol';
import { SHAPES } from '../src/signalling/marks';
import { POINTS } from '../src/annotation/shapes';
import { cut } from '../src/annotation/swelling';
import { mark } from './fakes/marks';

const HD = stretch(1000, 500);

function some(shape: Shape): ReturnType<typeof mark> {
  const points = Array.from({ length: POINTS[shape][0] }, (_, i): Point => [0.2 + 0.15 * i, 0.3 + 0.1 * (i % 2)]);
  return mark('m', { shape, points, text: shape === 'text' ? 'clip' : '' });
}

describe('a figure', () => {
  test.each(SHAPES)('of a %s is found where it lies, and lies within its bounds', (shape) => {
    const figure = figureOf(some(shape), HD);
    const { left, top, right, bottom } = boundsOf(figure);
    expect(Number.isFinite(left + top + right + bottom)).toBe(true);
    const on = figure.lines[0]?.points[0] ?? figure.text?.at ?? figure.pin?.centre ?? [0, 0];
    expect(distanceTo(figure, on)).toBeCloseTo(0);
    expect(on[0]).toBeGreaterThanOrEqual(left);
    expect(on[1]).toBeLessThanOrEqual(bottom);
    expect(distanceTo(figure, [999, 499])).toBeGreaterThan(100);
  });

  test('of a rectangle has four sides, also when it is turned', () => {
    const rectangle = mark('m', { shape: 'rectangle', points: [[0.2, 0.2], [0.4, 0.6]] });
    expect(distanceTo(figureOf(rectangle, HD), [300, 300])).toBeCloseTo(0);
    expect(distanceTo(figureOf(rectangle, HD), [300, 200])).toBeCloseTo(100);
    // a quarter turn: what was 200 px wide is 200 px high
    const turned: Matrix = [0, 1000, -500, 0, 500, 0];
    const { left, top, right, bottom } = boundsOf(figureOf(rectangle, turned));
    expect([right - left, bottom - top]).toEqual([200, 200].map((side) => expect.closeTo(side, 5)));
  });

  test('keeps the width of its line when the tissue has moved nearer', () => {
    const arrow = some('arrow');
    const doubled = figureOf(arrow, compose(HD, movementInFractions([2, 0, 0, 2, 0, 0], 2)), 500);
    expect(doubled.width).toBe(figureOf(arrow, HD).width);
    expect(boundsOf(doubled).right).toBeGreaterThan(1.8 * boundsOf(figureOf(arrow, HD)).right);
  });

  test('of a pin is hit at its tip and in its disc', () => {
    const figure = figureOf(some('pin'), HD);
    expect(distanceTo(figure, [200, 150])).toBeCloseTo(0);
    expect(distanceTo(figure, figure.pin?.centre ?? [0, 0])).toBe(0);
  });
});

describe('a matrix', () => {
  const turned: Matrix = [0, 3, -2, 0, 7, 5];

  test('leads there and back', () => {
    const there = apply(turned, [0.3, 0.8]);
    const back = apply(invert(turned) ?? HD, there);
    expect(back).toEqual([expect.closeTo(0.3), expect.closeTo(0.8)]);
    expect(invert([1, 2, 2, 4, 0, 0])).toBeNull();
  });

  test('is composed from the inside out', () => {
    expect(apply(compose(turned, HD), [0.1, 0.2])).toEqual(apply(turned, apply(HD, [0.1, 0.2])));
  });

  test('of a movement turns a picture of any format as a wheel', () => {
    // a quarter turn in units of the height, round the picture's corner
    const quarter = movementInFractions([0, 1, -1, 0, 0, 0], aspectOf(HD));
    const [x, y] = apply(HD, apply(quarter, [0.2, 0]));
    expect([x, y]).toEqual([expect.closeTo(0), expect.closeTo(200)]);
  });

  test('is compared by its numbers', () => {
    expect(sameMatrix(HD, stretch(1000, 500))).toBe(true);
    expect(sameMatrix(HD, undefined)).toBe(false);
  });
});

test('a swelling line is cut into the dashes of its pattern', () => {
  const line = [0, 25, 50, 75, 100].map((x): [number, number, number] => [x, 0, 0.5]);
  const parts = cut(line, [20, 10]);
  expect(parts.map((part) => [part[0]?.[0], part.at(-1)?.[0]])).toEqual([[0, 20], [30, 50], [60, 80], [90, 100]]);
  expect(cut(line, [])).toEqual([line]);
});
