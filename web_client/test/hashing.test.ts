import { expect, test } from 'vitest';
import { BLOCK, FileDigest } from '../src/files/hashing';

/** Two blocks and a little; `tests/signalling/test_file_digest.py` has the same. */
const DATA = Uint8Array.from({ length: 2 * BLOCK + 5 }, (_, index) => (index < 2 * BLOCK ? (index * 7 + 3) & 255 : 'last.'.charCodeAt(index - 2 * BLOCK)));
const DIGEST = '7ac59e23f50b75b977260a623d9609cf7ecd95188188b93c5716aad249d18800';

test('a file is hashed as the server does it, whatever lengths it comes in', async () => {
  for (const length of [DATA.length, BLOCK, 1_000_003]) {
    const hash = new FileDigest();
    for (let at = 0; at < DATA.length; at += length) await hash.update(DATA.subarray(at, at + length));
    expect(await hash.digest()).toBe(DIGEST);
  }
});

test('of an empty file it is that of no blocks', async () => {
  expect(await new FileDigest().digest()).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});
