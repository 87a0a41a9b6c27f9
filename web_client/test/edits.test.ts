import { expect, test } from 'vitest';
import { Replica } from '../src/annotation/document';
import { together } from '../src/annotation/together';
import type { Track } from '../src/signalling/marks';
import { add, logged, mark } from './fakes/marks';

const wide = mark('m-1', { width: 0.02 });

function follower(): Replica {
  const replica = new Replica();
  replica.handleOperation(add(1, 'pt-a', 'm-1'));
  return replica;
}

test('an edit takes the place of its mark, and comes off again', () => {
  const replica = follower();
  replica.handleOperation(add(2, 'pt-b'));
  replica.handleOperation(logged(3, 'pt-a', { kind: 'edit', mark: wide }));
  expect(replica.visible.map((one) => [one.sequence, one.mark.width])).toEqual([[1, 0.02], [2, 0.006]]);
  replica.handleOperation(logged(4, 'pt-a', { kind: 'undo', target: 3 }));
  expect(replica.find('m-1')?.mark.width).toBe(0.006);
  replica.handleOperation(logged(5, 'pt-s', { kind: 'delete', marks: ['m-1'] }));
  expect(replica.find('m-1')).toBeNull();
});

test("one's own edits are shown at once, and an early answer does not bring a later one off", () => {
  const replica = follower();
  replica.addPending([wide], 'pt-a', 'A', '#fff', 'edit');
  const wider = mark('m-1', { width: 0.03 });
  replica.addPending([wider], 'pt-a', 'A', '#fff', 'edit');
  replica.handleOperation(logged(2, 'pt-a', { kind: 'edit', mark: wide }));
  expect(replica.visible.map((one) => [one.sequence, one.mark.width])).toEqual([[null, 0.03]]);
  replica.handleOperation(logged(3, 'pt-a', { kind: 'edit', mark: wider }));
  expect(replica.visible.map((one) => [one.sequence, one.mark.width])).toEqual([[1, 0.03]]);
  expect(replica.pending).toEqual([]);
});

test('after a break an add that was edited since is asked for as both', () => {
  const replica = new Replica();
  replica.addPending([mark('m-1')], 'pt-a', 'A', '#fff');
  replica.addPending([wide], 'pt-a', 'A', '#fff', 'edit');
  replica.addPending([mark('m-2')], 'pt-a', 'A', '#fff');
  expect(replica.resumePending().map(({ kind, marks }) => [kind, ...marks.map(({ mark: name, width }) => [name, width])])).toEqual([
    ['add', ['m-1', 0.02]],
    ['add', ['m-2', 0.006]],
    ['edit', ['m-1', 0.02]],
  ]);
});

test('an edit of what is not known asks for all', () => {
  const replica = follower();
  const gaps: number[] = [];
  replica.on('gap', ({ after }) => gaps.push(after));
  replica.handleOperation(logged(2, 'pt-a', { kind: 'edit', mark: mark('m-9') }));
  replica.handleSnapshot({ after: 7, sequence: 9, operations: [] });
  expect(gaps).toEqual([0, 1]);
  expect(replica.sequence).toBe(1);
});

test('a track holds until its mark is moved', () => {
  const replica = follower();
  const track: Track = { mark: 'm-1', state: 'good', matrix: [1, 0, 0, 1, 0.1, 0], confidence: 0.9 };
  const anchor = { producer: 7, rtp_timestamp: 1 };
  replica.handleOperation(logged(2, 'tracker', { kind: 'track', tracks: [track], anchor }));
  expect(replica.trackOf('m-1')).toEqual(track);
  // restyled, back, and again
  replica.handleOperation(logged(3, 'pt-a', { kind: 'edit', mark: wide }));
  replica.handleOperation(logged(4, 'pt-a', { kind: 'undo', target: 3 }));
  replica.handleOperation(logged(5, 'pt-a', { kind: 'redo', target: 3 }));
  expect(replica.trackOf('m-1')).toEqual(track);
  // in one's own hand nobody has looked at it, before the server has numbered it
  const moved = { ...wide, points: wide.points.map(([x, y]): [number, number] => [x + 0.1, y]) };
  replica.addPending([moved], 'pt-a', 'A', '#fff', 'edit');
  expect(replica.trackOf('m-1')).toBeNull();
  replica.handleOperation(logged(6, 'pt-a', { kind: 'edit', mark: moved }));
  expect(replica.trackOf('m-1')).toBeNull();
  replica.handleOperation(logged(7, 'tracker', { kind: 'track', tracks: [track], anchor }));
  expect(replica.trackOf('m-1')).toEqual(track);
  replica.handleOperation(logged(8, 'pt-a', { kind: 'undo', target: 6 }));
  expect(replica.trackOf('m-1')).toBeNull();
});

test('a clear keeps to its surface', () => {
  const replica = follower();
  replica.handleOperation(logged(2, 'pt-a', { kind: 'add', mark: mark('m-2', { anchor: { board: 1 } }) }));
  replica.handleOperation(logged(3, 'pt-s', { kind: 'clear_field' }));
  expect(replica.visible.map((one) => one.mark.mark)).toEqual(['m-2']);
  replica.handleOperation(logged(4, 'pt-a', { kind: 'clear_own', of: 'board' }));
  expect(replica.visible).toEqual([]);
});

test('notes stand beside the marks', () => {
  const replica = follower();
  const anchor = { producer: 7, rtp_timestamp: 1 };
  replica.handleOperation(logged(2, 'pt-a', { kind: 'say', text: 'hello' }));
  replica.handleOperation(logged(3, 'pt-s', { kind: 'calibrate', anchor, points: [[0, 0], [1, 0]], millimetres: 30 }));
  replica.handleOperation(logged(4, 'pt-a', { kind: 'page', board: 2, title: 'Plan' }));
  expect(replica.chat).toMatchObject([{ text: 'hello', author: 'pt-a', sequence: 2 }]);
  expect(replica.calibrations.get(7)).toMatchObject({ millimetres: 30 });
  expect(replica.boards).toMatchObject([{ board: 2, title: 'Plan' }]);
  replica.handleOperation(logged(5, 'pt-s', { kind: 'calibrate', anchor, points: [], millimetres: null }));
  expect(replica.calibrations.size).toBe(0);
  expect(replica.visible).toHaveLength(1);
});

const both = [mark('m-1', { width: 0.02 }), mark('m-2', { width: 0.02 })];
const widths = (replica: Replica): [string, number][] => replica.visible.map(({ mark: one }) => [one.mark, one.width]);

/** Two marks of one's own. */
function two(): Replica {
  const replica = follower();
  replica.handleOperation(add(2, 'pt-a', 'm-2'));
  return replica;
}

test('what was changed together comes back by one undo, and goes again by one redo', () => {
  const replica = two();
  replica.handleOperation(logged(3, 'pt-a', { kind: 'edit', marks: both }));
  expect(widths(replica)).toEqual([['m-1', 0.02], ['m-2', 0.02]]);
  replica.handleOperation(logged(4, 'pt-a', { kind: 'undo', target: 3 }));
  expect(widths(replica)).toEqual([['m-1', 0.006], ['m-2', 0.006]]);
  replica.handleOperation(logged(5, 'pt-a', { kind: 'redo', target: 3 }));
  expect(widths(replica)).toEqual([['m-1', 0.02], ['m-2', 0.02]]);
});

test('an edit of several of which one is not known asks for all', () => {
  const replica = follower();
  const gaps: number[] = [];
  replica.on('gap', ({ after }) => gaps.push(after));
  replica.handleOperation(logged(2, 'pt-a', { kind: 'edit', marks: both }));
  expect(gaps).toEqual([0]);
  expect(widths(replica)).toEqual([['m-1', 0.006]]);
});

test('after a break what was changed together is asked for together, behind the adds', () => {
  const replica = two();
  replica.addPending(both, 'pt-a', 'A', '#fff', 'edit');
  replica.addPending([mark('m-3')], 'pt-a', 'A', '#fff');
  replica.addPending([mark('m-2', { width: 0.03 }), mark('m-3', { width: 0.03 })], 'pt-a', 'A', '#fff', 'edit');
  const asked = replica.resumePending().map(({ kind, marks }) => [kind, ...marks.map((one) => one.mark)]);
  expect(asked).toEqual([['add', 'm-3'], ['edit', 'm-1'], ['edit', 'm-2', 'm-3']]);
});

test('what the server left out of an edit, since it was gone, is not shown as changed when it comes back', () => {
  const replica = two();
  replica.addPending(both, 'pt-a', 'A', '#fff', 'edit');
  replica.handleOperation(logged(3, 'pt-s', { kind: 'delete', marks: ['m-2'] }));
  replica.handleOperation(logged(4, 'pt-a', { kind: 'edit', mark: mark('m-1', { width: 0.02 }) }));
  replica.handleAnswer(4, both);
  replica.handleOperation(logged(5, 'pt-s', { kind: 'undo', target: 3 }));
  expect([widths(replica), replica.pending]).toEqual([[['m-1', 0.02], ['m-2', 0.006]], []]);
});

test('nor is it where the answer comes before what it numbers', () => {
  const replica = two();
  replica.addPending(both, 'pt-a', 'A', '#fff', 'edit');
  replica.handleAnswer(4, both);
  expect(replica.pending).toHaveLength(2);
  // the numbers between were lost on the way
  replica.handleOperation(logged(4, 'pt-a', { kind: 'edit', mark: mark('m-1', { width: 0.02 }) }));
  replica.handleSnapshot({ after: 2, sequence: 3, operations: [logged(3, 'pt-s', { kind: 'delete', marks: ['m-2'] })] });
  expect([widths(replica), replica.pending]).toEqual([[['m-1', 0.02]], []]);
});

test('more than a message holds goes out as several edits, none of them too large', () => {
  const points = Array.from({ length: 2000 }, (_, n): [number, number] => [0.12345, 0.1 + n / 1e5]);
  const long = Array.from({ length: 20 }, (_, n) => mark(`m-${n}`, { points }));
  const parts = together(long);
  expect(parts.flat()).toEqual(long);
  expect(parts.length).toBeLessThan(5);
  const sizes = parts.map((marks) => new TextEncoder().encode(JSON.stringify({ type: 'mark', id: 2 ** 53, operation: { kind: 'edit', marks } })).length);
  expect(Math.max(...sizes)).toBeLessThan(262_144);
  expect(together(Array.from({ length: 2001 }, (_, n) => mark(`m-${n}`))).map((marks) => marks.length)).toEqual([1000, 1000, 1]);
  expect(together([])).toEqual([]);
});
