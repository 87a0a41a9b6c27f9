import { beforeEach, expect, test } from 'vitest';
import type { Announcement, Session } from '../src/session';
import type { Showing } from '../src/signalling/protocol';
import type { FakeServer } from './fakes/server';
import { Stay } from './fakes/session';

let stay: Stay;
let server: FakeServer;
let session: Session;
let announced: Announcement[];

const NOW = 1_795_305_600_000;

const STANDING: Showing = {
  recording: '20261122-101500-demo-3f9a',
  started: NOW - 86_400_000,
  seconds: 31.2,
  state: 'paused',
  progress: 1,
  position: 12,
  at: NOW,
  speed: 1,
  by: 'Dr. Weber',
  participant: 'pt-77aa88bb',
  pictures: [{ producer: 21, rtp_timestamp: 5000, frame: 4_294_966_296 }],
};

function show(changes: Partial<Showing> = {}): void {
  server.say({ type: 'showing', showing: { ...STANDING, ...changes }, reason: null });
}

beforeEach(async () => {
  stay = new Stay();
  ({ server, session, announced } = await stay.enter({ permissions: ['watch', 'replay', 'teach'] }));
});

test('where it stands goes with the server’s clock while it plays, and no further than its end', () => {
  show();
  expect(session.theatre.position(NOW + 5000)).toBe(12);
  show({ state: 'playing', speed: 2 });
  expect(session.theatre.position(NOW + 5000)).toBe(22);
  // what is told may still be to come: until then the wanted moment is being sought
  expect(session.theatre.position(NOW - 1000)).toBe(12);
  expect(session.theatre.position(NOW + 60_000)).toBe(31.2);
  expect(session.theatre.position(null)).toBe(12);
});

test('a frame on the glass says its own moment, and one that only leads there says that it is not it', () => {
  show({ state: 'playing', speed: 0.5 });
  const at = (rtp: number) => session.theatre.moment(21, rtp >>> 0);
  // 1000 ticks before zero: the timestamps come round
  expect(at(-1000)).toEqual({ position: 12, seeking: false });
  expect(at(-1001)).toEqual({ position: 12, seeking: true });
  expect(at(5000 + 90_000)).toEqual({ position: 12.5, seeking: false });
  expect(session.theatre.moment(21, null)).toBeNull();
  expect(session.theatre.moment(9, 5000)).toBeNull();
  show({ pictures: [{ producer: 21, rtp_timestamp: 5000, frame: null }] });
  expect(at(5000)).toBeNull();
});

test('who may asks, nothing moves before the server says so, and bounds are kept', async () => {
  show();
  expect([session.theatre.mayOpen, session.theatre.mayPlay]).toEqual([false, true]);
  void session.theatre.toggle();
  expect(server.sent('theatre').at(-1)).toMatchObject({ action: 'play' });
  expect(session.theatre.showing?.state).toBe('paused');
  show({ state: 'playing' });
  void session.theatre.toggle();
  expect(server.sent('theatre').at(-1)).toMatchObject({ action: 'pause' });
  void session.theatre.seek(99);
  expect(server.sent('theatre').at(-1)).toMatchObject({ action: 'seek', position: 31.2 });
  void session.theatre.seek(-3);
  expect(server.sent('theatre').at(-1)).toMatchObject({ action: 'seek', position: 0 });
  void session.theatre.setSpeed(2);
  expect(server.sent('theatre').at(-1)).toMatchObject({ action: 'speed', speed: 2 });
});

test('that it begins and ends is said, and why it ended where nobody closed it', () => {
  show();
  show({ state: 'playing' });
  server.say({ type: 'showing', showing: null, reason: 'closed' });
  show();
  server.say({ type: 'showing', showing: null, reason: 'failed' });
  expect(announced.map(({ kind }) => kind)).toEqual(['showing_began', 'showing_ended', 'showing_began', 'showing_failed']);
});

test('who comes back is told anew', async () => {
  show();
  await stay.breakAndReturn({ permissions: ['watch', 'replay', 'guide'] });
  expect(session.theatre.showing).toBeNull();
  expect(session.theatre.mayOpen).toBe(true);
});
