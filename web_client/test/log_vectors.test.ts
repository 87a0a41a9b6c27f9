/** The log's shared vectors: `tests/annotation/test_log_vectors.py` reads the same file. */
import { expect, test } from 'vitest';
import { Replica } from '../src/annotation/document';
import type { LoggedOperation } from '../src/signalling/marks';
import vectors from '../../tests/vectors/log.json';

const numbersOf = (replica: Replica): Record<string, number> =>
  Object.fromEntries(replica.instructions.map(({ instruction, number }) => [instruction, number]));

test('after each entry the same is seen', async () => {
  const replica = new Replica();
  for (const { entry, widths, digest } of vectors.steps) {
    replica.handleOperation(entry as LoggedOperation);
    expect(Object.fromEntries(replica.visible.map(({ mark }) => [mark.mark, mark.width]))).toEqual(widths);
    expect(await replica.digest()).toBe(digest);
  }
  expect(numbersOf(replica)).toEqual(vectors.numbers);
});

test('in a recording from before instructions had numbers they are counted', async () => {
  const replica = new Replica();
  for (const entry of vectors.unnumbered.entries) replica.handleOperation(entry as LoggedOperation);
  expect(await replica.digest()).toBe(vectors.unnumbered.digest);
  expect(numbersOf(replica)).toEqual(vectors.unnumbered.numbers);
});
