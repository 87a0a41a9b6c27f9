import { beforeEach, describe, expect, test } from 'vitest';
import { stretch } from '../src/annotation/matrix';
import { Selection, type Selectable } from '../src/annotation/selection';
import { UNNAMED } from '../src/annotation/tools';
import type { Anchor, Mark, Point } from '../src/signalling/protocol';
import { mark } from './fakes/marks';
import { FakeTimers } from './fakes/timers';

const glass = { matrix: stretch(1000, 1000), reach: 12 };
const NOW = { producer: 7, rtp_timestamp: 180_000 };
const now = (): Anchor => NOW;
let timers: FakeTimers;
let selection: Selection;
let edits: Mark[];
/** Which went out together. */
let movements: string[][];
let deleted: string[][];

const line = mark('line', { shape: 'line', points: [[0.1, 0.1], [0.5, 0.1]] });
const box = mark('box', { shape: 'rectangle', points: [[0.2, 0.2], [0.4, 0.4]] });
const theirs = mark('theirs', { shape: 'line', points: [[0.1, 0.8], [0.5, 0.8]] });
const of = (...marks: Mark[]): Selectable[] => marks.map((one) => ({ mark: one, author: 'me' }));
const all = { mine: of(line, box), others: of(theirs) };

beforeEach(() => {
  timers = new FakeTimers();
  selection = new Selection(timers);
  edits = [];
  movements = [];
  deleted = [];
  selection.on('edit', (marks) => {
    edits.push(...marks);
    movements.push(marks.map(({ mark: name }) => name));
  });
  selection.on('delete', (marks) => deleted.push(marks));
});

function drag(from: Point, to: Point, anchor: () => Anchor | null = now, marks = all): void {
  selection.handleDown(from, glass, marks, anchor, false);
  selection.handleMove(to);
  selection.handleUp();
}

describe('by the pen', () => {
  test('a mark is taken at its line and moved onto the frame that is on the glass now', () => {
    drag([0.3, 0.105], [0.35, 0.205]);
    expect(edits).toEqual([{ ...line, anchor: NOW, points: [[0.15, 0.2], [0.55, 0.2]] }]);
    expect([...selection.selected]).toEqual(['line']);
  });

  test('beside every mark nothing is hit, and what was selected no longer is', () => {
    selection.select('line');
    expect(selection.handleDown([0.9, 0.9], glass, all, now, false)).toBe(false);
    expect(selection.selected.size).toBe(0);
  });

  test('a finger selects several once it is told to: each touch adds or takes away; beside every mark it ends', () => {
    const touch = (at: Point): boolean => {
      const hit = selection.handleDown(at, { ...glass, reach: 24 }, all, now, false);
      selection.handleUp();
      return hit;
    };
    touch([0.3, 0.1]);
    selection.setSeveral(true);
    touch([0.3, 0.2]);
    touch([0.3, 0.8]);
    expect([...selection.selected]).toEqual(['line', 'box', 'theirs']);
    touch([0.3, 0.1]);
    expect([...selection.selected]).toEqual(['box', 'theirs']);
    touch([0.9, 0.9]);
    expect([selection.selected.size, selection.several]).toEqual([0, false]);
    touch([0.3, 0.1]);
    touch([0.3, 0.2]);
    expect([...selection.selected]).toEqual(['box']);
  });

  test('a hand that trembles moves nothing', () => {
    drag([0.3, 0.1], [0.301, 0.1]);
    expect(edits).toEqual([]);
  });

  test('where the picture is frozen a mark can be selected but not moved', () => {
    drag([0.3, 0.1], [0.6, 0.4], () => null);
    expect([[...selection.selected], edits]).toEqual([['line'], []]);
    expect(selection.shown(line)).toBe(line);
  });

  test('the corner of the only one selected is moved by itself', () => {
    selection.select('box');
    drag([0.4, 0.4], [0.5, 0.45]);
    expect(edits[0]?.points).toEqual([[0.2, 0.2], [0.5, 0.45]]);
  });

  test('at the edge of the picture a mark keeps its form', () => {
    drag([0.3, 0.1], [0.9, 0.1]);
    expect(edits[0]?.points).toEqual([[0.6, 0.1], [1, 0.1]]);
  });

  test('several move together, and one of them leaves by itself', () => {
    selection.select('line');
    selection.handleDown([0.2, 0.3], glass, all, now, true);
    selection.handleMove([0.25, 0.3]);
    selection.handleUp();
    expect(movements).toEqual([['line', 'box']]);
    selection.handleDown([0.2, 0.3], glass, all, now, true);
    expect([...selection.selected]).toEqual(['line']);
  });

  test('another person’s mark can be selected and deleted, not moved', () => {
    drag([0.3, 0.8], [0.3, 0.9]);
    expect(edits).toEqual([]);
    selection.remove();
    expect(deleted).toEqual([['theirs']]);
  });

  test('Escape puts back what is in the hand', () => {
    selection.handleDown([0.3, 0.1], glass, all, now, false);
    selection.handleMove([0.3, 0.5]);
    expect(selection.shown(line)).not.toBe(line);
    selection.handleCancel();
    selection.handleUp();
    expect([selection.shown(line), edits]).toEqual([line, []]);
  });

  test('what follows the tissue is taken where it lies, and placed there', () => {
    const moved: Selectable[] = [{ mark: line, author: 'me', moved: [1, 0, 0, 1, 0, 0.5] }];
    drag([0.3, 0.6], [0.4, 0.6], now, { mine: moved, others: [] });
    expect(edits[0]?.points).toEqual([[0.2, 0.6], [0.6, 0.6]]);
  });

  test('onto a frame without a name it goes out when that has one, or back', () => {
    const unnamed = { producer: 7, rtp_timestamp: UNNAMED };
    drag([0.3, 0.1], [0.3, 0.2], () => unnamed);
    expect(edits).toEqual([]);
    expect(selection.shown(line).points[0]).toEqual([0.1, 0.2]);
    unnamed.rtp_timestamp = 4711;
    selection.handleName(unnamed, 4711);
    expect(edits.map(({ anchor }) => anchor)).toEqual([{ producer: 7, rtp_timestamp: 4711 }]);
    const lost = { producer: 7, rtp_timestamp: UNNAMED };
    drag([0.3, 0.1], [0.3, 0.2], () => lost);
    selection.handleName(lost, null);
    expect([edits.length, selection.shown(line)]).toEqual([1, line]);
  });
});

describe('by the keyboard', () => {
  test('steps that follow each other are one change', () => {
    selection.select('line');
    for (let step = 0; step < 3; step += 1) selection.nudge([0.01, 0], of(line), NOW);
    expect(edits).toEqual([]);
    expect(selection.shown(line).points[0]).toEqual([0.13, 0.1]);
    timers.advance(700);
    expect(edits.map(({ points }) => points)).toEqual([[[0.13, 0.1], [0.53, 0.1]]]);
  });

  test('several are one change', () => {
    selection.select('line', 'box');
    for (let step = 0; step < 2; step += 1) selection.nudge([0.01, 0], of(line, box), NOW);
    timers.advance(700);
    expect(movements).toEqual([['line', 'box']]);
  });

  test('something else in between ends the row of steps', () => {
    selection.select('line');
    selection.nudge([0.01, 0], of(line), NOW);
    selection.setWidth(0.003, of(selection.shown(line)));
    expect(edits.map(({ width, points }) => [width, points[0]])).toEqual([[0.006, [0.11, 0.1]], [0.003, [0.11, 0.1]]]);
  });
});

describe('what only looks different', () => {
  test('stays on its frame', () => {
    selection.select('line', 'box');
    selection.setWidth(0.0105, of(line, box));
    expect(edits.map(({ width, anchor }) => [width, anchor])).toEqual([[0.0105, line.anchor], [0.0105, box.anchor]]);
    expect(movements).toEqual([['line', 'box']]);
    // to what all have already nothing is asked for
    selection.setWidth(0.0105, of(...edits));
    expect(movements).toHaveLength(1);
  });

  test('words are changed as they are typed; a text does not become empty', () => {
    const text = mark('text', { shape: 'text', points: [[0.1, 0.1]], text: 'clip' });
    selection.select('text');
    const wanted: string[] = [];
    selection.on('text_wanted', ({ mark: one }) => wanted.push(one.text));
    selection.askForText(of(text));
    selection.setText(text, ' cut\there ');
    selection.setText(text, '  ');
    expect([wanted, edits.map((one) => one.text)]).toEqual([['clip'], ['cut here']]);
  });
});

test('what is gone is selected no longer', () => {
  selection.select('line', 'box');
  selection.handleMarks((name) => name === 'box');
  expect([...selection.selected]).toEqual(['box']);
});
