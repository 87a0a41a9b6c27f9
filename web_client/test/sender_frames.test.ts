import { expect, test } from 'vitest';
import { SenderFrames } from '../src/media/sender_frames';

/** 20 frames a second, captured at 0, 50, …, each encoded `delay(i)` ms later; timestamps start near the wrap. */
function encode(count: number, delay: (i: number) => number): SenderFrames {
  const frames = new SenderFrames();
  for (let i = 0; i < count; i += 1) frames.handleEncoded(timestamp(i), i * 50 + delay(i));
  return frames;
}
const timestamp = (i: number): number => (4_294_960_000 + i * 4500) % 2 ** 32;

test('before the first encoded frame nothing is known', () => {
  expect(new SenderFrames().rtpTimestampAt(0)).toBeNull();
});

test('each captured frame gets its own timestamp, whatever the encoder’s delay varies', () => {
  const frames = encode(40, (i) => 8 + ((i * 7) % 23));
  for (let i = 0; i < 40; i += 1) expect(frames.rtpTimestampAt(i * 50 + ((i % 3) - 1))).toBe(timestamp(i));
});

test('a frame that is not encoded yet gets the newest pair', () => {
  expect(encode(10, () => 12).rtpTimestampAt(10 * 50 + 40)).toBe(timestamp(9));
});

test('a new encoder’s clock replaces the old one', () => {
  const frames = encode(10, () => 12);
  frames.handleEncoded(123_456, 612);
  expect(frames.rtpTimestampAt(600)).toBe(123_456);
});
