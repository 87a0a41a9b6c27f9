import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Sm3 } from '../src/files/sm3';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('SM3', () => {
  it('agrees with the examples of GB/T 32905', () => {
    expect(new Sm3().update(bytes('abc')).digest()).toBe('66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0');
    expect(new Sm3().update(bytes('abcd'.repeat(16))).digest()).toBe('debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732');
  });

  it('agrees with OpenSSL at every length around a block, fed in any pieces', () => {
    const data = Uint8Array.from({ length: 400 }, (_, index) => (index * 7 + 3) & 255);
    for (let length = 0; length <= 260; length++) {
      const hash = new Sm3();
      for (let at = 0; at < length; at += 37) hash.update(data.subarray(at, Math.min(at + 37, length)));
      expect(hash.digest()).toBe(createHash('sm3').update(data.subarray(0, length)).digest('hex'));
    }
  });

  it('takes large pieces', () => {
    const piece = new Uint8Array(1 << 20).fill(9);
    const [ours, theirs] = [new Sm3(), createHash('sm3')];
    for (let count = 0; count < 3; count++) {
      ours.update(piece);
      theirs.update(piece);
    }
    expect(ours.digest()).toBe(theirs.digest('hex'));
  });
});
