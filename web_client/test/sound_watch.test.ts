import { beforeEach, describe, expect, it } from 'vitest';
import { LOST_MS, SoundWatch } from '../src/media/sound_watch';

let watch: SoundWatch;
const hear = (packets: number, now: number, expected = [8]): void => watch.handleCounts(new Map([[8, packets]]), new Set(expected), now);

beforeEach(() => {
  watch = new SoundWatch();
});

describe('a sound that stops arriving', () => {
  it('is called lost after three seconds without a packet, and found again with the next', () => {
    hear(100, 0);
    hear(150, 1000);
    hear(150, 1000 + LOST_MS - 1);
    expect(watch.lost(1000 + LOST_MS - 1).size).toBe(0);
    expect(watch.lost(1000 + LOST_MS)).toEqual(new Map([[8, LOST_MS]]));
    hear(151, 5000);
    expect(watch.lost(5000).size).toBe(0);
  });

  it('is not lost when it is muted, and not when it never came', () => {
    hear(100, 0);
    hear(100, 4000, []);
    expect(watch.lost(4000).size).toBe(0);
    // unmuted: what comes from now on counts
    hear(100, 5000);
    expect(watch.lost(5000).size).toBe(0);
    const never = new SoundWatch();
    never.handleCounts(new Map(), new Set([8]), 0);
    expect(never.lost(60_000).size).toBe(0);
  });

  it('is not lost because the page slept', () => {
    hear(100, 0);
    watch.handleVisible(60_000);
    expect(watch.lost(60_000).size).toBe(0);
  });
});
