import { beforeEach, expect, test } from 'vitest';
import { SenderFrames, type FrameName } from '../src/media/sender_frames';

/** Two encodings of one picture, whose timestamps begin near the wrap and anywhere. */
const LOW = 11;
const FULL = 22;
const OFFSET = 3_000_000_007;
const FIRST = 4_294_960_000;

let frames: SenderFrames;
let names: Map<number, FrameName | null>;

/** The name of the frame captured at so many ms: timestamps count whole milliseconds. */
const nameAt = (captured: number): number => (FIRST + Math.floor(captured) * 90) % 2 ** 32;
const raw = (captured: number): number => (nameAt(captured) - OFFSET + 2 ** 33) % 2 ** 32;

function show(captured: number, now = captured + 5): void {
  frames.handleShown(captured, now, (name) => names.set(captured, name));
}
function encode(captured: number, at: number, ssrc = LOW): void {
  frames.handleEncoded(ssrc, ssrc === LOW ? nameAt(captured) : raw(captured), at);
}
function tellClock(error = 0): void {
  frames.handleNaming({ rtpTimestamp: nameAt(500), at: 500 + error, offsets: new Map([[LOW, 0], [FULL, OFFSET]]) });
}

beforeEach(() => {
  frames = new SenderFrames();
  names = new Map();
});

/** 30 frames a second with a camera's jitter, the encoder so many ms behind. */
const captures = Array.from({ length: 40 }, (_, i) => i * 33.3 + ((i * 7) % 5) * 0.4);

test.each([4, 30, 34, 90, 250])('an encoder that is %d ms behind names every frame, each with its own name', (delay) => {
  tellClock(0.7);
  const events = captures.flatMap((captured): [number, () => void][] => [
    [captured + 5, () => show(captured)],
    [captured + delay, () => encode(captured, captured + delay)],
    [captured + delay + 3, () => encode(captured, captured + delay + 3, FULL)],
  ]);
  for (const [, happens] of events.sort(([a], [b]) => a - b)) happens();
  expect([...names]).toEqual(captures.map((captured) => [captured, { rtpTimestamp: nameAt(captured), exact: true }]));
});

test('no frame is named before its encoded one is there', () => {
  tellClock();
  show(0);
  encode(-33, 20);
  expect(names.size).toBe(0);
  encode(0, 60);
  expect(names.get(0)).toEqual({ rtpTimestamp: nameAt(0), exact: true });
});

test('a frame that the encoder left out has the name that the receivers see in its place, and says so', () => {
  tellClock();
  encode(0, 20);
  show(0);
  show(33);
  show(66);
  expect([...names.keys()]).toEqual([0]);
  encode(66, 90);
  expect(names.get(33)).toEqual({ rtpTimestamp: nameAt(0), exact: false });
  expect(names.get(66)).toEqual({ rtpTimestamp: nameAt(66), exact: true });
});

test('an encoding whose place among the others is not known yet names nothing', () => {
  frames.handleNaming({ rtpTimestamp: nameAt(500), at: 500, offsets: new Map([[LOW, 0]]) });
  show(0);
  encode(0, 20, FULL);
  expect(names.size).toBe(0);
});

test('the server’s word may come after the frames', () => {
  show(0);
  encode(0, 20, FULL);
  expect(names.size).toBe(0);
  tellClock();
  expect(names.get(0)).toEqual({ rtpTimestamp: nameAt(0), exact: true });
});

test('clocks that disagree by a third of a frame name nothing, whichever way', () => {
  for (const error of [-11, 11, 16, -16, 22, -22]) {
    frames = new SenderFrames();
    names = new Map();
    tellClock(error);
    for (const captured of captures) show(captured);
    for (const captured of captures) encode(captured, captured + 40);
    expect([...names.values()].filter((name) => name?.exact)).toEqual([]);
  }
});

test('what seems to be encoded before it was captured is not believed', () => {
  tellClock();
  show(100);
  encode(100, 90);
  expect(names.size).toBe(0);
});

test('a frame that nothing came of is given up', () => {
  tellClock();
  show(0);
  show(1600, 1605);
  expect([...names]).toEqual([[0, null]]);
  expect(frames.settled).toEqual([{ captured: 0, name: null }]);
});
