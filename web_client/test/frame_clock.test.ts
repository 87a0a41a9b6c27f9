import { expect, test } from 'vitest';
import { FrameClock } from '../src/media/frame_clock';
import type { Barcode, Clock } from '../src/signalling/protocol';

const clock: Clock = { type: 'clock', producer: 7, rtp_timestamp: 4_294_967_000, time: 1_000_000, clock_rate: 90_000, source: 'sender_report' };
const barcode: Barcode = { type: 'barcode', producer: 7, frame: 0, time: 1_000_000, interval_ms: 40, modulus: 250 };
const frame = (rtpTimestamp: number | null, shownAt: number) => ({ rtpTimestamp, width: 1280, height: 720, shownAt });

test('the age is the server’s time less the time of capture, over the wrap of the timestamp', () => {
  const frames = new FrameClock();
  frames.handleClock(clock);
  // 90,000 units later: one second
  frames.handleFrame(frame((4_294_967_000 + 90_000) % 2 ** 32, 500), 1_001_120, 500);
  expect(frames.age(500)).toEqual({ milliseconds: 120, source: 'estimated' });
});

test('without a clock nothing is claimed', () => {
  const frames = new FrameClock();
  frames.handleFrame(frame(5, 0), 1_000_000, 0);
  expect(frames.age(0)).toBeNull();
});

test('a picture that would be older than its frames is of no known age: its reports are wrong', () => {
  const frames = new FrameClock();
  frames.handleClock(clock);
  frames.handleFrame(frame(4_294_967_000, 0), 999_950, 0);
  expect(frames.age(0)?.milliseconds).toBe(-50);
  frames.handleFrame(frame(4_294_967_000, 10), 999_100, 10);
  expect(frames.age(10)).toBeNull();
});

test('where the reports cannot be true a picture is at least as old as since it came, whatever the browser makes of them', () => {
  const frames = new FrameClock();
  frames.handleClock(clock);
  frames.handleFrame({ ...frame(4_294_967_000, 0), capturedAt: -20 }, 1_000_030, 0);
  expect(frames.age(0)).toEqual({ milliseconds: 20, source: 'estimated' });
  // it came 200 ms before its sender says that it was taken: what was said before was too little, and is gone at once
  frames.handleClock({ ...clock, time: 999_800, source: 'arrival' });
  expect(frames.age(10)).toBeNull();
  frames.handleFrame({ ...frame(4_294_967_000, 40), capturedAt: 20 }, 1_000_070, 40);
  expect(frames.age(40)).toEqual({ milliseconds: 270, source: 'least' });
  expect(frames.browserKnows).toBe(false);
});

test('a barcode measures, and counts more than the estimate', () => {
  const frames = new FrameClock();
  frames.handleClock(clock);
  frames.handleBarcode(barcode);
  frames.handleFrame(frame(4_294_967_000, 0), 1_000_500, 0);
  // frame 10 was sent at 1,000,400
  frames.handleReading(10, 1_000_490, 0);
  expect(frames.age(0)).toEqual({ milliseconds: 90, source: 'measured' });
});

test('in a loop the newest instance is meant', () => {
  const frames = new FrameClock();
  frames.handleBarcode(barcode);
  // frame 3 of the third round: 1,000,000 + (2 × 250 + 3) × 40
  frames.handleReading(3, 1_020_120 + 75, 0);
  expect(frames.age(0)).toEqual({ milliseconds: 75, source: 'measured' });
});

test('a picture that stands still grows old', () => {
  const frames = new FrameClock();
  frames.handleClock(clock);
  frames.handleFrame(frame(4_294_967_000, 0), 1_000_100, 0);
  expect(frames.age(200)?.milliseconds).toBe(100);
  expect(frames.age(900)?.milliseconds).toBe(1000);
  expect(frames.age(5000)?.milliseconds).toBe(5100);
});

test('after a second without a new frame it is frozen, with the next it lives', () => {
  const frames = new FrameClock();
  expect(frames.frozenFor(10_000)).toBe(0);
  frames.handleFrame(frame(1, 0), null, 0);
  expect(frames.frozenFor(999)).toBe(0);
  expect(frames.frozenFor(1000)).toBe(1000);
  frames.handleFrame(frame(2, 1500), null, 1500);
  expect(frames.frozenFor(1600)).toBe(0);
});

test('a page that was hidden begins to wait anew', () => {
  const frames = new FrameClock();
  frames.handleFrame(frame(1, 0), null, 0);
  frames.handleVisible(60_000);
  expect(frames.frozenFor(60_500)).toBe(0);
  expect(frames.frozenFor(61_000)).toBe(1000);
});

test('one frame that came late does not move the figure', () => {
  const frames = new FrameClock();
  frames.handleClock(clock);
  for (let i = 0; i < 9; i += 1) {
    const late = i === 4 ? 300 : 100;
    frames.handleFrame(frame((4_294_967_000 + i * 3000) % 2 ** 32, i * 33.3), 1_000_000 + (i * 3000) / 90 + late, i * 33.3);
  }
  expect(frames.age(270)?.milliseconds).toBeCloseTo(100, 5);
});

test('the browser’s own capture time counts while it lies near the server’s', () => {
  const frames = new FrameClock();
  frames.handleClock(clock);
  frames.handleFrame({ ...frame(4_294_967_000, 500), capturedAt: 420 }, 1_000_120, 500);
  expect(frames.age(500)).toEqual({ milliseconds: 80, source: 'estimated' });
  expect(frames.browserKnows).toBe(true);
});

test('a capture time that strays is not believed', () => {
  const frames = new FrameClock();
  frames.handleClock(clock);
  frames.handleFrame({ ...frame(4_294_967_000, 500), capturedAt: 90 }, 1_000_120, 500);
  expect(frames.age(500)).toEqual({ milliseconds: 120, source: 'estimated' });
  expect(frames.browserKnows).toBe(false);
});
