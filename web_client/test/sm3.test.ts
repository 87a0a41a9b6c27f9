import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { sm3 } from '../src/replay/sm3';

test('is the hash of the standard\'s examples', async () => {
  // GB/T 32905-2016, annex A
  expect(await sm3(new TextEncoder().encode('abc'))).toBe('66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0');
  expect(await sm3(new TextEncoder().encode('abcd'.repeat(16)))).toBe('debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732');
});

test('is the hash that others make, at each length around a block and beyond a turn of the page', async () => {
  const data = Uint8Array.from({ length: 3 * 2 ** 20 + 17 }, (_, at) => (at * at + (at >> 8)) & 255);
  for (const length of [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 2 ** 20, data.length]) {
    const part = data.subarray(0, length);
    expect(await sm3(part), String(length)).toBe(createHash('sm3').update(part).digest('hex'));
  }
  // a view into something larger
  expect(await sm3(data.subarray(3, 100))).toBe(createHash('sm3').update(data.subarray(3, 100)).digest('hex'));
});
