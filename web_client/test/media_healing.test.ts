/** What becomes of what a page asked for its media when the line breaks, is taken over, or the server says no. */
import { beforeEach, expect, test } from 'vitest';
import type { Announcement, Session } from '../src/session';
import { FakePeer, fakeTrack, settled } from './fakes/peer';
import { welcome, type FakeServer } from './fakes/server';
import { Stay } from './fakes/session';
import type { FakeTimers } from './fakes/timers';

let stay: Stay;
let server: FakeServer;
let timers: FakeTimers;
let session: Session;
let announced: Announcement[];

beforeEach(async () => {
  stay = await new Stay().enter();
  ({ server, timers, session, announced } = stay);
});

const offer = (revision: number, connection = 1) => ({
  type: 'offer',
  revision,
  connection,
  sdp: `a=ice-ufrag:abcd\r\na=mid:0\r\n`,
  consumers: [{ mid: '0', producer: 7, consumer: 21 }],
});

async function sendCamera(): Promise<void> {
  session.publisher.send('camera', fakeTrack('cam'), '');
  await settled();
  await stay.reply('publish', { sdp: 'answer', producers: [{ mid: '0', producer: 9 }] });
}

test('a publication under way at a takeover is put again, and what changes after it goes out', async () => {
  await sendCamera();
  session.publisher.send('field', fakeTrack('field'), 'Operating field');
  await settled();
  await stay.takeOver();
  expect(server.sent('publish').at(-1)).toMatchObject({ sources: [{ source: 'camera' }, { source: 'field' }] });
  // the restart that the change of network asked for goes into the next one
  await stay.reply('publish', { sdp: 'answer', producers: [{ mid: '0', producer: 9 }, { mid: '1', producer: 10 }] });
  expect(server.sent('publish').length).toBe(2);
  await stay.reply('publish', { sdp: 'answer', producers: [{ mid: '0', producer: 9 }, { mid: '1', producer: 10 }] });
  session.publisher.stop('field');
  await settled();
  expect(server.sent('publish').at(-1)).toMatchObject({ sources: [{ source: 'camera' }] });
  expect(FakePeer.made.length).toBe(1);
});

test('the first publication, under way at a takeover, is put again, word for word', async () => {
  session.publisher.send('camera', fakeTrack('cam'), '');
  await settled();
  const sdp = server.sent('publish')[0]?.sdp;
  await stay.takeOver();
  expect(server.sent('publish').map((sent) => sent.sdp)).toEqual([sdp]);
  await stay.reply('publish', { sdp: 'answer', producers: [{ mid: '0', producer: 9 }] });
  expect([session.publisher.producerOf('camera'), FakePeer.made.length, announced]).toEqual([9, 1, []]);
});

test('what is refused takes nothing along that was sent before', async () => {
  await sendCamera();
  session.publisher.send('microphone', fakeTrack('mic', 'audio'), '');
  await settled();
  server.say({ type: 'error', id: server.sent('publish').at(-1)?.id, code: 'limit', message: 'Too much.' });
  await settled();
  expect(server.sent('publish').at(-1)).toMatchObject({ sources: [{ source: 'camera' }] });
  await stay.reply('publish', { sdp: 'answer', producers: [{ mid: '0', producer: 9 }] });
  const { publisher } = session;
  expect([publisher.producerOf('camera'), publisher.isUnsent('camera'), publisher.isUnsent('microphone')]).toEqual([9, false, true]);
  expect(announced).toEqual([{ kind: 'request_refused', code: 'limit', message: 'Too much.' }]);
  publisher.retry();
  await settled();
  expect(server.sent('publish').at(-1)).toMatchObject({ sources: [{ source: 'camera' }, { source: 'microphone' }] });
  // refused even alone: there is nothing to go on with
  publisher.stop('camera');
  publisher.restart();
  await settled();
  const count = server.sent('publish').length;
  server.say({ type: 'error', id: server.sent('publish').at(-1)?.id, code: 'limit', message: 'Too much.' });
  await settled();
  expect([server.sent('publish').length, publisher.isUnsent('microphone')]).toEqual([count, true]);
});

test('an answer to the offer of a connection that failed reaches no other one', async () => {
  session.publisher.send('camera', fakeTrack('cam'), '');
  await settled();
  FakePeer.newest.become('failed');
  await settled();
  const [first, second] = server.sent('publish');
  server.say({ type: 'error', id: first?.id, code: 'limit', message: 'Of the first.' });
  await settled();
  expect([FakePeer.newest.closed, announced]).toEqual([false, []]);
  server.say({ type: 'reply', id: second?.id, sdp: 'of the second', producers: [{ mid: '0', producer: 9 }] });
  await settled();
  expect([FakePeer.newest.remote, session.publisher.producerOf('camera')]).toEqual([['of the second'], 9]);
});

test('a connection that failed during a break leaves no offer behind that is put after the new one', async () => {
  session.publisher.send('camera', fakeTrack('cam'), '');
  await settled();
  server.break();
  FakePeer.newest.become('failed');
  await stay.comeBack();
  expect([server.sent('publish').length, FakePeer.made.map(({ closed }) => closed)]).toEqual([1, [true, false]]);
});

test('a size that changed during a break is told after it', async () => {
  server.say(offer(1));
  await settled();
  session.views.handleSize(7, {}, 0, 0);
  timers.advance(200);
  server.break();
  session.views.handleSize(7, {}, 640, 360);
  timers.advance(199);
  await stay.comeBack();
  timers.advance(200);
  expect(server.sent('view')).toMatchObject([{ producer: 7, width: 640, height: 360 }]);
});

test('what was said of the pictures before a break is forgotten: the server says it anew', async () => {
  server.say(offer(1));
  await settled();
  server.say({ type: 'delivery', producer: 7, reason: 'line', height: 360 });
  let told = 0;
  session.on('delivery', () => (told += 1));
  await stay.breakAndReturn();
  expect([session.deliveries.size, told > 0]).toEqual([0, true]);
  server.say({ type: 'delivery', producer: 7, reason: 'size', height: 180 });
  expect(session.deliveries.get(7)).toMatchObject({ reason: 'size' });
});

test('what failed for one identity is no matter of the next', async () => {
  await sendCamera();
  server.say(offer(1));
  await settled();
  server.break();
  for (const peer of FakePeer.made) peer.become('failed');
  await stay.comeBack({ self: 'pt-new' });
  server.say(offer(1));
  await settled();
  await stay.reply('publish', { sdp: 'answer', producers: [{ mid: '0', producer: 9 }] });
  for (const peer of FakePeer.made.slice(2)) peer.become('connected');
  await takeOverAs('pt-new');
  expect(FakePeer.made.map(({ closed }) => closed)).toEqual([true, true, false, false]);
  expect(server.sent('rewatch')).toEqual([]);
});

async function takeOverAs(self: string): Promise<void> {
  session.handleNetworkChange();
  await settled();
  server.say(welcome({ self }));
  await settled();
}

test('a request for a new receiving connection that a takeover swallowed is made again', async () => {
  server.say(offer(1));
  await settled();
  FakePeer.newest.become('failed');
  expect(server.sent('rewatch').length).toBe(1);
  await stay.takeOver();
  expect([server.sent('rewatch').length, announced]).toEqual([1, []]);
  server.say(offer(2, 2));
  await settled();
  FakePeer.newest.become('connected');
  await stay.takeOver();
  expect(server.sent('rewatch')).toEqual([]);
});

test('a receiving connection that found its way back during a break is kept', async () => {
  server.say(offer(1));
  await settled();
  FakePeer.newest.become('connected');
  server.break();
  FakePeer.newest.become('disconnected');
  timers.advance(150);
  FakePeer.newest.become('connected');
  await stay.comeBack();
  expect([server.sent('rewatch'), FakePeer.made.length, FakePeer.newest.closed]).toEqual([[], 1, false]);
});

test('an answer whose reply a takeover swallowed is given again: which codec is missing stays known', async () => {
  server.say(offer(1));
  await settled();
  await stay.takeOver();
  expect(server.sent('answer')).toMatchObject([{ revision: 1 }]);
  await stay.reply('answer', { refused: [7] });
  expect([...session.unplayable]).toEqual([7]);
});

test('an answer is not given again once a newer one was', async () => {
  server.say(offer(1));
  await settled();
  server.say(offer(2));
  await settled();
  await stay.breakAndReturn();
  expect(server.sent('answer')).toMatchObject([{ revision: 2 }]);
});

test('TURN credentials whose renewal a takeover swallowed are asked for by one timer only, and by none after the end', async () => {
  const ice = { ice_servers: [{ urls: ['turn:turn.example.org'], username: '1:pt', credential: 'a' }], ice_lifetime: 400 };
  await stay.breakAndReturn(ice);
  // quick enough that the connection is not taken for dead
  for (let second = 0; second < 300; second += 1) {
    timers.advance(1000);
    server.say({ type: 'pong', id: 0, time: 0, server_time: 0 });
  }
  expect(server.sent('ice_servers').length).toBe(1);
  session.handleNetworkChange();
  await settled();
  server.say(welcome(ice));
  await settled();
  for (let second = 0; second < 299; second += 1) {
    timers.advance(1000);
    server.say({ type: 'pong', id: 0, time: 0, server_time: 0 });
  }
  expect(server.sent('ice_servers').length).toBe(0);
  session.leave();
  await settled();
  const said = server.socket.sent.length;
  timers.advance(3_600_000);
  await settled();
  expect([server.socket.sent.length, timers.waiting]).toEqual([said, 0]);
});
