import { beforeEach, expect, test } from 'vitest';
import { Tools, UNNAMED, type OutgoingEphemeral } from '../src/annotation/tools';
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
