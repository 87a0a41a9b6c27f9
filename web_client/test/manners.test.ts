import { beforeEach, expect, test } from 'vitest';
import { plain } from '../src/manners';
import type { Announcement, Session } from '../src/session';
import { fakeTrack, settled } from './fakes/peer';
import { person, welcome, type FakeServer } from './fakes/server';
import { Stay } from './fakes/session';
import type { FakeTimers } from './fakes/timers';

let server: FakeServer;
let timers: FakeTimers;
let session: Session;
let announced: Announcement[];
let microphone: MediaStreamTrack;
let camera: MediaStreamTrack;

beforeEach(async () => {
  ({ server, timers, session, announced } = await new Stay().enter());
  microphone = fakeTrack('mic', 'audio');
  camera = fakeTrack('cam');
});

function answer(type: string, fields: object = { type: 'reply' }): void {
  server.say({ type: 'reply', ...fields, id: server.sent(type).at(-1)?.id });
}

async function publish(): Promise<void> {
  session.publisher.send('microphone', microphone, '');
  session.publisher.send('camera', camera, 'Dr. Li');
  await settled();
  answer('publish', { sdp: 'answer', producers: [{ mid: '0', producer: 8 }, { mid: '1', producer: 9 }] });
  await settled();
}

const permit = (...sources: ('camera' | 'microphone' | 'screen' | 'second')[]) =>
  server.say({ type: 'participant', participant: person({ sources }) });

test('what is forbidden is given up: its section says nothing, its device is closed, and it is said', async () => {
  await publish();
  permit('camera', 'screen', 'second');
  server.say({ type: 'producer_removed', producer: 8 });
  await settled();
  expect(announced).toEqual([{ kind: 'forbidden', sources: ['microphone'] }]);
  expect([session.publisher.trackOf('microphone'), microphone.readyState]).toEqual([null, 'ended']);
  expect(camera.readyState).toBe('live');
  expect(server.sent('publish').at(-1)).toMatchObject({ sdp: 'local inactive,sendonly', sources: [{ source: 'camera' }] });
});

test('what is allowed again is not sent by itself', async () => {
  await publish();
  permit('camera', 'screen', 'second');
  await settled();
  answer('publish', { sdp: 'answer', producers: [{ mid: '1', producer: 9 }] });
  await settled();
  const offers = server.sent('publish').length;
  permit('camera', 'microphone', 'screen', 'second');
  await settled();
  expect(announced.at(-1)).toEqual({ kind: 'allowed', sources: ['microphone'] });
  expect(server.sent('publish').length).toBe(offers);
  session.publisher.send('microphone', fakeTrack('mic2', 'audio'), '');
  await settled();
  expect(server.sent('publish').at(-1)).toMatchObject({ sources: [{ source: 'camera' }, { source: 'microphone' }] });
});

test('an offer that was under way when a source was forbidden is refused, and what is left goes out anew', async () => {
  session.publisher.send('microphone', fakeTrack('mic', 'audio'), '');
  session.publisher.send('camera', fakeTrack('cam'), '');
  await settled();
  permit('microphone', 'screen', 'second');
  answer('publish', { type: 'error', code: 'not_permitted', message: 'You may not send this just now: camera.' });
  await settled();
  await settled();
  expect(announced).toEqual([{ kind: 'forbidden', sources: ['camera'] }]);
  expect(server.sent('publish').length).toBe(2);
  expect(server.sent('publish').at(-1)).toMatchObject({ sources: [{ source: 'microphone' }] });
});

test('what was forbidden while one was away is given up on coming back', async () => {
  await publish();
  server.break();
  timers.advance(200);
  await settled();
  server.say(welcome({ participants: [person({ sources: ['camera'] })] }));
  await settled();
  expect(session.publisher.trackOf('microphone')).toBeNull();
  expect(announced.map(({ kind }) => kind)).toEqual(['forbidden', 'resumed']);
});

test('one’s own lowering of a hand is no news, another’s is; others’ hands are told', async () => {
  const mine = (hand: number) => server.say({ type: 'participant', participant: person({ hand }) });
  void session.manners.raiseHand(true);
  mine(1);
  answer('hand');
  void session.manners.raiseHand(false);
  mine(0);
  answer('hand');
  expect(announced).toEqual([]);
  void session.manners.raiseHand(true);
  mine(2);
  answer('hand');
  mine(0);
  expect(announced).toEqual([{ kind: 'hand_lowered' }]);
  server.say({ type: 'participant', participant: person({ participant: 'pt-11aa22bb', hand: 3 }) });
  expect(announced.at(-1)).toMatchObject({ kind: 'hand_raised', participant: { participant: 'pt-11aa22bb' } });
});

test('a lowering that was refused leaves the next one news', async () => {
  server.say({ type: 'participant', participant: person({ hand: 1 }) });
  const lowering = session.manners.raiseHand(false);
  answer('hand', { type: 'error', code: 'too_fast', message: '' });
  expect(await lowering).toBe(false);
  server.say({ type: 'participant', participant: person({ hand: 0 }) });
  expect(announced.at(-1)).toEqual({ kind: 'hand_lowered' });
});

test('what is asked of the server goes out in the protocol’s words', () => {
  const { manners } = session;
  void manners.admit('w-1');
  void manners.refuse('w-2', ' Not\n today. ');
  void manners.setLocked(true);
  void manners.remove('pt-x', '');
  void manners.permit('pt-x', ['microphone']);
  void manners.permit('pt-x', null);
  void manners.restrict(7, { roles: ['surgeon'], participants: ['pt-x'] });
  void manners.restrict(7, null);
  void manners.lowerHandOf('pt-x');
  void manners.lowerHandOf('pt-5f0c2a9e');
  const sent = server.socket.sent.filter(({ type }) => type !== 'hello' && type !== 'ping').map(({ id: _, ...rest }) => rest);
  expect(sent).toEqual([
    { type: 'admit', waiting: 'w-1', admitted: true, reason: '' },
    { type: 'admit', waiting: 'w-2', admitted: false, reason: 'Not today.' },
    { type: 'lock', locked: true },
    { type: 'remove', participant: 'pt-x', reason: '' },
    { type: 'permit', participant: 'pt-x', sources: ['microphone'] },
    { type: 'permit', participant: 'pt-x', sources: null },
    { type: 'restrict', producer: 7, roles: ['surgeon'], participants: ['pt-x'] },
    { type: 'restrict', producer: 7, roles: null, participants: null },
    { type: 'hand', raised: false, participant: 'pt-x' },
    { type: 'hand', raised: false },
  ]);
});

test('whom another has let in meanwhile is no refusal, and a second touch asks no second time', async () => {
  const { manners } = session;
  const asked = manners.admit('w-1');
  void manners.admit('w-1');
  expect(server.sent('admit').length).toBe(1);
  answer('admit', { type: 'error', code: 'not_found', message: 'Nobody of this name waits.' });
  expect([await asked, announced]).toEqual([false, []]);
  const locked = manners.setLocked(true);
  answer('lock', { type: 'error', code: 'not_permitted', message: 'An expert may not open or lock the room.' });
  expect(await locked).toBe(false);
  expect(announced).toMatchObject([{ kind: 'request_refused', code: 'not_permitted' }]);
});

test('reasons are plain and short, and no letter is cut in two', () => {
  expect(plain('a\u202eb\u0000\r\nc')).toBe('a b c');
  expect([...plain('𝄞'.repeat(300))].length).toBe(200);
  expect(() => encodeURIComponent(plain('𝄞'.repeat(300)))).not.toThrow();
});

test('the place at the door is told, and is over with the welcome and with the end', async () => {
  const places: (number | null)[] = [];
  session.on('waiting', (place) => places.push(place?.place ?? null));
  const waiting = (place: number) => ({ type: 'waiting_room', id: 1, waiting: 'w-1', room: 'demo', place, attended: true });
  server.break();
  timers.advance(200);
  await settled();
  server.say(waiting(2));
  server.say(waiting(1));
  // knocking again after a break one still stands at the door
  server.break();
  expect(places).toEqual([2, 1]);
  timers.advance(200);
  await settled();
  server.say(waiting(3));
  server.say(welcome({ self: 'pt-new' }));
  expect(places).toEqual([2, 1, 3, null]);
  server.say({ type: 'closed', code: 'removed', message: 'No.', reason: 'No.' });
  expect(places.at(-1)).toBeNull();
});

test('who was removed and how the door stands is announced', () => {
  server.say({ type: 'participant_left', participant: 'pt-11aa22bb', reason: 'removed' });
  server.say({ type: 'door', locked: false, waiting: [] });
  server.say({ type: 'door', locked: true, waiting: [] });
  server.say({ type: 'door', locked: false, waiting: [] });
  expect(announced.map(({ kind }) => kind)).toEqual(['removed', 'locked', 'unlocked']);
});
