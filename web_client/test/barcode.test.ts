import { expect, test } from 'vitest';
import { readStrip, sendingTime, stripRegion, type Luma } from '../src/media/barcode';

/** Draw a strip as docs/barcode.md says, into a frame of this height, in two grey levels. */
function strip(frame: number, frameHeight = 1080, light = 235, dark = 16, step = 1): Luma {
  const { width, height } = stripRegion(frameHeight);
  const stride = width * step + 32;
  const bytes = new Uint8Array(stride * height).fill(light);
  const cell = frameHeight / 40;
  const cells = [true, false, ...Array.from({ length: 16 }, (_, bit) => ((frame >> (15 - bit)) & 1) === 1)];
  cells.forEach((white, index) => {
    for (let y = Math.round(0.5 * cell); y < Math.round(1.5 * cell); y += 1) {
      for (let x = Math.round((index + 0.5) * cell); x < Math.round((index + 1.5) * cell); x += 1) {
        bytes[y * stride + x * step] = white ? light : dark;
      }
    }
  });
  return { bytes, stride, step, frameHeight };
}

test.each([0, 1, 299, 4711, 0xaaaa, 0xffff])('frame %i is read', (frame) => {
  expect(readStrip(strip(frame))).toBe(frame);
});

test.each([240, 270, 360, 540, 720, 2160])('it is read from a frame %i pixels high', (height) => {
  expect(readStrip(strip(0x5a3c, height))).toBe(0x5a3c);
});

test('colours are read too, a byte in four', () => {
  expect(readStrip(strip(4711, 720, 235, 16, 4))).toBe(4711);
});

test('a dim picture is read as long as light and dark differ enough', () => {
  expect(readStrip(strip(4711, 1080, 120, 56))).toBe(4711);
  expect(readStrip(strip(4711, 1080, 120, 57))).toBeNull();
});

test('a picture without a barcode is none', () => {
  const black = { ...strip(0), bytes: new Uint8Array(strip(0).bytes.length) };
  expect(readStrip(black)).toBeNull();
  const { stride } = black;
  expect(readStrip({ ...black, bytes: black.bytes.map((_, i) => 255 - ((i % stride) / stride) * 255) })).toBeNull();
});

test('without its white border it is none', () => {
  const bare = strip(4711);
  bare.bytes.fill(16, 0, 8 * bare.stride);
  expect(readStrip(bare)).toBeNull();
});

test('fewer bytes than the frame promises are no barcode', () => {
  expect(readStrip({ ...strip(4711), bytes: new Uint8Array(3) })).toBeNull();
});

test('the strip is 19 cells wide and 2 high, a cell a fortieth of the height', () => {
  expect(stripRegion(2160)).toEqual({ width: 1026, height: 108 });
  expect(stripRegion(1080)).toEqual({ width: 514, height: 54 });
});

test('a frame that cannot be of this loop has no sending time', () => {
  const barcode = { type: 'barcode', producer: 7, frame: 0, time: 0, interval_ms: 33, modulus: 300 } as const;
  expect(sendingTime(barcode, 300, 1000)).toBeNull();
  expect(sendingTime({ ...barcode, modulus: 0 }, 0, 1000)).toBeNull();
});
