import { expect, test } from 'vitest';
import { EphemeralLane } from '../src/annotation/ephemeral';
import type { Point, ReceivedEphemeral } from '../src/signalling/protocol';

const anchor = { producer: 7, rtp_timestamp: 1 };
const pointer = (n: number, point: Point | null): ReceivedEphemeral => ({
  type: 'pointer',
  anchor: point === null ? null : anchor,
  point,
  sent: 0,
  n,
  author: 'pt-a',
});
const stroke = (n: number, from: number, points: Point[], mark = 'm-1'): ReceivedEphemeral => ({
  type: 'stroke',
  mark,
  shape: 'freehand',
  anchor,
  from,
  points,
  width: 0.006,
  sent: 0,
  n,
  author: 'pt-a',
});
const points = (lane: EphemeralLane, now: number): Point[] | undefined => lane.strokes(now)[0]?.points;

test('the latest pointer wins, what is older is ignored', () => {
  const lane = new EphemeralLane();
  lane.handleMessage(pointer(2, [0.2, 0.2]), 0);
  lane.handleMessage(pointer(1, [0.1, 0.1]), 1);
  expect(lane.pointers(2)[0]?.trail.at(-1)?.point).toEqual([0.2, 0.2]);
});

test('a pointer goes when it says so, and when it was silent for a second', () => {
  const lane = new EphemeralLane();
  lane.handleMessage(pointer(1, [0.2, 0.2]), 0);
  lane.handleMessage(pointer(2, null), 10);
  expect(lane.pointers(10)).toEqual([]);
  lane.handleMessage(pointer(3, [0.2, 0.2]), 20);
  expect(lane.pointers(1020).length).toBe(1);
  expect(lane.pointers(1021)).toEqual([]);
});

test('who was silent for a second may count anew', () => {
  const lane = new EphemeralLane();
  lane.handleMessage(pointer(500, [0.2, 0.2]), 0);
  lane.handleMessage(pointer(1, [0.3, 0.3]), 1000);
  expect(lane.pointers(1000)[0]?.trail.at(-1)?.point).toEqual([0.3, 0.3]);
});

test('overlapping parts of a stroke join', () => {
  const lane = new EphemeralLane();
  lane.handleMessage(stroke(1, 0, [[0, 0], [0.1, 0.1], [0.2, 0.2]]), 0);
  lane.handleMessage(stroke(2, 1, [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]), 1);
  expect(points(lane, 2)).toEqual([[0, 0], [0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]);
});

test('no line is drawn across a gap', () => {
  const lane = new EphemeralLane();
  lane.handleMessage(stroke(1, 0, [[0, 0]]), 0);
  lane.handleMessage(stroke(2, 5, [[0.9, 0.9]]), 1);
  expect(points(lane, 2)).toEqual([[0, 0]]);
});

test('a stroke whose beginning was lost waits for the mark', () => {
  const lane = new EphemeralLane();
  lane.handleMessage(stroke(1, 5, [[0.9, 0.9]]), 0);
  expect(lane.strokes(0)).toEqual([]);
});

test('the durable mark replaces a stroke for good', () => {
  const lane = new EphemeralLane();
  lane.handleMessage(stroke(1, 0, [[0, 0]]), 0);
  lane.handleMark('m-1');
  lane.handleMessage(stroke(2, 0, [[0, 0], [0.1, 0.1]]), 1);
  expect(lane.strokes(1)).toEqual([]);
});

test('an unfinished stroke is dropped after three seconds, and with its author', () => {
  const lane = new EphemeralLane();
  lane.handleMessage(stroke(1, 0, [[0, 0]]), 0);
  expect(lane.strokes(3000).length).toBe(1);
  expect(lane.strokes(3001)).toEqual([]);
  lane.handleMessage(stroke(2, 0, [[0, 0]], 'm-2'), 4000);
  lane.handleLeft('pt-a');
  expect(lane.strokes(4000)).toEqual([]);
});

test('a pen that hovers leaves no trail, and a laser pointer after it begins its own', () => {
  const lane = new EphemeralLane();
  const ghost = (n: number, point: Point): ReceivedEphemeral => ({ ...pointer(n, point), type: 'pointer', anchor, point, ghost: true });
  lane.handleMessage(ghost(1, [0.1, 0.1]), 0);
  lane.handleMessage(ghost(2, [0.2, 0.2]), 10);
  expect(lane.pointers(20).map(({ ghost: hovers, trail }) => [hovers, trail.length])).toEqual([[true, 1]]);
  lane.handleMessage(pointer(3, [0.3, 0.3]), 20);
  lane.handleMessage(pointer(4, [0.4, 0.4]), 30);
  expect(lane.pointers(30).map(({ ghost: hovers, trail }) => [hovers, trail.length])).toEqual([[false, 2]]);
});

test('a pointer on another picture begins its trail anew', () => {
  const lane = new EphemeralLane();
  lane.handleMessage(pointer(1, [0.1, 0.1]), 0);
  lane.handleMessage({ ...pointer(2, [0.2, 0.2]), type: 'pointer', anchor: { board: 1 }, point: [0.2, 0.2] }, 10);
  expect(lane.pointers(10)[0]?.trail.length).toBe(1);
});

test('a stroke that was given up goes soon, one whose mark comes has been replaced by then', () => {
  const lane = new EphemeralLane();
  lane.handleMessage(stroke(1, 0, [[0.1, 0.1]]), 0);
  lane.handleMessage(pointer(2, null), 100);
  expect(lane.strokes(500).length).toBe(1);
  expect(lane.strokes(501)).toEqual([]);
  // one that goes on after all is no stroke that was given up
  lane.handleMessage(stroke(3, 0, [[0.1, 0.1]], 'm-2'), 600);
  lane.handleMessage(pointer(4, null), 610);
  lane.handleMessage(stroke(5, 0, [[0.1, 0.1], [0.2, 0.2]], 'm-2'), 620);
  expect(lane.strokes(2000).length).toBe(1);
});
