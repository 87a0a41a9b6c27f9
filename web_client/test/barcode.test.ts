import { expect, test } from 'vitest';
import { SAMPLE, STRIP_HEIGHT, STRIP_WIDTH, readStrip, sendingTime, stripRegion } from '../src/media/barcode';

/** Draw a strip as docs/barcode.md says, in two grey levels. */
function strip(frame: number, light = 235, dark = 16): Uint8ClampedArray {
  const pixels = new Uint8ClampedArray(STRIP_WIDTH * STRIP_HEIGHT * 4).fill(light);
  const cells = [true, false, ...Array.from({ length: 16 }, (_, bit) => ((frame >> (15 - bit)) & 1) === 1)];
  cells.forEach((white, index) => {
    for (let y = SAMPLE / 2; y < 1.5 * SAMPLE; y += 1) {
      for (let x = 0; x < SAMPLE; x += 1) {
        pixels.fill(white ? light : dark, 4 * (y * STRIP_WIDTH + (index + 0.5) * SAMPLE + x), 4 * (y * STRIP_WIDTH + (index + 0.5) * SAMPLE + x) + 3);
      }
    }
  });
  return pixels;
}

test.each([0, 1, 299, 4711, 0xaaaa, 0xffff])('frame %i is read', (frame) => {
  expect(readStrip(strip(frame))).toBe(frame);
});

test('a dim picture is read as long as light and dark differ enough', () => {
  expect(readStrip(strip(4711, 120, 50))).toBe(4711);
  expect(readStrip(strip(4711, 120, 60))).toBeNull();
});

test('a picture without a barcode is none', () => {
  expect(readStrip(new Uint8ClampedArray(STRIP_WIDTH * STRIP_HEIGHT * 4))).toBeNull();
  const gradient = new Uint8ClampedArray(STRIP_WIDTH * STRIP_HEIGHT * 4).map((_, i) => 255 - ((i / 4) % STRIP_WIDTH));
  expect(readStrip(gradient)).toBeNull();
});

test('the strip is 19 cells wide and 2 high, a cell a fortieth of the height', () => {
  expect(stripRegion(2160)).toEqual({ width: 1026, height: 108 });
});

test('a frame that cannot be of this loop has no sending time', () => {
  const barcode = { type: 'barcode', producer: 7, frame: 0, time: 0, interval_ms: 33, modulus: 300 } as const;
  expect(sendingTime(barcode, 300, 1000)).toBeNull();
  expect(sendingTime({ ...barcode, modulus: 0 }, 0, 1000)).toBeNull();
});
