import { expect, test } from 'vitest';
import { chaptersOf } from '../src/replay/chapters';
import type { Camera, Description, RecordedOperation } from '../src/replay/description';
import { Playhead, type VideoReport } from '../src/replay/playhead';
import { Timeline, mediaTime, rtpTimestampAt } from '../src/replay/timeline';
import type { Operation } from '../src/signalling/protocol';
import { mark } from './fakes/marks';

const FIRST = 4_294_900_000;

function camera(producer: number, fields: Partial<Camera> = {}): Camera {
  return {
    producer, participant: 'pt-s', source: 'field', label: 'Operating field', codec: 'H264',
    type: 'video/mp4', offset: 0.5, seconds: 30, first_rtp_timestamp: FIRST, clock_rate: 90_000, width: 1920, height: 1080,
    audio: null, ...fields,
  };
}

function operation(sequence: number, at: number, what: Operation, author = 'pt-a'): RecordedOperation {
  return { sequence, at, author, name: author, colour: '#fff', operation: what };
}

function drawnOn(name: string, seconds: number): Operation {
  return { kind: 'add', mark: mark(name, { anchor: { producer: 7, rtp_timestamp: (FIRST + seconds * 90_000) % 2 ** 32 } }) };
}

function description(fields: Partial<Description> = {}): Description {
  return {
    recording: 'r', room: 'demo', started: 1_795_305_600_000, seconds: 31, state: 'complete',
    participants: [{ participant: 'pt-a', name: 'Dr. Li', role: 'expert', colour: '#4cc2ff' }],
    cameras: [camera(7)], operations: [], pointers: [], events: [], gaps: [], ...fields,
  };
}

const names = (timeline: Timeline, position: number): string[] => timeline.marksAt(position).map((visible) => visible.mark.mark);

test('frames and media time name each other, over the wrap', () => {
  expect(mediaTime(camera(7), rtpTimestampAt(camera(7), 2.5), 3)).toBeCloseTo(2.5, 5);
  expect(mediaTime(camera(7), FIRST - 9000, 0.4)).toBeCloseTo(-0.1);
});

test('a mark appears with its frame, not when its stroke was finished', () => {
  const timeline = new Timeline(description({ operations: [operation(1, 4.2, drawnOn('m-1', 3))] }));
  expect(names(timeline, 3.46)).toEqual([]);
  expect(names(timeline, 3.5)).toEqual(['m-1']);
  expect(names(timeline, 0)).toEqual([]);
});

test('undo and clear count when they were decided, and seeking back shows what was', () => {
  const timeline = new Timeline(
    description({
      operations: [
        operation(1, 2, drawnOn('m-1', 1)),
        operation(2, 4, drawnOn('m-2', 3), 'pt-b'),
        operation(3, 6, { kind: 'undo', target: 1 }),
        operation(4, 8, { kind: 'clear_field' }),
      ],
    }),
  );
  expect(names(timeline, 5)).toEqual(['m-1', 'm-2']);
  expect(names(timeline, 6)).toEqual(['m-2']);
  expect(names(timeline, 9)).toEqual([]);
  expect(names(timeline, 3.49)).toEqual(['m-1']);
});

test('a mark that is older than the recording is there from the beginning', () => {
  const timeline = new Timeline(description({ operations: [operation(1, 0, drawnOn('m-1', -20))] }));
  expect(names(timeline, 0)).toEqual(['m-1']);
});

test('a pointer is shown with its trail, and goes', () => {
  const anchor = { producer: 7, rtp_timestamp: 1 };
  const timeline = new Timeline(
    description({
      pointers: [
        { at: 1, author: 'pt-a', anchor, point: [0.1, 0.1] },
        { at: 1.1, author: 'pt-a', anchor, point: [0.2, 0.2] },
        { at: 1.2, author: 'pt-a', anchor: null, point: null },
        { at: 3, author: 'pt-a', anchor, point: [0.3, 0.3] },
      ],
    }),
  );
  expect(timeline.pointersAt(7, 1.15)[0]?.trail.map(({ point }) => point)).toEqual([[0.1, 0.1], [0.2, 0.2]]);
  expect(timeline.pointersAt(7, 1.25)).toEqual([]);
  expect(timeline.pointersAt(7, 3.9).length).toBe(1);
  expect(timeline.pointersAt(7, 4.1)).toEqual([]);
  expect(timeline.pointersAt(8, 1.15)).toEqual([]);
});

const ready = (currentTime: number): VideoReport => ({ currentTime, ready: true });

test('the main video leads, another that lags is sped up a little', () => {
  const playhead = new Playhead(30, [camera(7, { offset: 1 }), camera(8, { offset: 0 })], 0);
  playhead.seek(5);
  playhead.play();
  const [main, other] = playhead.handleTick([ready(0), ready(0)], 0);
  expect([main?.seek, other?.seek]).toEqual([4, 5]);
  const commands = playhead.handleTick([ready(4.5), ready(5.4)], 500);
  expect(playhead.position).toBe(5.5);
  expect(commands[0]).toEqual({ seek: null, play: true, rate: 1, visible: true });
  expect(commands[1]?.rate).toBeCloseTo(1.05);
});

test('another that is far off jumps', () => {
  const playhead = new Playhead(30, [camera(7, { offset: 0 }), camera(8, { offset: 0 })], 0);
  playhead.play();
  playhead.handleTick([ready(0), ready(0)], 0);
  const commands = playhead.handleTick([ready(3), ready(1)], 3000);
  expect(commands[1]?.seek).toBeCloseTo(3);
});

test('where the main camera has no picture the position runs by the clock', () => {
  const playhead = new Playhead(30, [camera(7, { offset: 10, seconds: 5 })], 0);
  playhead.setMain(0);
  playhead.speed = 2;
  playhead.play();
  playhead.handleTick([ready(0)], 0);
  const [command] = playhead.handleTick([ready(0)], 1000);
  expect(playhead.position).toBe(2);
  expect(command).toMatchObject({ visible: false, play: false });
});

test('while the main video buffers everything waits', () => {
  const playhead = new Playhead(30, [camera(7, { offset: 0 })], 0);
  playhead.play();
  playhead.handleTick([ready(0)], 0);
  playhead.handleTick([ready(1)], 1000);
  playhead.handleTick([{ currentTime: 1, ready: false }], 2000);
  expect(playhead.position).toBe(1);
});

test('the first frame stands for a moment before its camera began', () => {
  const playhead = new Playhead(30, [camera(7, { offset: 0.2 }), camera(8, { offset: 3 })], 0);
  expect(playhead.handleTick([ready(0), ready(0)], 0).map(({ visible, play, seek }) => [visible, play, seek])).toEqual([
    [true, false, 0],
    [false, false, 0],
  ]);
});

test('it stops at the end, and playing again begins from the start', () => {
  const playhead = new Playhead(3, [], -1);
  playhead.play();
  playhead.handleTick([], 0);
  playhead.handleTick([], 0);
  playhead.handleTick([], 5000);
  expect([playhead.position, playhead.playing]).toEqual([3, false]);
  playhead.play();
  expect(playhead.position).toBe(0);
});

test('paused, a seek brings every video exactly there', () => {
  const playhead = new Playhead(30, [camera(7, { offset: 0.5 }), camera(8, { offset: 2 })], 0);
  playhead.seek(10);
  expect(playhead.handleTick([ready(0), ready(0)], 0).map(({ seek, play }) => [seek, play])).toEqual([[9.5, false], [8, false]]);
});

test('events are in order; gaps near each other are one', () => {
  const chapters = chaptersOf(
    description({
      operations: [operation(1, 4, drawnOn('m', 3)), operation(2, 9, { kind: 'clear_field' })],
      events: [
        { at: 0, kind: 'participant_joined', participant: 'pt-a' },
        { at: 0, kind: 'producer_added', producer: 9, participant: 'pt-a', source: 'microphone' },
        { at: 6, kind: 'participant_left', participant: 'pt-a' },
        { at: 7, kind: 'producer_removed', producer: 9 },
      ],
      gaps: [
        { producer: 7, at: 12, packets: 3 },
        { producer: 7, at: 12.4, packets: 2 },
        { producer: 7, at: 20, packets: 1 },
      ],
    }),
    (key) => key,
  );
  expect(chapters.map(({ at, kind, words }) => [at, kind, words?.key])).toEqual([
    [4, 'mark', 'chapter_mark'],
    [6, 'room', 'chapter_participant_left'],
    [7, 'room', 'chapter_producer_removed'],
    [9, 'clear', 'chapter_clear_field'],
    [12, 'gap', 'chapter_gap'],
    [20, 'gap', 'chapter_gap'],
  ]);
  expect(chapters[1]?.words?.values).toMatchObject({ name: 'Dr. Li' });
  expect(chapters[2]?.words?.values).toMatchObject({ name: 'Dr. Li', source: 'source_microphone' });
  expect(chapters[4]?.words?.values).toEqual({ count: 5 });
});

test('manners are events too, but not who spoke, and each thing is named by what it did', () => {
  const participants = [
    { participant: 'pt-1', name: 'Dr. Li', role: 'expert', colour: '#fff' },
    { participant: 'pt-2', name: 'Prof. Keller', role: 'chair', colour: '#000' },
  ];
  const chapters = chaptersOf(
    description({
      participants,
      events: [
        { at: 5, kind: 'speaker', participant: 'pt-1' },
        { at: 6, kind: 'hand', participant: 'pt-1', raised: true, by: 'pt-1' },
        { at: 7, kind: 'hand', participant: 'pt-1', raised: false, by: 'pt-2' },
        { at: 8, kind: 'lock', locked: true, by: 'pt-2' },
        { at: 9, kind: 'lock', locked: false, by: 'pt-2' },
        { at: 10, kind: 'admitted', name: 'Dr. Weber', by: 'pt-2' },
        { at: 11, kind: 'removed', participant: 'pt-1', by: 'pt-2' },
      ],
    }),
    (key) => key,
  );
  expect(chapters.map(({ words }) => [words?.key, words?.values['name']])).toEqual([
    ['chapter_hand', 'Dr. Li'],
    ['chapter_lock', 'Prof. Keller'],
    ['chapter_unlock', 'Prof. Keller'],
    ['chapter_admitted', 'Dr. Weber'],
    ['chapter_removed', 'Dr. Li'],
  ]);
});
