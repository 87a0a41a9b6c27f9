import { createHash } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { beginningOf, pictureBegins } from '../src/replay/beginning';
import type { Camera, Description, RecordedOperation } from '../src/replay/description';
import { Playhead, type VideoReport } from '../src/replay/playhead';
import { frameLookedAt, frozenFrames, lastMoment } from '../src/replay/stills';
import { Timeline, rtpTimestampAt } from '../src/replay/timeline';
import type { Operation } from '../src/signalling/protocol';
import type { ReplayOverlay as Overlay } from '../src/ui/replay_overlay';
import type { ReplayStills as Stills } from '../src/ui/replay_stills.svelte';
import { mark } from './fakes/marks';

const STARTED = 1_795_305_600_000;
const PNG = Uint8Array.from({ length: 5000 }, (_, at) => (at * 7) & 255);
const SM3 = createHash('sm3').update(PNG).digest('hex');

function camera(fields: Partial<Camera> = {}): Camera {
  return {
    producer: 7, participant: 'pt-s', source: 'field', label: '', codec: 'H264', type: 'video/mp4', offset: 1, seconds: 100,
    first_rtp_timestamp: 4_294_900_000, clock_rate: 90_000, width: 1920, height: 1080, audio: null, ...fields,
  };
}
const frame = (position: number): number => rtpTimestampAt(camera(), position - 1);

function still(position: number, label = ''): Operation {
  const facts = {
    producer: 7, rtp_timestamp: frame(position), width: 1920, height: 1080, sm3: SM3, taken_by: 'pt-a', for_all: true, label,
    patient: 'p-1', orientation: { row: 'L', column: 'F', mirrored: true } as const, calibration: null,
  };
  return { kind: 'still', still: facts };
}
function drawnOn(position: number, name: string): Operation {
  return { kind: 'add', mark: mark(name, { anchor: { producer: 7, rtp_timestamp: frame(position), still: true } }) };
}
const listed = (position: number): NonNullable<Description['stills']>[number] =>
  ({ producer: 7, rtp_timestamp: frame(position), file: `7-${frame(position)}.png`, bytes: PNG.length, sm3: SM3 });

function recording(operations: [number, Operation][], fields: Partial<Description> = {}): Description {
  return {
    recording: 'r', room: 'demo', started: STARTED, seconds: 101, state: 'complete', participants: [], cameras: [camera()], pointers: [], events: [], gaps: [],
    operations: operations.map(([at, operation], index): RecordedOperation => ({ sequence: index + 1, at, author: 'pt-a', name: 'Dr. Li', colour: '#4cc2ff', operation })),
    ...fields,
  };
}

describe('the frozen frames of a recording', () => {
  const description = recording(
    [[0, still(-20)], [10.4, still(10, 'Cystic duct')], [12, drawnOn(10, 'm-1')], [40, drawnOn(10, 'm-2')], [41, still(40.8)], [60, drawnOn(-20, 'm-3')], [70, still(10, 'Cystic duct')]],
    { stills: [listed(10)] },
  );
  const frames = frozenFrames(description);
  const looked = (position: number): string | null => frameLookedAt(frames, position)?.key ?? null;
  const [first, duct, last] = [-20, 10, 40.8].map((position) => `7-${frame(position)}`);

  it('are those that were frozen for all, each once, with the time of their own', () => {
    expect(frames.map(({ key }) => key)).toEqual([first, duct, last]);
    expect(frames.map(({ captured }) => Math.round((captured! - STARTED) / 100) / 10)).toEqual([-20, 10, 40.8]);
    expect(frames.map(({ at, before }) => [at, before])).toEqual([[0, true], [10.4, false], [41, false]]);
    expect(frames.map(({ file }) => file)).toEqual([null, `${duct}.png`, null]);
    expect(frames.map(({ marks }) => marks)).toEqual([1, 2, 0]);
    expect(frozenFrames(recording([[5, still(5)]], { cameras: [] }))[0]?.captured).toBe(null);
  });

  it('are seen when people looked at them: when they were frozen, and when they were drawn on', () => {
    // what was frozen before the recording is not of its first moment
    expect(looked(0)).toBe(null);
    expect([10.3, 10.4, 19.9, 20.1].map(looked)).toEqual([null, duct, duct, null]);
    // the newest of two
    expect([40.5, 41, 48.9, 49.1].map(looked)).toEqual([duct, last, last, null]);
    expect([60, 68.1, 70].map(looked)).toEqual([first, null, duct]);
  });

  it('are found in the list with all that was drawn on them', () => {
    expect(frames.map(lastMoment).map((at) => Math.round(at * 10) / 10)).toEqual([60.1, 70.1, 41.1]);
  });
});

describe('with the page', () => {
  let ReplayOverlay: typeof Overlay;
  let ReplayStills: typeof Stills;
  const asked: string[] = [];
  let answer: () => Response;
  const released: string[] = [];
  beforeAll(async () => {
    vi.stubGlobal('localStorage', { getItem: () => 'en', setItem: () => undefined });
    vi.stubGlobal('document', { documentElement: {} });
    ({ ReplayOverlay } = await import('../src/ui/replay_overlay'));
    ({ ReplayStills } = await import('../src/ui/replay_stills.svelte'));
  });
  beforeEach(() => {
    asked.length = released.length = 0;
    answer = () => new Response(PNG);
    vi.stubGlobal('fetch', (address: string) => (asked.push(address), Promise.resolve(answer())));
    URL.createObjectURL = () => `blob:${asked.length}`;
    URL.revokeObjectURL = (address) => void released.push(address);
  });
  afterEach(() => vi.unstubAllGlobals());

  const one = (fields: Partial<Description> = {}): Description => recording([[10.4, still(10)], [12, drawnOn(10, 'm-1')]], { stills: [listed(10)], ...fields });

  it('a mark comes to a frozen frame when it was drawn, though its frame is older', () => {
    const description = one();
    const overlay = new ReplayOverlay(new Timeline(description), description);
    const sheet = `still/7/${frame(10)}`;
    const on = (position: number): number => (overlay.show(position - 0.03), overlay.pass(position), overlay.marks(sheet).length);
    expect([10.5, 11.9, 12, 50].map(on)).toEqual([0, 0, 1, 1]);
    expect([11, 13].map((position) => overlay.marksOnStill(sheet, position))).toEqual([0, 1]);
    // and it is never on the picture that goes on
    expect(overlay.marks(7)).toEqual([]);
  });

  it('what is measured on a frozen frame is measured by the calibration of its own', () => {
    const length = mark('m-1', { shape: 'length', points: [[0.1, 0.5], [0.3, 0.5]], anchor: { producer: 7, rtp_timestamp: frame(10), still: true } });
    const frozen = still(10) as Extract<Operation, { kind: 'still' }>;
    const calibrated: Operation = { ...frozen, still: { ...frozen.still, calibration: { points: [[0, 0.5], [0.1, 0.5]], millimetres: 10 } } };
    // the picture is calibrated anew afterwards: it says nothing about the frame
    const anew: Operation = { kind: 'calibrate', anchor: { producer: 7, rtp_timestamp: frame(11) }, points: [[0, 0.5], [0.1, 0.5]], millimetres: 40 };
    for (const [facts, said] of [[calibrated, '20.0 mm'], [frozen, '384 px']] as const) {
      const description = recording([[10.4, facts], [11, anew], [12, { kind: 'add', mark: length }]]);
      const overlay = new ReplayOverlay(new Timeline(description), description);
      overlay.show(13);
      expect(overlay.sayLength(length, { width: 1920, height: 1080 })).toContain(said);
    }
  });

  it('a frame opens at its moment, stays closed for that moment, and stays open when it was chosen', () => {
    const stills = new ReplayStills(one());
    const [only] = stills.frames;
    const open = (position: number): boolean => (stills.handlePosition(position), stills.openAt(position) !== null);
    expect([10, 10.4, 15, 30].map(open)).toEqual([false, true, true, false]);
    open(11);
    stills.close(11);
    expect([11.1, 13].map(open)).toEqual([false, false]);
    // gone back to it: it is shown again
    expect([5, 10.5].map(open)).toEqual([false, true]);
    expect(stills.choose(only!)).toBeCloseTo(12.1);
    expect([12.1, 50].map(open)).toEqual([true, true]);
    // before it was frozen there is none
    expect([9, 50].map(open)).toEqual([false, false]);
    stills.choose(only!);
    stills.close(50);
    expect(open(50)).toBe(false);
  });

  it('its picture is shown when it is the one that the log announced', async () => {
    const stills = new ReplayStills(one());
    const [only] = stills.frames;
    await stills.fetch(only!);
    await stills.fetch(only!);
    expect(asked).toEqual([`/api/recordings/r/7-${frame(10)}.png`]);
    expect(stills.pictureOf(only!)).toEqual({ address: 'blob:1', failure: null });
    stills.release();
    expect(released).toEqual(['blob:1']);
  });

  it('and is not shown when it was changed on its way, is refused or is missing', async () => {
    const changed = PNG.slice();
    changed[4000]! ^= 1;
    for (const [given, failure] of [
      [() => new Response(changed), 'replay_still_changed'],
      [() => new Response('', { status: 410 }), 'replay_still_changed'],
      [() => new Response('', { status: 404 }), 'replay_still_missing'],
      [() => new Response('', { status: 503 }), 'replay_still_away'],
      [() => { throw new TypeError('no network'); }, 'replay_still_away'],
    ] as const) {
      answer = given;
      const stills = new ReplayStills(one());
      const [only] = stills.frames;
      await stills.fetch(only!);
      expect(stills.pictureOf(only!)).toEqual({ address: null, failure });
      // asked again, it may come
      answer = () => new Response(PNG);
      await stills.fetch(only!);
      expect(stills.pictureOf(only!).failure).toBe(null);
    }
    const old = new ReplayStills(recording([[10.4, still(10)]]));
    asked.length = 0;
    await old.fetch(old.frames[0]!);
    expect([old.pictureOf(old.frames[0]!).failure, asked]).toEqual(['replay_still_missing', []]);
  });
});

describe('a replay begins', () => {
  const face = camera({ producer: 9, source: 'camera', offset: 0.2 });

  it('with the first picture of the field, though its sound came before', () => {
    expect(pictureBegins(camera({ picture_at: 0.7 }))).toBeCloseTo(1.7);
    const beginning = beginningOf([face, camera({ picture_at: 0.7 })]);
    expect([beginning.main, beginning.later]).toEqual([1, 1.7]);
    expect(beginning.position).toBeGreaterThan(1.7);
    expect(beginning.position).toBeLessThan(1.71);
    // at once: nothing has to be said
    expect(beginningOf([camera({ offset: 0.1 })]).later).toBe(null);
  });

  it('with the first picture that there is, where the field comes much later', () => {
    expect(beginningOf([camera({ offset: 200 }), face]).main).toBe(1);
    expect(beginningOf([camera({ offset: 20 }), face]).main).toBe(0);
    expect(beginningOf([camera({ source: 'microphone' })])).toEqual({ main: -1, position: 0, later: null });
  });

  it('and shows no picture of another moment before it: only the sound is there', () => {
    const playhead = new Playhead(100, [camera({ offset: 0, picture_at: 0.7 })], 0);
    const at = (position: number): { visible: boolean; play: boolean } => {
      const report: VideoReport = { currentTime: position, ready: true };
      playhead.seek(position);
      playhead.playing = true;
      const [command] = playhead.handleTick([report], position * 1000);
      return { visible: command!.visible, play: command!.play };
    };
    expect([0, 0.69, 0.702, 5].map((position) => at(position).visible)).toEqual([false, false, true, true]);
    expect(at(0.1).play).toBe(true);
  });
});
