import { expect, test } from 'vitest';
import { boxBetween, byKey, isLarge, middle, moved, SMALLEST, STEP, stretched } from '../src/replay/masks';

const BOX = { producer: 7, x: 0.4, y: 0.4, width: 0.2, height: 0.1 };

test('a box is drawn from any corner, and no further than the picture', () => {
  const wanted = { x: 0.1, y: 0.2, width: 0.4, height: 0.3 };
  for (const [one, other] of [[[0.1, 0.2], [0.5, 0.5]], [[0.5, 0.5], [0.1, 0.2]], [[0.5, 0.2], [0.1, 0.5]]] as const) {
    const found = boxBetween({ x: one[0], y: one[1] }, { x: other[0], y: other[1] });
    for (const side of ['x', 'y', 'width', 'height'] as const) expect(found[side]).toBeCloseTo(wanted[side], 9);
  }
  expect(boxBetween({ x: -1, y: -1 }, { x: 2, y: 2 })).toEqual({ x: 0, y: 0, width: 1, height: 1 });
  expect([boxBetween({ x: 0.5, y: 0.5 }, { x: 0.501, y: 0.9 }), BOX].map(isLarge)).toEqual([false, true]);
});

test('it is moved and stretched within the picture', () => {
  expect(moved(BOX, 5, -5)).toEqual({ ...BOX, x: 0.8, y: 0 });
  expect(stretched(BOX, 5, -5)).toEqual({ ...BOX, width: 0.6, height: SMALLEST });
});

test('keys do all that a mouse does', () => {
  expect(byKey(BOX, 'ArrowLeft', false)?.x).toBeCloseTo(0.4 - STEP, 9);
  expect(byKey(BOX, 'ArrowDown', false)?.y).toBeCloseTo(0.4 + STEP, 9);
  expect(byKey(BOX, 'ArrowRight', true)?.width).toBeCloseTo(0.2 + STEP, 9);
  expect(byKey(BOX, 'ArrowUp', true)?.height).toBeCloseTo(0.1 - STEP, 9);
  expect([byKey(BOX, 'Delete', false), byKey(BOX, 'Backspace', true), byKey(BOX, 'Tab', false), byKey(BOX, 'a', false)]).toEqual([null, null, undefined, undefined]);
  const put = middle(9);
  expect([put.producer, isLarge(put), put.x + put.width < 1]).toEqual([9, true, true]);
});
