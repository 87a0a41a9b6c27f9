import { describe, expect, it } from 'vitest';
import { WITHIN_FRAME_S } from '../src/replay/beginning';
import type { Camera } from '../src/replay/description';
import { GlassMoments } from '../src/replay/glass_moments';
import { KeyFirst } from '../src/replay/key_first';
import { Playhead } from '../src/replay/playhead';
import { Turns } from '../src/replay/turns';

function camera(fields: Partial<Camera> = {}): Camera {
  return {
    producer: 7 as Camera['producer'], participant: 'pt-s', source: 'field', label: '', codec: 'H264', type: 'video/mp4', offset: 0.5,
    seconds: 100, first_rtp_timestamp: 0, clock_rate: 90_000, width: 3840, height: 2160, audio: null, ...fields,
  };
}

describe('KeyFirst', () => {
  it('goes by way of a key frame that is far before the picture, and on when it is on the glass', () => {
    const way = new KeyFirst();
    expect(way.begin(58, 50, 3)).toBe(50 + WITHIN_FRAME_S);
    expect([way.pending, way.via]).toEqual([true, 50]);
    expect(way.handleTick(false, 3, 1000)).toBeNull();
    // it has sought, and the glass has not followed
    expect(way.handleTick(true, 3, 1020)).toBeNull();
    expect(way.handleTick(true, 50, 1040)).toBe(58);
    expect([way.pending, way.via]).toEqual([false, undefined]);
    expect(way.handleTick(true, 50, 1060)).toBeNull();
  });

  it('goes straight where the exact picture comes as soon, or the one on the glass is nearer', () => {
    expect(new KeyFirst().begin(51.4, 50, 3)).toBe(51.4);
    expect(new KeyFirst().begin(58, 50, 57)).toBe(58);
    expect(new KeyFirst().begin(58, 50, 65.9)).toBe(58);
    expect(new KeyFirst().begin(58, 50, 66.1)).toBe(50 + WITHIN_FRAME_S);
    expect(new KeyFirst().begin(58, null, 3)).toBe(58);
    // nothing is on the glass yet
    expect(new KeyFirst().begin(58, 50, null)).toBe(50 + WITHIN_FRAME_S);
  });

  it('does not wait for ever for a glass that nobody sees', () => {
    const way = new KeyFirst();
    way.begin(58, 50, null);
    expect(way.handleTick(true, null, 1000)).toBeNull();
    expect(way.handleTick(true, null, 1299)).toBeNull();
    expect(way.handleTick(true, null, 1300)).toBe(58);
  });

  it('forgets the picture before where another is wished for', () => {
    const way = new KeyFirst();
    way.begin(58, 50, 3);
    way.begin(20.5, 20, 3);
    expect(way.pending).toBe(false);
    way.begin(58, 50, 3);
    expect(way.stop()).toBe(58);
    expect(way.stop()).toBeNull();
  });
});

describe('GlassMoments', () => {
  it('says of which moment a picture is until the one of the position has come', () => {
    const glass = new GlassMoments([camera(), camera()]);
    const [there, coming] = [(currentTime: number) => ({ currentTime, coming: false }), (currentTime: number) => ({ currentTime, coming: true })];
    glass.handleFrame(0, 3);
    expect(glass.handleTick(3.5, [there(3), null], 0)).toBe(true);
    expect(glass.moments).toEqual([null, null]);
    expect(glass.handleTick(3.52, [there(3), null], 16)).toBe(false);
    // a seek: the picture from before, then the key frame
    glass.handleTick(58.5, [coming(58), null], 100);
    expect(glass.moments).toEqual([3.5, null]);
    glass.handleFrame(0, 50);
    glass.handleTick(58.5, [coming(58), null], 300);
    expect(glass.moments).toEqual([50.5, null]);
    expect(glass.lagging).toEqual([false, false]);
    expect(glass.handleTick(58.5, [coming(58), null], 501)).toBe(true);
    expect(glass.lagging).toEqual([true, false]);
    glass.handleFrame(0, 58);
    glass.handleTick(58.5, [there(58), null], 520);
    expect([glass.moments, glass.lagging]).toEqual([[null, null], [false, false]]);
  });

  it('takes a camera that has fallen behind for one of another moment', () => {
    const glass = new GlassMoments([camera(), camera({ offset: 2 })]);
    glass.handleFrame(1, 7);
    glass.handleTick(10, [{ currentTime: 9.5, coming: false }, { currentTime: 7.1, coming: false }], 0);
    expect(glass.moments).toEqual([null, 9]);
    glass.handleFrame(1, 7.9);
    glass.handleTick(10, [{ currentTime: 9.5, coming: false }, { currentTime: 7.9, coming: false }], 16);
    expect(glass.moments).toEqual([null, null]);
  });

  it('believes the glass and not the player', () => {
    const glass = new GlassMoments([camera()]);
    const [coming, there] = [true, false].map((is) => [{ currentTime: 58, coming: is }]) as [[{ currentTime: number; coming: boolean }], [{ currentTime: number; coming: boolean }]];
    glass.handleFrame(0, 3);
    glass.handleTick(58.5, coming, 0);
    glass.handleTick(58.5, there, 100);
    expect(glass.moments).toEqual([3.5]);
    glass.handleFrame(0, 58);
    glass.handleTick(58.5, there, 116);
    expect(glass.moments).toEqual([null]);
    // a picture of something that stands still for seconds is of this moment, though its frame is older
    glass.handleTick(58.5, coming, 200);
    glass.handleFrame(0, 54);
    glass.handleTick(58.5, there, 300);
    expect(glass.moments).toEqual([54.5]);
    glass.handleTick(58.5, there, 600);
    expect(glass.moments).toEqual([null]);
  });

  it('knows no moment where nothing was ever shown', () => {
    const glass = new GlassMoments([camera()]);
    glass.handleTick(10, [{ currentTime: 0, coming: true }], 0);
    expect(glass.moments).toEqual([NaN]);
    // a camera whose player has come to its end is not behind
    glass.handleFrame(0, 99.9);
    glass.handleTick(103, [{ currentTime: 100, coming: false }], 0);
    expect(glass.moments).toEqual([null]);
  });
});

describe('Turns', () => {
  const nothing = new AbortController().signal;

  it('lets the most urgent go first, by what is urgent then', async () => {
    const turns = new Turns(1);
    const done: string[] = [];
    const urgency: Record<string, number> = { a: 1, b: 2, c: 3 };
    let release = (): void => undefined;
    const holding = turns.take(() => 0, nothing, () => new Promise<void>((resolve) => (release = resolve)));
    const rest = ['a', 'b', 'c'].map((name) => turns.take(() => urgency[name] ?? 0, nothing, async () => void done.push(name)));
    await Promise.resolve();
    expect(done).toEqual([]);
    urgency.c = 0;
    release();
    await Promise.all([holding, ...rest]);
    expect(done).toEqual(['c', 'a', 'b']);
  });

  it('goes on after a failure and without those who left', async () => {
    const turns = new Turns(1);
    let fail = (): void => undefined;
    const failing = turns.take(() => 0, nothing, () => new Promise<void>((_, reject) => (fail = () => reject(new Error('gone')))));
    const leaving = new AbortController();
    const left = turns.take(() => 0, leaving.signal, async () => 'left');
    const next = turns.take(() => 1, nothing, async () => 'next');
    leaving.abort();
    await expect(left).rejects.toThrow();
    fail();
    await expect(failing).rejects.toThrow('gone');
    expect(await next).toBe('next');
    // the place is free again
    expect(await turns.take(() => 0, nothing, async () => 'free')).toBe('free');
    await expect(turns.take(() => 0, leaving.signal, async () => 'never')).rejects.toThrow();
  });

  it('does as many at once as it may', async () => {
    const turns = new Turns(2);
    let [now, most] = [0, 0];
    await Promise.all(
      Array.from({ length: 9 }, () =>
        turns.take(() => 0, nothing, async () => {
          most = Math.max(most, (now += 1));
          await Promise.resolve();
          now -= 1;
        }),
      ),
    );
    expect(most).toBe(2);
  });
});

describe('Playhead', () => {
  it('has not watched what passed while the computer slept', () => {
    // nothing leads before the camera begins
    const playhead = new Playhead(5000, [camera({ offset: 4000 })], 0);
    const tick = (now: number) => playhead.handleTick([{ currentTime: 0, ready: true }], now);
    playhead.play();
    tick(0);
    tick(0);
    tick(1000);
    expect(playhead.position).toBeCloseTo(1);
    tick(3_601_000);
    expect(playhead.position).toBeCloseTo(1);
    tick(3_601_016);
    expect(playhead.position).toBeCloseTo(1.016);
  });

  it('brings cameras together to less than a frame, and lets them be then', () => {
    const playhead = new Playhead(100, [camera(), camera()], 0);
    playhead.seek(5.5);
    playhead.play();
    const rateAt = (lead: number): number | undefined => playhead.handleTick([{ currentTime: 5, ready: true }, { currentTime: 5 + lead, ready: true }], 0)[1]?.rate;
    rateAt(0);
    expect([0.01, 0.02, 0.01, 0.006, 0.004, 0.01, -0.017, -0.004].map(rateAt)).toEqual([1, 0.95, 0.95, 0.95, 1, 1, 1.05, 1]);
    // what began late is not heard late for eight seconds
    expect([0.3, 0.09, -0.4, -0.09, -0.004].map(rateAt)).toEqual([0.75, 0.95, 1.25, 1.05, 1]);
  });

  it('lets nobody run ahead while the large camera has nothing to play', () => {
    const playhead = new Playhead(100, [camera(), camera()], 0);
    playhead.seek(5.5);
    const plays = (ready: boolean): boolean[] => playhead.handleTick([{ currentTime: 5, ready }, { currentTime: 5, ready: true }], 0).map(({ play }) => play);
    playhead.play();
    plays(true);
    expect(plays(true)).toEqual([true, true]);
    // it must go on trying itself
    expect(plays(false)).toEqual([true, false]);
    expect(plays(true)).toEqual([true, true]);
    // another may buffer without the large one standing still
    expect(playhead.handleTick([{ currentTime: 5, ready: true }, { currentTime: 5, ready: false }], 0)[0]?.play).toBe(true);
  });
});
