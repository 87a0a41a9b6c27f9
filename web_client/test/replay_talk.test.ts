import { expect, test } from 'vitest';
import type { Description } from '../src/replay/description';
import { boardsAt, hasBoard, pageAt, talkOf } from '../src/replay/talk';
import type { Operation } from '../src/signalling/marks';

const mark = (board: number) => ({ mark: `m-${board}`, shape: 'line' as const, anchor: { board }, points: [], width: 0.004, text: '' });
const file = { file: 'f-1', name: 'a.pdf', size: 3, digest: 'ab', type: 'application/pdf' };

function recording(...operations: [number, Operation][]): Description {
  return {
    started: 1_000_000,
    operations: operations.map(([at, operation], index) => ({ at, operation, sequence: index + 1, author: 'pt-1', name: 'Dr. Li', colour: '#fff' })),
  } as unknown as Description;
}

test('what was written and sent stands at its moment', () => {
  const lines = talkOf(recording([1.5, { kind: 'say', text: 'a\nb' }], [2, { kind: 'undo', target: 1 }], [3, { kind: 'file', file }]));
  expect(lines.map(({ at, time, kind, name }) => [at, time, kind, name])).toEqual([
    [1.5, 1_001_500, 'say', 'Dr. Li'],
    [3, 1_003_000, 'file', 'Dr. Li'],
  ]);
});

test('the whiteboard has the pages of the moment, and shows the one last drawn on', () => {
  const told = recording([1, { kind: 'add', mark: mark(1) }], [2, { kind: 'page', board: 3, title: 'Plan' }], [4, { kind: 'page', board: 3, title: 'Plan B' }], [5, { kind: 'add', mark: mark(1) }]);
  expect([hasBoard(told), hasBoard(recording([1, { kind: 'say', text: 'x' }]))]).toEqual([true, false]);
  expect(boardsAt(told, 1)).toEqual([]);
  expect(boardsAt(told, 3)).toEqual([{ board: 3, title: 'Plan' }]);
  expect(boardsAt(told, 9)).toEqual([{ board: 3, title: 'Plan B' }]);
  expect([0, 1, 3, 9].map((at) => pageAt(told, at))).toEqual([1, 1, 3, 1]);
});
