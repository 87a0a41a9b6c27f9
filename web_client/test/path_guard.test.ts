import { beforeEach, expect, test } from 'vitest';
import { HEALING_MS, PathGuard, POLL_MS, type PathState } from '../src/media/path_guard';
import { FakePeer, settled } from './fakes/peer';
import { FakeTimers } from './fakes/timers';

let timers: FakeTimers;
let guard: PathGuard;
let peer: FakePeer;
let said: string[];
let states: PathState[];

beforeEach(() => {
  timers = new FakeTimers();
  watch(true);
});

function watch(impatient: boolean): void {
  guard = new PathGuard(timers, { impatient });
  said = [];
  states = [];
  guard.on('restart', (trigger) => said.push(trigger));
  guard.on('rejoin', () => said.push('rejoin'));
  guard.on('state', (state) => states.push(state));
  peer = new FakePeer();
  guard.follow(peer as unknown as RTCPeerConnection);
  peer.become('connected');
}

/** Let polls pass, in each of which so many bytes arrive. */
async function polls(count: number, bytes: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    peer.bytes += bytes;
    timers.advance(POLL_MS);
    await settled();
  }
}

test('media that flowed and stop are an alarm after three polls', async () => {
  await polls(12, 1000);
  await polls(2, 0);
  expect(said).toEqual([]);
  await polls(1, 0);
  expect(said).toEqual(['silent']);
  expect(guard.state).toBe('restarting');
});

test('a connection on which little is said is not alarmed by silence', async () => {
  for (let n = 0; n < 10; n += 1) {
    await polls(1, 100);
    await polls(3, 0);
  }
  expect(said).toEqual([]);
});

test('a sign of life on the path in use ends the search: bytes, or an answer to a check', async () => {
  peer.become('disconnected');
  await polls(1, 10);
  expect(guard.state).toBe('steady');
  peer.become('disconnected');
  peer.answers = { new: 1 };
  peer.selected = 'new';
  await polls(1, 0);
  expect(guard.state).toBe('steady');
  await polls(40, 0);
  expect(said).toEqual(['disconnected', 'disconnected']);
});

test('the death of a candidate pair is no sign of life', async () => {
  peer.answers = { old: 5, other: 3 };
  await polls(2, 0);
  peer.become('disconnected');
  peer.answers = { other: 3 };
  await polls(HEALING_MS / POLL_MS - 1, 0);
  expect(guard.state).toBe('restarting');
});

test('after four seconds without a sign of life the connection is to be built anew', async () => {
  peer.become('disconnected');
  timers.advance(3999);
  await settled();
  expect(said).toEqual(['disconnected']);
  timers.advance(1);
  expect(said).toEqual(['disconnected', 'rejoin']);
  expect(guard.state).toBe('rejoining');
});

test('a new connection that stands ends it; one that does not is tried again', async () => {
  peer.become('failed');
  guard.rebuild();
  const second = new FakePeer();
  guard.follow(second as unknown as RTCPeerConnection);
  timers.advance(8000);
  expect(said).toEqual(['rejoin', 'rejoin']);
  guard.rebuild();
  const third = new FakePeer();
  guard.follow(third as unknown as RTCPeerConnection);
  // what the old ones still say is not heard
  second.become('failed');
  third.become('connected');
  timers.advance(20_000);
  expect(said).toEqual(['rejoin', 'rejoin']);
  expect(states).toEqual(['rejoining', 'steady']);
});

test('a new connection that never comes is asked for again', () => {
  peer.become('failed');
  guard.rebuild();
  timers.advance(7999);
  expect(said).toEqual(['rejoin']);
  timers.advance(1);
  expect(said).toEqual(['rejoin', 'rejoin']);
});

test('one that was closed on purpose is watched no longer', async () => {
  guard.stop();
  peer.become('failed');
  timers.advance(20_000);
  await settled();
  expect(said).toEqual([]);
});

test('where another path answers and the one in use does not, what only receives is soon built anew', async () => {
  peer.answers = { old: 3 };
  peer.selected = 'old';
  await polls(2, 0);
  peer.become('disconnected');
  peer.answers = { old: 3, other: 1 };
  await polls(1, 0);
  expect(guard.state).toBe('restarting');
  await polls(4, 0);
  expect(said).toEqual(['disconnected', 'rejoin']);
});

test('what sends is not built anew before the four seconds are over', async () => {
  watch(false);
  peer.selected = 'old';
  peer.become('disconnected');
  peer.answers = { other: 1 };
  await polls(HEALING_MS / POLL_MS - 1, 0);
  expect(said).toEqual(['disconnected']);
  await polls(1, 0);
  expect(said).toEqual(['disconnected', 'rejoin']);
});

test('who sends is alarmed by missing reports only while it sends', async () => {
  watch(false);
  for (let n = 0; n < 12; n += 1) {
    peer.sent += 1000;
    await polls(1, 10);
  }
  await polls(10, 0);
  expect(said).toEqual([]);
  for (let n = 0; n < 12; n += 1) {
    peer.sent += 1000;
    await polls(1, n < 8 ? 10 : 0);
  }
  expect(said).toEqual(['silent']);
});
