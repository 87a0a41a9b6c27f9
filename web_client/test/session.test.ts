import { beforeEach, expect, test } from 'vitest';
import type { Announcement, Session } from '../src/session';
import { add, logged, mark } from './fakes/marks';
import { FakePeer, settled } from './fakes/peer';
import { person, welcome, type FakeServer } from './fakes/server';
import { Stay } from './fakes/session';
import type { FakeTimers } from './fakes/timers';

let stay: Stay;
let server: FakeServer;
let timers: FakeTimers;
let session: Session;
let announced: Announcement[];

beforeEach(async () => {
  stay = await new Stay(7).enter();
  ({ server, timers, session, announced } = stay);
});

const offer = (revision: number, credentials: string, connection = 1) => ({
  type: 'offer',
  revision,
  connection,
  sdp: `a=ice-ufrag:${credentials}\r\na=mid:0\r\n`,
  consumers: [{ mid: '0', producer: 7, consumer: 21 }],
});

function draw(): void {
  session.tools.handleDown([0.1, 0.1], { producer: 7, rtp_timestamp: 5 }, 0);
  session.tools.handleMove([[0.5, 0.5]], null, 50, false);
  session.tools.handleUp();
}

test('an offer is answered with its revision, the field is not buffered', async () => {
  server.say(offer(3, 'abcd'));
  await settled();
  expect(server.sent('answer')[0]).toMatchObject({ revision: 3 });
  expect([...session.receiver.tracks.keys()]).toEqual([7]);
  expect(FakePeer.newest.transceivers[0]?.receiver.jitterBufferTarget).toBe(0);
});

test('an offer for another connection is for a new one; new credentials alone are an ICE restart', async () => {
  server.say(offer(1, 'abcd'));
  await settled();
  server.say(offer(2, 'abcd'));
  await settled();
  expect(FakePeer.made.length).toBe(1);
  server.say(offer(3, 'efgh'));
  await settled();
  expect(FakePeer.made.length).toBe(1);
  server.say(offer(4, 'ijkl', 2));
  await settled();
  expect(FakePeer.made.map(({ closed }) => closed)).toEqual([true, false]);
});

test('a failed receiving connection is asked for again, also after the server was away', async () => {
  server.say(offer(1, 'abcd'));
  await settled();
  FakePeer.newest.become('failed');
  expect(server.sent('rewatch').length).toBe(1);
  server.say(offer(2, 'efgh', 2));
  await settled();
  server.break();
  FakePeer.newest.become('failed');
  timers.advance(200);
  await settled();
  server.say(welcome());
  expect(server.sent('rewatch').length).toBe(1);
});

test('an offer under way on a connection that is given up holds the next one’s offer up in nothing', async () => {
  server.say(offer(1, 'abcd'));
  await settled();
  // the line comes back, and with it the offer of a restart, in the moment in which the connection is given up
  server.say(offer(2, 'efgh'));
  await Promise.resolve();
  FakePeer.newest.become('failed');
  expect(server.sent('rewatch').length).toBe(1);
  await settled();
  server.say(offer(3, 'ijkl', 2));
  await settled();
  expect(server.sent('answer').at(-1)).toMatchObject({ revision: 3 });
  FakePeer.newest.become('connected');
  expect(session.receiver.guard.state).toBe('steady');
});

test('why a picture was held back is forgotten with the connection that it was held back on', async () => {
  server.say(offer(1, 'abcd'));
  await settled();
  server.say({ type: 'delivery', producer: 7, reason: 'line', height: 0 });
  expect([...session.deliveries.keys()]).toEqual([7]);
  FakePeer.newest.become('failed');
  expect([...session.deliveries.keys()]).toEqual([]);
});

test('one’s own mark is shown at once and confirmed by its number', async () => {
  draw();
  expect(session.replica.visible.map(({ sequence }) => sequence)).toEqual([null]);
  const { operation } = server.sent('mark')[0] as unknown as { operation: { kind: 'add' } };
  server.say({ type: 'operation', ...logged(1, 'pt-5f0c2a9e', operation as never) });
  expect(session.replica.visible.map(({ sequence }) => sequence)).toEqual([1]);
});

test('a refused mark goes, with the reason', async () => {
  draw();
  server.say({ type: 'error', id: server.sent('mark')[0]?.id, code: 'too_many_marks', message: 'Too many.' });
  await settled();
  expect(session.replica.visible).toEqual([]);
  expect(announced).toEqual([{ kind: 'mark_refused', code: 'too_many_marks', message: 'Too many.' }]);
});

test('a mark under way when the connection breaks is sent again; that it had arrived is no error', async () => {
  draw();
  await stay.breakAndReturn();
  expect(server.sent('mark').length).toBe(1);
  server.say({ type: 'error', id: server.sent('mark')[0]?.id, code: 'duplicate_mark', message: '' });
  await settled();
  expect(announced).toEqual([{ kind: 'resumed' }]);
});

test('under a new identity old marks under way are given up, which is said', async () => {
  draw();
  await stay.breakAndReturn({ self: 'pt-new', participants: [] });
  expect(session.replica.visible).toEqual([]);
  expect(server.sent('mark')).toEqual([]);
  expect(announced).toEqual([{ kind: 'marks_lost', count: 1 }, { kind: 'rejoined' }]);
});

test('a gap in the log is asked for, once', async () => {
  server.say({ type: 'operation', ...add(3) });
  server.say({ type: 'operation', ...add(4) });
  expect(server.sent('marks').map(({ after }) => after)).toEqual([0]);
  server.say({ type: 'reply', id: server.sent('marks')[0]?.id, after: 0, sequence: 4, operations: [add(1), add(2), add(3), add(4)] });
  await settled();
  expect(session.replica.visible.length).toBe(4);
});

test('without a data channel a stroke in progress goes over the socket, stamped by the server’s clock', () => {
  session.tools.handleDown([0.1, 0.1], { producer: 7, rtp_timestamp: 5 }, 0);
  session.tools.handleMove([[0.5, 0.5]], null, 50, false);
  session.tools.handleMove([[0.6, 0.5]], null, 100, false);
  expect(server.sent('stroke').map(({ n, from, sent }) => [n, from, sent])).toEqual([
    [1, 0, 1_795_305_600_000],
    [2, 0, 1_795_305_600_000],
  ]);
});

test('who comes and goes and what is recorded is announced', () => {
  const participant = person({ participant: 'pt-x', name: 'Prof. Tanaka' });
  server.say({ type: 'participant', participant });
  server.say({ type: 'participant', participant: { ...participant, state: 'away' } });
  server.say({ type: 'participant_left', participant: 'pt-x', reason: 'timeout' });
  server.say({ type: 'recording', recording: { recording: 'r', state: 'recording', since: 0, by: 'Dr. Weber' } });
  server.say({ type: 'recording', recording: null });
  expect(announced.map(({ kind }) => kind)).toEqual(['joined', 'timed_out', 'recording_started', 'recording_stopped']);
  expect(session.room.participants.has('pt-x')).toBe(false);
});

test('after a new identity everything is published anew', async () => {
  session.publisher.send('camera', { id: 'c', kind: 'video', getSettings: () => ({}) } as unknown as MediaStreamTrack, '');
  await settled();
  expect(server.sent('publish').length).toBe(1);
  await stay.breakAndReturn({ self: 'pt-new' });
  expect(server.sent('publish').length).toBe(1);
  expect(FakePeer.made.length).toBe(2);
});

test('a publication that a break interrupted is made again after the resumption', async () => {
  session.publisher.send('camera', { id: 'c', kind: 'video', getSettings: () => ({}) } as unknown as MediaStreamTrack, '');
  await settled();
  await stay.breakAndReturn();
  expect(server.sent('publish').length).toBe(1);
});

test('a change of the network renews the signalling first, then restarts ICE on both media connections', async () => {
  session.publisher.send('camera', { id: 'c', kind: 'video', getSettings: () => ({}) } as unknown as MediaStreamTrack, '');
  await settled();
  server.say({ type: 'reply', id: server.sent('publish')[0]?.id, sdp: 'answer', producers: [{ mid: '0', producer: 9 }] });
  server.say(offer(1, 'abcd'));
  await settled();
  const [publishing, receiving] = FakePeer.made;
  receiving?.become('connected');
  receiving?.become('disconnected');
  await settled();
  expect(server.sockets.length).toBe(2);
  expect(server.sent('restart_ice')).toEqual([]);
  server.say(welcome());
  await settled();
  expect(publishing?.restarts).toBe(1);
  expect([server.sent('publish').length, server.sent('restart_ice').length]).toEqual([1, 1]);
  expect(FakePeer.made.length).toBe(2);
  expect(announced).toEqual([]);
});

test('a restart whose offer was lost with the socket is offered again on the next one', async () => {
  session.publisher.send('camera', { id: 'c', kind: 'video', getSettings: () => ({}) } as unknown as MediaStreamTrack, '');
  await settled();
  server.say({ type: 'reply', id: server.sent('publish')[0]?.id, sdp: 'answer', producers: [{ mid: '0', producer: 9 }] });
  await settled();
  session.publisher.restartIce();
  await settled();
  expect(server.sent('publish').length).toBe(2);
  const sdp = server.sent('publish')[1]?.sdp;
  await stay.breakAndReturn();
  expect(server.sent('publish')).toMatchObject([{ sdp }]);
  expect(FakePeer.made.length).toBe(1);
});

test('four seconds without a way: what failed is built anew by itself', async () => {
  server.say(offer(1, 'abcd'));
  await settled();
  FakePeer.newest.become('connected');
  FakePeer.newest.become('disconnected');
  await settled();
  server.say(welcome());
  await settled();
  timers.advance(4000);
  expect(server.sent('rewatch').length).toBe(1);
  expect(session.receiver.guard.state).toBe('rejoining');
  server.say(offer(2, 'efgh', 2));
  await settled();
  FakePeer.newest.become('connected');
  expect(session.receiver.guard.state).toBe('steady');
});

test('TURN credentials are renewed before they end, and used from then on', async () => {
  const servers = [{ urls: ['turn:turn.example.org'], username: '1:pt', credential: 'a' }];
  await stay.breakAndReturn({ ice_servers: servers, ice_lifetime: 4 });
  expect(session.iceServers).toEqual(servers);
  server.say(offer(1, 'abcd'));
  await settled();
  timers.advance(2999);
  expect(server.sent('ice_servers')).toEqual([]);
  timers.advance(1);
  const renewed = [{ ...servers[0], credential: 'b' }];
  server.say({ type: 'reply', id: server.sent('ice_servers')[0]?.id, ice_servers: renewed, ice_lifetime: 4 });
  await settled();
  expect(FakePeer.newest.configuration.iceServers).toEqual(renewed);
  expect(session.iceServers).toEqual(renewed);
});

test('a picture whose codec the browser does not take is known as such until an answer takes it', async () => {
  server.say(offer(1, 'abcd'));
  await settled();
  server.say({ type: 'reply', id: server.sent('answer')[0]?.id, refused: [7] });
  await settled();
  expect([...session.unplayable]).toEqual([7]);
  server.say(offer(2, 'efgh', 2));
  await settled();
  server.say({ type: 'reply', id: server.sent('answer')[1]?.id });
  await settled();
  expect(session.unplayable.size).toBe(0);
});

test('what is shown of a picture that is sent is told, what one is sent less is kept until it is the best again', async () => {
  server.say(offer(1, 'abcd'));
  await settled();
  session.views.handleSize(7, {}, 640, 360);
  session.views.handleSize(99, {}, 640, 360);
  timers.advance(200);
  expect(server.sent('view')).toMatchObject([{ producer: 7, width: 640, height: 360 }]);
  server.say({ type: 'delivery', producer: 7, reason: 'line', height: 360 });
  expect(session.deliveries.get(7)).toMatchObject({ reason: 'line', height: 360 });
  server.say({ type: 'delivery', producer: 7, reason: 'none', height: 2160 });
  expect(session.deliveries.size).toBe(0);
});

test('a publishing connection that the server has no longer is made anew, without a word', async () => {
  session.publisher.send('camera', { id: 'c', kind: 'video', getSettings: () => ({}) } as unknown as MediaStreamTrack, '');
  await settled();
  server.say({ type: 'error', id: server.sent('publish')[0]?.id, code: 'connection_gone', message: 'This connection has ended.' });
  await settled();
  expect(server.sent('publish').length).toBe(2);
  expect(FakePeer.made.map(({ closed }) => closed)).toEqual([true, false]);
  expect(announced).toEqual([]);
});

test('what is moved together is asked for at once, shown at once, and comes back by one undo', async () => {
  const names = ['m-1', 'm-2', 'm-3'];
  names.forEach((name, index) => server.say({ type: 'operation', ...add(index + 1, 'pt-5f0c2a9e', name) }));
  await settled();
  const moved = names.map((name) => ({ ...mark(name), points: [[0.5, 0.5], [0.6, 0.6]] as [number, number][] }));
  session.edit(moved);
  await settled();
  const [asked, ...others] = server.sent('mark');
  expect([asked?.['operation'], others]).toEqual([{ kind: 'edit', marks: moved }, []]);
  expect(session.replica.visible.map(({ mark: one }) => one.points[0])).toEqual([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]);
  // the connection breaks before the answer: they go out together again
  await stay.breakAndReturn({ marks: { after: 3, sequence: 3, operations: [] } });
  expect(server.sent('mark').map((request) => request['operation'])).toEqual([{ kind: 'edit', marks: moved }]);
});

test('a recording that the disk does not follow is told at once, and whether anything is missing when it goes on', async () => {
  announced.length = 0;
  const recording = { recording: 'r', state: 'recording', since: 0, by: 'Dr. Weber' };
  const broken = { ...recording, state: 'interrupted', interrupted: 5, cause: 'full', reason: 'The disk is full.' };
  const missing = { seconds: 4, packets: 300 };
  server.say({ type: 'recording', recording });
  server.say({ type: 'recording', recording: broken });
  server.say({ type: 'recording', recording: { ...recording, missing } });
  // of a second one nothing is missing, whatever is of the first
  server.say({ type: 'recording', recording: { ...broken, missing } });
  server.say({ type: 'recording', recording: { ...recording, missing } });
  await settled();
  expect(announced.map(({ kind }) => kind)).toEqual([
    'recording_started', 'recording_interrupted', 'recording_resumed', 'recording_interrupted', 'recording_resumed_whole',
  ]);
});
