import { expect, test } from 'vitest';
import { Replica } from '../src/annotation/document';
import type { LoggedOperation } from '../src/signalling/protocol';
import { add, logged, mark } from './fakes/marks';

function replicaOf(...operations: LoggedOperation[]): Replica {
  const replica = new Replica();
  for (const operation of operations) replica.handleOperation(operation);
  return replica;
}

const names = (replica: Replica): string[] => replica.visible.map((visible) => visible.mark.mark);

test('adds are visible in their order', () => {
  expect(names(replicaOf(add(1), add(2, 'pt-b'), add(3)))).toEqual(['m-1', 'm-2', 'm-3']);
});

test('undo hides, redo of the same target shows again', () => {
  const undo = logged(3, 'pt-a', { kind: 'undo', target: 2 });
  const redo = logged(4, 'pt-a', { kind: 'redo', target: 2 });
  expect(names(replicaOf(add(1), add(2), undo))).toEqual(['m-1']);
  expect(names(replicaOf(add(1), add(2), undo, redo))).toEqual(['m-1', 'm-2']);
});

test('clear_own clears what the author added before, and nobody else’s', () => {
  const replica = replicaOf(add(1), add(2, 'pt-b'), logged(3, 'pt-a', { kind: 'clear_own' }), add(4));
  expect(names(replica)).toEqual(['m-2', 'm-4']);
});

test('clear_field clears everybody’s, and undone gives all back', () => {
  const clear = logged(3, 'pt-s', { kind: 'clear_field' });
  expect(names(replicaOf(add(1), add(2, 'pt-b'), clear))).toEqual([]);
  expect(names(replicaOf(add(1), add(2, 'pt-b'), clear, logged(4, 'pt-s', { kind: 'undo', target: 3 })))).toEqual(['m-1', 'm-2']);
});

test('a clear brought back by redo covers only what it covered', () => {
  const replica = replicaOf(
    add(1),
    logged(2, 'pt-s', { kind: 'clear_field' }),
    logged(3, 'pt-s', { kind: 'undo', target: 2 }),
    add(4, 'pt-b'),
    logged(5, 'pt-s', { kind: 'redo', target: 2 }),
  );
  expect(names(replica)).toEqual(['m-4']);
});

test('what is known already changes nothing', () => {
  const replica = replicaOf(add(1), add(2), add(1), add(2));
  expect(names(replica)).toEqual(['m-1', 'm-2']);
  expect(replica.sequence).toBe(2);
});

test('a gap is noticed, nothing is taken until it is closed, then what came early is', () => {
  const replica = replicaOf(add(1));
  const gaps: number[] = [];
  replica.on('gap', ({ after }) => gaps.push(after));
  replica.handleOperation(add(4));
  expect(gaps).toEqual([1]);
  expect(names(replica)).toEqual(['m-1']);
  replica.handleSnapshot({ after: 1, sequence: 3, operations: [add(2), add(3)] });
  expect(names(replica)).toEqual(['m-1', 'm-2', 'm-3', 'm-4']);
  expect(replica.sequence).toBe(4);
});

test('a snapshot from the beginning replaces what is held', () => {
  const replica = replicaOf(add(1), add(2));
  replica.handleSnapshot({ after: 0, sequence: 9, operations: [add(7)] });
  expect(names(replica)).toEqual(['m-7']);
  expect(replica.sequence).toBe(9);
});

test('an undo of something unknown asks for the whole log and keeps what is seen', () => {
  const replica = new Replica();
  replica.handleSnapshot({ after: 0, sequence: 5, operations: [add(4)] });
  const gaps: number[] = [];
  replica.on('gap', ({ after }) => gaps.push(after));
  replica.handleOperation(logged(6, 'pt-a', { kind: 'redo', target: 2 }));
  expect(gaps).toEqual([0]);
  expect(names(replica)).toEqual(['m-4']);
  replica.handleSnapshot({ after: 0, sequence: 6, operations: [add(2), add(4)] });
  expect(names(replica)).toEqual(['m-2', 'm-4']);
});

test('one’s own mark is seen at once, confirmed by its number, or removed when refused', () => {
  const replica = replicaOf(add(1));
  replica.addPending([mark('m-mine')], 'pt-me', 'Me', '#fff');
  replica.addPending([mark('m-refused')], 'pt-me', 'Me', '#fff');
  expect(replica.visible.map(({ sequence }) => sequence)).toEqual([1, null, null]);
  replica.handleOperation(add(2, 'pt-me', 'm-mine'));
  replica.removePending([mark('m-refused')]);
  expect(replica.visible.map(({ mark: { mark: name }, sequence }) => [name, sequence])).toEqual([
    ['m-1', 1],
    ['m-mine', 2],
  ]);
});

/** A small generator with a seed: the same histories every time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])('history %i: any loss and duplication, repaired, ends in the same marks', (seed) => {
  const next = random(seed);
  const log: LoggedOperation[] = [];
  const undone = new Map<string, number[]>();
  for (let sequence = 1; sequence <= 120; sequence += 1) {
    const author = `pt-${Math.floor(next() * 3)}`;
    const dice = next();
    const standing = log.filter((each) => each.author === author && (each.operation.kind === 'add' || each.operation.kind.startsWith('clear')));
    const back = undone.get(author) ?? [];
    const target = standing.map(({ sequence: at }) => at).filter((at) => !back.includes(at)).at(-1);
    const redo = back.at(-1);
    if (dice < 0.2 && target !== undefined) {
      undone.set(author, [...back, target]);
      log.push(logged(sequence, author, { kind: 'undo', target }));
    } else if (dice < 0.3 && redo !== undefined) {
      undone.set(author, back.slice(0, -1));
      log.push(logged(sequence, author, { kind: 'redo', target: redo }));
    } else if (dice < 0.34) log.push(logged(sequence, author, { kind: next() < 0.5 ? 'clear_own' : 'clear_field' }));
    else log.push(add(sequence, author));
  }
  const whole = replicaOf(...log);
  const lossy = new Replica();
  lossy.on('gap', ({ after }) => {
    const until = lossy.sequence + 1 + Math.floor(next() * 20);
    const operations = log.filter(({ sequence }) => sequence > after && sequence <= until);
    lossy.handleSnapshot({ after, sequence: operations.at(-1)?.sequence ?? after, operations });
  });
  for (const operation of log) {
    if (next() < 0.3 && operation.sequence < log.length) continue;
    lossy.handleOperation(operation);
    if (next() < 0.2) lossy.handleOperation(operation);
  }
  // the last repair may have ended before the newest: as the next notice would
  for (let i = 0; i < 20 && lossy.sequence < log.length; i += 1) {
    lossy.handleSnapshot({ after: lossy.sequence, sequence: log.length, operations: log.slice(lossy.sequence) });
  }
  expect(names(lossy)).toEqual(names(whole));
  expect(names(whole).length).toBeGreaterThan(0);
});
