import { beforeEach, describe, expect, test } from 'vitest';
import { Crosshair, type Said } from '../src/annotation/crosshair';
import { Selection } from '../src/annotation/selection';
import { Tools, type Tool } from '../src/annotation/tools';
import type { Mark } from '../src/signalling/protocol';
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

beforeEach(() => {
  timers = new FakeTimers();
  tools = new Tools('k');
  selection = new Selection(timers);
  crosshair = new Crosshair(tools, selection);
  [marks, edits, deleted, said, permitted] = [[], [], [], [], true];
  tools.on('mark', (mark) => marks.push(mark));
  selection.on('edit', (marks) => edits.push(...marks));
  selection.on('delete', (names) => deleted.push(names));
  crosshair.on('said', (one) => said.push(one));
  crosshair.attach({
    anchor: () => anchor,
    newest: () => anchor,
    permit: () => permitted,
    mine: () => marks.map((mark) => ({ mark, author: 'me' })),
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
