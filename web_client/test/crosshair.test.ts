import { beforeEach, describe, expect, test } from 'vitest';
import { Crosshair, type Said } from '../src/annotation/crosshair';
import { Selection } from '../src/annotation/selection';
import { Tools, type Tool } from '../src/annotation/tools';
import type { Mark } from '../src/signalling/protocol';
import { mark } from './fakes/marks';
import { FakeTimers } from './fakes/timers';

const anchor = { producer: 7, rtp_timestamp: 90_000 };
const PLAIN = { shift: false, control: false };
const LARGE = { shift: true, control: false };
let timers: FakeTimers;
let tools: Tools;
let selection: Selection;
let crosshair: Crosshair;
let marks: Mark[];
let edits: Mark[];
let deleted: string[][];
let said: Said[];
let permitted: boolean;
let theirs: Mark[];

beforeEach(() => {
  timers = new FakeTimers();
  tools = new Tools('k');
  selection = new Selection(timers);
  crosshair = new Crosshair(tools, selection);
  [marks, edits, deleted, said, permitted, theirs] = [[], [], [], [], true, []];
  tools.on('mark', (mark) => marks.push(mark));
  selection.on('edit', (marks) => edits.push(...marks));
  selection.on('delete', (names) => deleted.push(names));
  crosshair.on('said', (one) => said.push(one));
  crosshair.attach({
    anchor: () => anchor,
    newest: () => anchor,
    permit: () => permitted,
    mine: () => marks.map((mark) => ({ mark: selection.shown(mark), author: 'me' })),
    others: () => theirs.map((mark) => ({ mark, author: 'you' })),
    aspect: 2,
  });
});

function keys(...pressed: string[]): boolean[] {
  return pressed.map((key) => crosshair.handleKey(key, key.startsWith('SHIFT ') ? LARGE : PLAIN, timers.now()));
}

function right(times: number, modifiers = PLAIN): void {
  for (let i = 0; i < times; i += 1) crosshair.handleKey('arrowright', modifiers, timers.now());
}

describe('placing without a mouse', () => {
  test('the first arrow key shows the crosshair in the middle; steps are the same in both directions of the screen', () => {
    tools.choose('arrow');
    keys('arrowright');
    expect(crosshair.at).toEqual([0.5, 0.5]);
    keys('arrowright', 'arrowdown');
    expect(crosshair.at).toEqual([0.505, 0.51]);
    right(1, LARGE);
    expect(crosshair.at).toEqual([0.53, 0.51]);
  });

  test('Enter sets tail and head of an arrow, and the arrow keys nudge it then', () => {
    tools.choose('arrow');
    right(1);
    keys('enter');
    right(4, LARGE);
    expect(tools.inProgress?.points).toEqual([[0.5, 0.5], [0.6, 0.5]]);
    keys('enter');
    expect(marks.map(({ shape, points }) => [shape, points])).toEqual([['arrow', [[0.5, 0.5], [0.6, 0.5]]]]);
    expect(said.map(({ kind }) => kind)).toEqual(['crosshair', 'point_set', 'placed']);
    keys('arrowup', 'arrowup');
    timers.advance(1000);
    expect(edits.map(({ points }) => points)).toEqual([[[0.5, 0.48], [0.6, 0.48]]]);
  });

  test('Enter begins another where the crosshair is; the one before is selected no longer', () => {
    tools.choose('pin');
    right(1);
    keys('enter', 'enter');
    expect(marks.map(({ shape }) => shape)).toEqual(['pin', 'pin']);
  });

  test('a polygon ends where Enter is pressed twice', () => {
    tools.choose('polygon');
    right(1);
    keys('enter');
    right(2, LARGE);
    keys('enter', 'arrowdown', 'arrowdown', 'enter', 'enter');
    expect(marks.map(({ shape, points }) => [shape, points])).toEqual([['polygon', [[0.5, 0.5], [0.55, 0.5], [0.55, 0.52]]]]);
  });

  test('a line by freehand runs from Enter to Enter', () => {
    right(1);
    keys('enter');
    right(3);
    keys('enter');
    expect(marks[0]?.points).toEqual([[0.5, 0.5], [0.505, 0.5], [0.51, 0.5], [0.515, 0.5]]);
  });

  test('Escape gives up one thing at a time: the mark, what is selected, the crosshair', () => {
    tools.choose('arrow');
    right(1);
    keys('enter', 'escape');
    expect([tools.inProgress, crosshair.at]).toEqual([null, [0.5, 0.5]]);
    selection.select('x');
    keys('escape');
    expect([selection.selected.size, crosshair.at]).toEqual([0, [0.5, 0.5]]);
    expect(keys('escape', 'escape')).toEqual([true, false]);
    expect(crosshair.at).toBeNull();
  });

  test('nothing is begun where the picture may not be drawn on', () => {
    permitted = false;
    tools.choose('pin');
    right(1);
    keys('enter');
    expect(marks).toEqual([]);
  });
});

describe('what is selected', () => {
  test('Enter goes from one’s newest mark to the oldest and round again', () => {
    tools.choose('pin');
    right(1);
    keys('enter', 'escape', 'arrowright', 'enter', 'escape');
    tools.choose('select');
    keys('enter', 'enter', 'enter');
    const names = said.flatMap((one) => (one.kind === 'selected' ? [[one.mark, one.index, one.count]] : []));
    expect(names).toEqual([['m-k-2', 1, 2], ['m-k-1', 2, 2], ['m-k-2', 1, 2]]);
  });

  test('a full stop takes hold of one point after another; the arrow keys bend the mark there, Escape lets go of it', () => {
    marks.push(mark('m-1', { shape: 'angle', points: [[0.2, 0.2], [0.4, 0.4], [0.6, 0.2]] }));
    tools.choose('select');
    keys('enter', '.', '.', 'arrowdown', 'arrowdown');
    expect(selection.handle).toBe(1);
    timers.advance(1000);
    expect(edits.map(({ points }) => points)).toEqual([[[0.2, 0.2], [0.4, 0.42], [0.6, 0.2]]]);
    keys(',', ',');
    expect(selection.handle).toBe(2);
    expect(said.flatMap((one) => (one.kind === 'point_chosen' ? [`${one.index}/${one.count}`] : []))).toEqual(['1/3', '2/3', '1/3', '3/3']);
    keys('escape');
    expect([selection.handle, [...selection.selected]]).toEqual([null, ['m-1']]);
    keys('arrowright');
    timers.advance(1000);
    expect(edits.at(-1)?.points.map(([x]) => x)).toEqual([0.205, 0.405, 0.605]);
  });

  test('a mark without points of its own says so, and another selection lets go of the point', () => {
    marks.push(mark('m-1', { shape: 'pin', points: [[0.2, 0.2]] }), mark('m-2', { shape: 'line', points: [[0.2, 0.2], [0.4, 0.4]] }));
    tools.choose('select');
    expect(keys('.')).toEqual([false]);
    keys('enter', '.');
    expect(selection.handle).toBe(0);
    keys('enter');
    expect(selection.handle).toBeNull();
    keys('.');
    expect(said.at(-1)).toEqual({ kind: 'no_points' });
  });

  test('surgeon and chair come to the marks of others behind their own: these are deleted, never moved', () => {
    marks.push(mark('m-1', { shape: 'line', points: [[0.2, 0.2], [0.4, 0.4]] }));
    theirs.push(mark('m-9', { shape: 'line', points: [[0.5, 0.2], [0.6, 0.4]] }));
    tools.choose('select');
    keys('enter', 'enter');
    expect(said.map((one) => [one.kind, 'author' in one ? one.author : ''])).toEqual([['selected', ''], ['selected_of', 'you']]);
    expect(keys('arrowleft')).toEqual([true]);
    timers.advance(1000);
    expect([edits, said.at(-1)]).toEqual([[], { kind: 'not_yours' }]);
    keys('delete');
    expect(deleted).toEqual([['m-9']]);
  });

  test('Delete removes it; without a selection the key is not for the pen', () => {
    selection.select('m-1', 'm-2');
    expect(keys('delete', 'delete')).toEqual([true, false]);
    expect(deleted).toEqual([['m-1', 'm-2']]);
  });
});

test.each<[string, Tool]>([['enter', 'freehand'], ['arrowleft', 'select'], ['escape', 'arrow'], ['x', 'arrow']])('%s with the tool %s is no key of the pen as long as nothing was begun', (key, tool) => {
  tools.choose(tool);
  expect(keys(key)).toEqual([false]);
});

test('without a picture that has the pen no key is taken', () => {
  const other = new Crosshair(tools, selection);
  expect(other.handleKey('arrowright', PLAIN, 0)).toBe(false);
});
