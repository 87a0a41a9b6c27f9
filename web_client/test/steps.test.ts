import { expect, test } from 'vitest';
import { Steps } from '../src/annotation/steps';
import type { LoggedOperation } from '../src/signalling/protocol';
import { add, logged, mark } from './fakes/marks';

const edit = (sequence: number, name: string, author = 'pt-a'): LoggedOperation =>
  logged(sequence, author, { kind: 'edit', mark: { ...mark(name), points: [[0.1, sequence / 100]] } });
const undo = (sequence: number, target: number): LoggedOperation => logged(sequence, 'pt-a', { kind: 'undo', target });
const redo = (sequence: number, target: number): LoggedOperation => logged(sequence, 'pt-a', { kind: 'redo', target });
const all = (): boolean => true;

/** Three marks that were moved together: edits 4 to 6, with somebody else's between them; before them one alone. */
async function moved(): Promise<{ steps: Steps; log: LoggedOperation[] }> {
  const steps = new Steps();
  const alone = steps.begin();
  await Promise.resolve();
  const together = [steps.begin(), steps.begin(), steps.begin()];
  alone(4);
  [5, 7, 8].forEach((number, index) => together[index]?.(number));
  const log = [add(1), add(2), add(3), edit(4, 'm-1'), edit(5, 'm-1'), edit(6, 'm-x', 'pt-b'), edit(7, 'm-2'), edit(8, 'm-3')];
  return { steps, log };
}

test('what was moved together is one step, back and forth', async () => {
  const { steps, log } = await moved();
  expect(steps.size('undo', log, 'pt-a', all)).toBe(3);
  log.push(undo(9, 8), undo(10, 7), undo(11, 5));
  expect(steps.size('undo', log, 'pt-a', all)).toBe(1);
  expect(steps.size('redo', log, 'pt-a', all)).toBe(3);
  log.push(redo(12, 5), redo(13, 7), redo(14, 8));
  expect(steps.size('undo', log, 'pt-a', all)).toBe(3);
});

test('what was done since is a step of its own, and nothing comes back after it', async () => {
  const { steps, log } = await moved();
  log.push(undo(9, 8), undo(10, 7), undo(11, 5), add(12));
  expect(steps.size('undo', log, 'pt-a', all)).toBe(1);
  expect(steps.size('redo', log, 'pt-a', all)).toBe(1);
});

test('a mark that somebody else has wiped away does not count: the server leaves it out', async () => {
  const { steps, log } = await moved();
  expect(steps.size('undo', log, 'pt-a', (name) => name !== 'm-2')).toBe(2);
});

test('where nothing is known of a movement an operation is a step', () => {
  expect(new Steps().size('undo', [add(1), edit(2, 'm-1'), edit(3, 'm-1')], 'pt-a', all)).toBe(1);
  expect(new Steps().size('undo', [], 'pt-a', all)).toBe(1);
});
