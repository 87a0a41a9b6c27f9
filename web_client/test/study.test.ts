import { describe, expect, it, test } from 'vitest';
import { chaptersOf } from '../src/replay/chapters';
import type { Camera, Description, RecordedOperation, RoomEvent } from '../src/replay/description';
import { arrange } from '../src/replay/study_layout';
import { fragmentAt, linkTo, momentOf, tokenIn } from '../src/replay/study_moment';
import { Repeat } from '../src/replay/study_repeat';
import { filtered, neighbour, rowsOf, speechesOf, UNFILTERED, type Item } from '../src/replay/study_rows';
import { ShownAuthors } from '../src/replay/study_shown';
import { drawnOf, following, isWhole, nearest, panned, ticksOf, zoomed } from '../src/replay/study_zoom';
import type { Operation } from '../src/signalling/protocol';
import { mark } from './fakes/marks';

const HOURS = 7200;
const camera: Camera = {
  producer: 7, participant: 'pt-s', source: 'field', label: '', codec: 'H264', type: 'video/mp4', offset: 0, seconds: HOURS,
  first_rtp_timestamp: 0, clock_rate: 90_000, width: 1920, height: 1080, audio: null,
};
const people = [
  { participant: 'pt-s', name: 'Dr. Zhang', role: 'surgeon', colour: '#aaa' },
  { participant: 'pt-a', name: 'Dr. Li', role: 'expert', colour: '#bbb' },
  { participant: 'pt-b', name: 'Prof. Keller', role: 'expert', colour: '#ccc' },
];

function recording(operations: [number, string, Operation][], events: RoomEvent[] = [], fields: Partial<Description> = {}): Description {
  return {
    recording: 'r', room: 'demo', started: 1_795_305_600_000, seconds: HOURS, state: 'complete', participants: people, cameras: [camera], pointers: [], gaps: [], events,
    operations: operations.map(([at, author, operation], index): RecordedOperation => ({ sequence: index + 1, at, author, name: author, colour: '#fff', operation })),
    ...fields,
  };
}
const drawn = (name: string): Operation => ({ kind: 'add', mark: mark(name, { anchor: { producer: 7, rtp_timestamp: 1 } }) });
const rows = (description: Description, notes: Parameters<typeof rowsOf>[2] = []) => rowsOf(description, chaptersOf(description, (key) => key), notes);
const point = (at: number, fields: Partial<Item> = {}): Item => ({ at, until: null, row: 'marks', kind: 'mark', person: null, colour: '', words: null, plain: '', ...fields });

describe('the time line', () => {
  const told = recording(
    [
      [10, 'pt-a', drawn('m-1')],
      [11, 'pt-b', drawn('m-2')],
      [20, 'pt-a', { kind: 'instruct', instruction: 'i-1', text: 'Clip it', mark: null, spoken: false }],
      [22, 'pt-s', { kind: 'answer', instruction: 'i-1', answer: 'seen' }],
      [31, 'pt-s', { kind: 'answer', instruction: 'i-1', answer: 'done' }],
      [40, 'pt-a', { kind: 'instruct', instruction: 'i-2', text: '', mark: null, spoken: true }],
      [42, 'pt-a', { kind: 'withdraw', instruction: 'i-2' }],
    ],
    [
      { at: 5, kind: 'speaker', participant: 'pt-s' },
      { at: 9, kind: 'speaker', participant: null as never },
      { at: 9.5, kind: 'speaker', participant: 'pt-s' },
      { at: 12, kind: 'speaker', participant: 'pt-a' },
      { at: 14, kind: 'participant_left', participant: 'pt-a' },
      { at: 50, kind: 'producer_interrupted', producer: 7 },
      { at: 53, kind: 'producer_resumed', producer: 7, since: 1 },
      { at: 60, kind: 'mute', producer: 7, muted: true, by: 'pt-s' },
      { at: 66, kind: 'mute', producer: 7, muted: false, by: 'pt-s' },
      { at: 67, kind: 'recording_interrupted' },
      { at: 68.5, kind: 'recording_interrupted' },
      { at: 69, kind: 'recording_resumed' },
      { at: 70, kind: 'removed', participant: 'pt-b', by: 'pt-s' },
      { at: 71, kind: 'hand', participant: 'pt-a', raised: true },
    ],
    { state: 'truncated', gaps: [{ producer: 7, at: 80, packets: 3, seconds: 1.5 }], problems: [{ producer: 9, message: '' }] },
  );
  const note = { id: 'n-1', kind: 'clip' as const, at: 3, until: 9, text: '', author: 'Maria', mine: true, shared: false, written: 0 };
  const all = rows(told, [note]);

  it('has a row an author of marks, and one of each other kind in which there is something', () => {
    expect(all.map(({ key, name }) => [key, name])).toEqual([
      ['speakers', ''], ['marks pt-a', 'Dr. Li'], ['marks pt-b', 'Prof. Keller'], ['instructions', ''], ['notes', ''], ['room', ''], ['alerts', ''],
    ]);
  });
  it('shows who had the word, over a breath, until they left', () => {
    expect(speechesOf(told).map(({ person, at, until }) => [person, at, until])).toEqual([['pt-s', 5, 12], ['pt-a', 12, 14]]);
  });
  it('shows an instruction from its asking to its end', () => {
    const asked = all.find(({ key }) => key === 'instructions')!.items;
    expect(asked.map(({ at, until, words }) => [at, until, words?.key])).toEqual([
      [20, 31, 'chapter_instruct'], [22, null, 'chapter_answer_seen'], [31, null, 'chapter_answer_done'], [40, 42, 'chapter_instruct'], [42, null, 'study_withdrawn'],
    ]);
  });
  it('tells what went wrong, and for how long', () => {
    const alerts = all.find(({ key }) => key === 'alerts')!.items;
    expect(alerts.map(({ at, until, words }) => [at, until, words?.key])).toEqual([
      [0, null, 'study_no_picture_of'], [50, 53, 'chapter_producer_interrupted'], [60, 66, 'chapter_mute'],
      [67, 69, 'chapter_recording_interrupted'], [68.5, null, 'chapter_recording_interrupted'], [69, null, 'chapter_recording_resumed'], [70, null, 'chapter_removed'], [80, 81.5, 'chapter_gap'], [HOURS, null, 'study_truncated'],
    ]);
    // that it went on is no alert
    expect(all.find(({ key }) => key === 'room')!.items.map(({ words }) => words?.key)).toEqual(['chapter_participant_left', 'chapter_producer_resumed', 'chapter_unmute', 'chapter_hand']);
  });
  it('is filtered by kind and by person', () => {
    expect(filtered(all, UNFILTERED)).toEqual(all);
    expect(filtered(all, { hidden: new Set(['marks', 'alerts']), person: null }).map(({ key }) => key)).toEqual(['speakers', 'instructions', 'notes', 'room']);
    const hers = filtered(all, { hidden: new Set(), person: 'pt-a' });
    expect(hers.map(({ key, items }) => [key, items.length])).toEqual([['speakers', 1], ['marks pt-a', 1], ['instructions', 3], ['notes', 1], ['room', 2]]);
  });
  it('is gone through event by event', () => {
    const at = (position: number, direction: 1 | -1): number | undefined => neighbour(all, position, direction)?.at;
    expect([at(0, 1), at(3, 1), at(10, 1), at(10.5, 1), at(HOURS, 1)]).toEqual([3, 10, 11, 11, undefined]);
    // going back while it plays is not held by the event just passed
    expect([at(11.2, -1), at(0.5, -1), at(12, -1)]).toEqual([10, undefined, 11]);
    // speeches only where nothing else is asked for
    expect(neighbour(filtered(all, { hidden: new Set(['marks', 'instructions', 'notes', 'room', 'alerts']), person: null }), 0, 1)?.at).toBe(5);
  });
});

describe('the part that is shown', () => {
  const whole = { from: 0, until: HOURS };
  it('grows about a place that stays, and never beyond the recording', () => {
    const half = zoomed(whole, 2, 1800, HOURS);
    expect(half).toEqual({ from: 900, until: 4500 });
    expect(zoomed(half, 0.5, 4500, HOURS)).toEqual(whole);
    expect(isWhole(zoomed(half, 0.01, 0, HOURS), HOURS)).toBe(true);
    const closest = zoomed(whole, 1e9, 7200, HOURS);
    expect(closest.until - closest.from).toBeCloseTo(2);
    expect(closest.until).toBe(HOURS);
    // shorter than what is shown at least
    expect(zoomed({ from: 0, until: 1 }, 8, 0.5, 1)).toEqual({ from: 0, until: 1 });
    expect(panned(half, 1e6, HOURS)).toEqual({ from: 3600, until: HOURS });
    expect(panned(half, -1e6, HOURS)).toEqual({ from: 0, until: 3600 });
  });
  it('turns its pages with the position', () => {
    const page = { from: 100, until: 200 };
    expect(following(page, 150, HOURS)).toBe(page);
    expect(following(page, 201, HOURS)).toEqual({ from: 191, until: 291 });
    expect(following(page, 20, HOURS)).toEqual({ from: 10, until: 110 });
  });
  it('has ticks at round times that do not crowd', () => {
    expect(ticksOf(whole, 900)).toEqual({ step: 900, at: [0, 900, 1800, 2700, 3600, 4500, 5400, 6300, 7200] });
    expect(ticksOf({ from: 61.2, until: 66 }, 900).at).toEqual([61.5, 62, 62.5, 63, 63.5, 64, 64.5, 65, 65.5, 66]);
  });
  it('draws as one what cannot be told apart, and apart when one looks closer', () => {
    const marks = [100, 110, 115, 400].map((at) => point(at));
    expect(drawnOf(marks, whole, 1000).map(({ items }) => items.length)).toEqual([3, 1]);
    expect(drawnOf(marks, { from: 90, until: 120 }, 1000).map(({ x }) => Math.round(x))).toEqual([333, 667, 833]);
    // two hours of marks are a row of a few hundred things
    const many = Array.from({ length: 20_000 }, (_, at) => point((at * HOURS) / 20_000));
    const shown = drawnOf(many, whole, 1400);
    expect(shown.length).toBeLessThan(200);
    expect(shown.reduce((sum, { items }) => sum + items.length, 0)).toBe(20_000);
  });
  it('keeps what lasts apart from what stands within it', () => {
    const spans = drawnOf([point(0), point(0, { until: 3600 }), point(20), point(7000, { until: 7001 }), point(7010, { until: 7200 })], whole, 1000);
    expect(spans.map(({ width, items }) => [Math.round(width), items.length])).toEqual([[0, 2], [500, 1], [28, 2]]);
  });
  it('is hit by a finger', () => {
    const shown = drawnOf([point(1000, { until: 3000 }), point(2000), point(6000)], whole, 720);
    const hit = (x: number): number | null => nearest(shown, x)?.items[0]?.at ?? null;
    expect([hit(605), hit(640), hit(150), hit(200)]).toEqual([6000, null, 1000, 2000]);
  });
});

describe('what is repeated', () => {
  const back = (repeat: Repeat, position: number): number | null => repeat.back(position, 100, 0.5);

  it('is A to B by one key, then nothing', () => {
    const repeat = new Repeat();
    repeat.press(10);
    expect([repeat.range, repeat.on, back(repeat, 99.99)]).toEqual([null, false, null]);
    repeat.press(20);
    expect([repeat.range, repeat.on]).toEqual([{ from: 10, until: 20 }, true]);
    expect([back(repeat, 5), back(repeat, 19.9), back(repeat, 20), back(repeat, 60)]).toEqual([null, null, 10, 10]);
    repeat.press(15);
    expect([repeat.range, repeat.on, back(repeat, 20)]).toEqual([null, false, null]);
  });
  it('begins anew where B would lie before A', () => {
    const repeat = new Repeat();
    repeat.press(10);
    repeat.press(4);
    expect([repeat.from, repeat.until, repeat.on]).toEqual([4, null, false]);
    repeat.press(4.1);
    expect([repeat.from, repeat.on]).toEqual([4.1, false]);
  });
  it('is what in and out say, once it is asked for', () => {
    const repeat = new Repeat();
    repeat.setOut(30);
    repeat.setIn(12);
    expect([repeat.range, repeat.on]).toEqual([{ from: 12, until: 30 }, false]);
    repeat.press(50);
    expect(back(repeat, 30)).toBe(12);
    repeat.setIn(40);
    expect([repeat.range, repeat.on]).toEqual([null, false]);
    repeat.take({ from: 90, until: 120 });
    // a clip may reach to the very end, where the playhead stands still
    expect([back(repeat, 99.9), back(repeat, 99.95)]).toEqual([null, 90]);
  });
  it('is all of it, from where the pictures begin', () => {
    const repeat = new Repeat();
    repeat.whole = true;
    expect([back(repeat, 99), back(repeat, 100)]).toEqual([null, 0.5]);
    repeat.take({ from: 1, until: 2 });
    expect(back(repeat, 2)).toBe(1);
  });
});

test('marks are on, off, or one expert’s alone', () => {
  const shown = new ShownAuthors(['a', 'b', 'c']);
  const seen = (): string => ['a', 'b', 'c'].filter((author) => shown.isShown(author)).join('');
  shown.setOff('b', true);
  expect(seen()).toBe('ac');
  shown.toggleSolo('b');
  expect([seen(), [...shown.hidden].join('')]).toEqual(['b', 'ac']);
  // who is switched on beside the one alone joins
  shown.setOff('c', false);
  expect(seen()).toBe('bc');
  shown.toggleSolo('b');
  shown.setOff('c', true);
  expect([shown.soloed, seen()]).toEqual([false, 'a']);
  expect([shown.nextSolo(), seen(), shown.nextSolo(), shown.nextSolo(), seen(), shown.nextSolo(), seen()]).toEqual(['a', 'a', 'b', 'c', 'c', null, 'a']);
  shown.showAll();
  expect([seen(), shown.hidden.size]).toEqual(['abc', 0]);
});

test('pictures lie as they are asked to, and the pinned one stays', () => {
  const of = (layout: Parameters<typeof arrange>[1], main: number, pinned: number | null = null): [number[], readonly number[]] => {
    const { large, beside } = arrange([0, 2, 3], layout, main, pinned);
    return [[...large.keys()], beside];
  };
  expect(of('large', 2)).toEqual([[2], [0, 3]]);
  expect(of('large', 2, 2)).toEqual([[2], [0, 3]]);
  expect(of('large', 3, 2)).toEqual([[2, 3], [0]]);
  expect(of('pair', 2)).toEqual([[2, 0], [3]]);
  expect(of('pair', 3, 0)).toEqual([[0, 3], [2]]);
  expect(of('grid', 3)).toEqual([[3, 0, 2], []]);
  expect(of('only', 3, 2)).toEqual([[3], []]);
  // a microphone is no picture, nor is there always one
  expect(of('pair', -1, 1)).toEqual([[0, 2], [3]]);
  expect(arrange([], 'grid', -1, null)).toEqual({ large: new Map(), beside: [] });
  const places = [...arrange([0, 1, 2, 3, 4], 'grid', 0, null).large.values()];
  expect(places.map(({ x, y, width, height }) => [x, y, width, height].map((part) => Math.round(part * 6)))).toEqual([[0, 0, 2, 3], [2, 0, 2, 3], [4, 0, 2, 3], [0, 3, 2, 3], [2, 3, 2, 3]]);
});

test('an address bears the moment, and a link for others no key', () => {
  const own = '#token=a.b.c&recording=20261122-101500-demo-3f9a';
  expect(momentOf(own)).toBe(null);
  const there = fragmentAt(own, 754.27);
  expect([momentOf(there), new URLSearchParams(there.slice(1)).get('token')]).toEqual([754.2, 'a.b.c']);
  expect(momentOf(fragmentAt(there, 3))).toBe(3);
  const link = linkTo(`https://konsil.example/replay${there}`, '20261122-101500-demo-3f9a', 754.27);
  expect(link).toBe('https://konsil.example/replay#recording=20261122-101500-demo-3f9a&at=754.2');
  for (const wrong of ['', '-1', '1e9', 'x', 'NaN', '99999999']) expect(momentOf(`#at=${wrong}`)).toBe(null);
  expect(['https://k/#token=a.b.c', ' a.b.c ', 'token=a.b-_.c&x=1', link, 'hello', ''].map(tokenIn)).toEqual(['a.b.c', 'a.b.c', 'a.b-_.c', null, null, null]);
});
