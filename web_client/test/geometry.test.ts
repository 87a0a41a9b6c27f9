import { expect, test } from 'vitest';
import { contentBox, distanceToMark, toFraction } from '../src/annotation/geometry';
import { mark } from './fakes/marks';

test('a wide picture in a tall element has bars above and below', () => {
  expect(contentBox({ width: 800, height: 800 }, { width: 1600, height: 900 })).toEqual({ left: 0, top: 175, width: 800, height: 450 });
});

test('a narrow picture has bars at its sides', () => {
  expect(contentBox({ width: 1000, height: 400 }, { width: 400, height: 400 })).toEqual({ left: 300, top: 0, width: 400, height: 400 });
});

test('before its size is known there is no box', () => {
  expect(contentBox({ width: 800, height: 600 }, { width: 0, height: 0 })).toBeNull();
});

test('pixels become fractions of the picture, not of the element', () => {
  const box = { left: 0, top: 175, width: 800, height: 450 };
  expect(toFraction(400, 400, box)).toEqual([0.5, 0.5]);
  expect(toFraction(-20, 900, box)).toEqual([0, 1]);
});

test('the mouse finds lines, outlines and texts', () => {
  const size = { width: 1000, height: 1000 };
  const line = mark('m', { shape: 'arrow', points: [[0.1, 0.1], [0.9, 0.1]] });
  expect(distanceToMark(line, [500, 130], size)).toBeCloseTo(30);
  const ellipse = mark('m', { shape: 'ellipse', points: [[0.2, 0.2], [0.6, 0.6]] });
  expect(distanceToMark(ellipse, [200, 400], size)).toBeCloseTo(0);
  expect(distanceToMark(ellipse, [400, 400], size)).toBeGreaterThan(150);
  const text = mark('m', { shape: 'text', points: [[0.5, 0.5]], text: 'clip' });
  expect(distanceToMark(text, [510, 510], size)).toBe(0);
});
