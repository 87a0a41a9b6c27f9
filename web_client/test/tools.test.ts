import { beforeEach, describe, expect, test } from 'vitest';
import { Tools, UNNAMED, type OutgoingEphemeral } from '../src/annotation/tools';
import { toolOfKey } from '../src/annotation/shapes';
import type { Mark, Point } from '../src/signalling/protocol';

const anchor = { producer: 7, rtp_timestamp: 3_735_928_559 };
let tools: Tools;
let marks: Mark[];
let said: OutgoingEphemeral[];

beforeEach(() => {
  tools = new Tools('5f0c2a9e');
  marks = [];
  said = [];
  tools.on('mark', (mark) => marks.push(mark));
  tools.on('ephemeral', (message) => said.push(message));
});

function draw(...points: Point[]): void {
  points.forEach((point, index) => {
    if (index === 0) tools.handleDown(point, anchor, 0);
    else tools.handleMove([point], { producer: 7, rtp_timestamp: 1 }, index * 40, false);
  });
  tools.handleUp();
}

test('a freehand mark holds its points and the frame at which the pen went down', () => {
  draw([0.1, 0.1], [0.2, 0.2], [0.3, 0.1]);
  expect(marks).toEqual([
    { mark: 'm-5f0c2a9e-1', shape: 'freehand', anchor, points: [[0.1, 0.1], [0.2, 0.2], [0.3, 0.1]], width: 0.006, text: '' },
  ]);
});

test('an arrow is tail and head, an ellipse two corners', () => {
  tools.choose('arrow');
  draw([0.1, 0.1], [0.2, 0.2], [0.4, 0.4]);
  tools.choose('ellipse');
  draw([0.1, 0.1], [0.5, 0.3]);
  expect(marks.map(({ shape, points }) => [shape, points])).toEqual([
    ['arrow', [[0.1, 0.1], [0.4, 0.4]]],
    ['ellipse', [[0.1, 0.1], [0.5, 0.3]]],
  ]);
});

test('a slip of the hand makes no arrow', () => {
  tools.choose('arrow');
  draw([0.1, 0.1], [0.101, 0.101]);
  expect(marks).toEqual([]);
});

test('a stroke in progress is said at most 30 times a second, its last points again', () => {
  tools.handleDown([0, 0], anchor, 0);
  for (let i = 1; i <= 100; i += 1) tools.handleMove([[i / 100, 0.5]], anchor, i * 10, false);
  expect(said.length).toBeLessThanOrEqual(31);
  const [first, second] = said;
  if (first?.type !== 'stroke' || second?.type !== 'stroke') throw new Error('No strokes were said.');
  expect(first.from).toBe(0);
  expect(second.from).toBeLessThanOrEqual(first.points.length);
  const last = said.at(-1);
  if (last?.type !== 'stroke') throw new Error('No stroke was said last.');
  expect(last.points.length).toBeGreaterThan(8);
});

test('a line longer than a mark may be goes on as another mark', () => {
  tools.handleDown([0, 0], anchor, 0);
  const points = Array.from({ length: 2500 }, (_, i): Point => [((i + 1) % 100) / 100, i / 2500]);
  tools.handleMove(points, anchor, 40, false);
  tools.handleUp();
  expect(marks.map(({ points: held }) => held.length)).toEqual([2000, 502]);
  expect(marks[1]?.points[0]).toEqual(marks[0]?.points.at(-1));
  expect(new Set(marks.map(({ mark }) => mark)).size).toBe(2);
});

test('Escape gives up what is being drawn', () => {
  tools.handleDown([0.1, 0.1], anchor, 0);
  tools.handleMove([[0.5, 0.5]], anchor, 40, false);
  tools.handleCancel();
  tools.handleUp();
  expect(marks).toEqual([]);
});

test('a text is asked for where one points, and placed there', () => {
  tools.choose('text');
  const wanted: Point[] = [];
  tools.on('text_wanted', ({ point }) => wanted.push(point));
  tools.handleDown([0.4, 0.6], anchor, 0);
  tools.handleText('  clip\nhere \u202e ');
  expect(wanted).toEqual([[0.4, 0.6]]);
  expect(marks[0]).toMatchObject({ shape: 'text', text: 'clip here', points: [[0.4, 0.6]], anchor });
});

test('while a text is typed the others learn on which frame, once a second, under the name that it will have', () => {
  tools.choose('text');
  tools.handleDown([0.4, 0.6], anchor, 0);
  for (let now = 100; now <= 2500; now += 100) tools.handleTyping(now);
  expect(said).toHaveLength(3);
  tools.handleText('clip here');
  expect(said[0]).toMatchObject({ type: 'stroke', shape: 'text', mark: marks[0]?.mark, anchor, from: 0, points: [[0.4, 0.6]] });
  tools.handleTyping(9000);
  expect(said).toHaveLength(3);
});

test('an empty text places nothing', () => {
  tools.choose('text');
  tools.handleDown([0.4, 0.6], anchor, 0);
  tools.handleText('   ');
  expect(marks).toEqual([]);
});

test('the laser pointer follows without being pressed and says when it leaves', () => {
  tools.choose('pointer');
  tools.handleMove([[0.1, 0.1]], anchor, 0, true);
  tools.handleMove([[0.2, 0.2]], anchor, 10, true);
  tools.handleMove([[0.3, 0.3]], anchor, 40, true);
  tools.handleLeave();
  tools.handleLeave();
  expect(said).toEqual([
    { type: 'pointer', anchor, point: [0.1, 0.1] },
    { type: 'pointer', anchor, point: [0.3, 0.3] },
    { type: 'pointer', anchor: null, point: null },
  ]);
});

test('what is drawn on a frame without a name is told to nobody before the frame has one', () => {
  const unnamed = { producer: 7, rtp_timestamp: UNNAMED };
  tools.handleDown([0.1, 0.1], unnamed, 0);
  tools.handleMove([[0.2, 0.2]], null, 40, false);
  tools.handleUp();
  expect([marks.length, said.length, tools.waiting.length]).toEqual([0, 0, 1]);
  tools.handleName(unnamed, 4711);
  expect(marks.map((mark) => [mark.points.length, mark.anchor])).toEqual([[2, { producer: 7, rtp_timestamp: 4711 }]]);
  expect(tools.waiting).toEqual([]);
});

test('a stroke under the pen goes out whole as soon as its frame has a name', () => {
  const unnamed = { producer: 7, rtp_timestamp: UNNAMED };
  tools.handleDown([0.1, 0.1], unnamed, 0);
  tools.handleMove([[0.2, 0.2]], null, 40, false);
  tools.handleName(unnamed, 4711);
  tools.handleMove([[0.3, 0.3]], null, 80, false);
  expect(said).toMatchObject([{ type: 'stroke', anchor: { rtp_timestamp: 4711 }, from: 0, points: [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]] }]);
});

test('a mark on a frame that never gets a name is taken back, and so it is said', () => {
  let lost = 0;
  tools.on('unnamed', () => (lost += 1));
  const unnamed = { producer: 7, rtp_timestamp: UNNAMED };
  tools.handleDown([0.1, 0.1], unnamed, 0);
  tools.handleMove([[0.2, 0.2]], null, 40, false);
  tools.handleUp();
  tools.handleName(unnamed, null);
  expect([marks.length, tools.waiting.length, lost]).toEqual([0, 0, 1]);
  // another frame's fate is nothing to it
  tools.handleDown([0.1, 0.1], anchor, 100);
  tools.handleName(unnamed, null);
  expect(tools.inProgress).not.toBeNull();
  expect(lost).toBe(1);
});

describe('shapes of several points', () => {
  test('a line is one drag, or two touches', () => {
    tools.choose('line');
    draw([0.1, 0.1], [0.3, 0.3]);
    touch([0.5, 0.5]);
    expect(tools.inProgress?.points).toEqual([[0.5, 0.5], [0.5, 0.5]]);
    tools.handleMove([[0.6, 0.6]], anchor, 0, true);
    expect(tools.inProgress?.points).toEqual([[0.5, 0.5], [0.6, 0.6]]);
    touch([0.7, 0.7]);
    expect(marks.map(({ points }) => points)).toEqual([[[0.1, 0.1], [0.3, 0.3]], [[0.5, 0.5], [0.7, 0.7]]]);
  });

  test('a polygon ends on its first corner, twice on its last, or by hand, and never with two', () => {
    tools.choose('polygon');
    for (const at of [[0.1, 0.1], [0.3, 0.1], [0.3, 0.3], [0.105, 0.105]] as Point[]) touch(at);
    for (const at of [[0.1, 0.1], [0.3, 0.1], [0.3, 0.3], [0.3, 0.3]] as Point[]) touch(at);
    for (const at of [[0.5, 0.5], [0.7, 0.5]] as Point[]) touch(at);
    tools.handleEnd();
    expect(marks.length).toBe(2);
    touch([0.7, 0.7]);
    tools.handleEnd();
    expect(marks.map(({ points }) => points.length)).toEqual([3, 3, 3]);
    expect(marks[2]?.points).toEqual([[0.5, 0.5], [0.7, 0.5], [0.7, 0.7]]);
  });

  test('an angle has three points, Cobb’s four', () => {
    tools.choose('angle');
    for (const at of [[0.1, 0.1], [0.2, 0.2], [0.3, 0.1]] as Point[]) touch(at);
    tools.choose('cobb');
    for (const at of [[0.1, 0.1], [0.2, 0.2], [0.3, 0.1], [0.4, 0.2]] as Point[]) touch(at);
    expect(marks.map(({ shape, points }) => [shape, points.length])).toEqual([['angle', 3], ['cobb', 4]]);
  });

  test('a pin stands where the finger was lifted, and a cancelled one nowhere', () => {
    tools.choose('pin');
    tools.handleDown([0.1, 0.1], anchor, 0);
    tools.handleMove([[0.2, 0.2]], anchor, 10, false);
    tools.handleUp();
    tools.handleDown([0.5, 0.5], anchor, 20);
    tools.handleCancel();
    tools.handleUp();
    expect(marks.map(({ shape, points }) => [shape, points])).toEqual([['pin', [[0.2, 0.2]]]]);
    expect(said).toEqual([]);
  });

  test('are seen by the others in progress: the last point follows the pen', () => {
    tools.choose('polygon');
    touch([0.1, 0.1]);
    tools.handleMove([[0.2, 0.2]], anchor, 100, true);
    tools.handleMove([[0.3, 0.2]], anchor, 200, true);
    const strokes = said.flatMap((message) => (message.type === 'stroke' ? [message] : []));
    expect(strokes.map(({ shape, from, points }) => [shape, from, points])).toEqual([
      ['polygon', 0, [[0.1, 0.1], [0.2, 0.2]]],
      ['polygon', 0, [[0.1, 0.1], [0.3, 0.2]]],
    ]);
  });
});

test('a known length asks how long it is, and is no mark', () => {
  const wanted: Point[][] = [];
  tools.on('calibrate_wanted', ({ points }) => wanted.push(points));
  tools.choose('calibrate');
  draw([0.1, 0.1], [0.2, 0.1], [0.3, 0.1]);
  expect([wanted, marks, said]).toEqual([[[[0.1, 0.1], [0.3, 0.1]]], [], []]);
});

test('the pressure of a pen goes with its points; a mouse has none', () => {
  tools.handleDown([0.1, 0.1], anchor, 0, 0.25);
  tools.handleMove([[0.2, 0.1], [0.3, 0.1]], anchor, 10, false, [0.5, 1.2]);
  tools.handleUp();
  draw([0.1, 0.2], [0.2, 0.2]);
  expect(marks.map(({ points, pressures }) => [points.length, pressures])).toEqual([[3, [0.25, 0.5, 1]], [2, undefined]]);
});

test('what is to follow the tissue asks for it on a live picture only', () => {
  tools.setFollow(true);
  tools.setWidth(0.003);
  draw([0.1, 0.1], [0.2, 0.2]);
  tools.handleDown([0.1, 0.1], { board: 3 }, 0);
  tools.handleUp();
  tools.handleDown([0.1, 0.1], { ...anchor, still: true }, 0);
  tools.handleUp();
  expect(marks.map(({ follow, width }) => [follow, width])).toEqual([[true, 0.003], [undefined, 0.003], [undefined, 0.003]]);
});

test('a pen that hovers is told, seldom, and says when it leaves', () => {
  for (let at = 0; at < 400; at += 10) tools.handleMove([[at / 1000, 0.5]], anchor, at, true);
  tools.handleLeave();
  const pointers = said.flatMap((message) => (message.type === 'pointer' ? [message] : []));
  expect(pointers.length).toBe(6);
  expect(pointers[0]).toEqual({ type: 'pointer', anchor, point: [0, 0.5], ghost: true });
  expect(pointers.at(-1)).toEqual({ type: 'pointer', anchor: null, point: null });
});

function touch(at: Point): void {
  tools.handleDown(at, anchor, 0);
  tools.handleUp();
}

test('what was given up is taken from the others’ glass', () => {
  tools.handleDown([0.1, 0.1], anchor, 0);
  tools.handleMove([[0.2, 0.2]], anchor, 40, false);
  tools.handleCancel();
  tools.handleCancel();
  expect(said.map(({ type }) => type)).toEqual(['stroke', 'pointer']);
  expect(said.at(-1)).toEqual({ type: 'pointer', anchor: null, point: null });
});

test('digits and letters choose tools; space, which counts as nought, does not', () => {
  expect(['1', '9', '0', 's', 'k'].map(toolOfKey)).toEqual(['freehand', 'pin', 'length', 'select', 'calibrate']);
  expect([' ', '', 'q', '10', '１'].map(toolOfKey)).toEqual([null, null, null, null, null]);
});
