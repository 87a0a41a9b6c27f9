import { beforeEach, expect, test, vi } from 'vitest';
import type { Session } from '../src/session';
import type { OwnMedia } from '../src/ui/own_media.svelte';
import { FakePeer, fakeTrack, settled } from './fakes/peer';
import { person, welcome, type FakeServer } from './fakes/server';
import { Stay } from './fakes/session';

let server: FakeServer;
let session: Session;
let own: OwnMedia;
let said: [tone: string, text: string][];
let opened: MediaStreamTrack[];
let microphone: MediaStreamTrack;
let camera: MediaStreamTrack;

const chair = person({ participant: 'pt-chair', name: 'Prof. Keller', role: 'chair' });
const producer = (number: number, source: 'microphone' | 'camera', muted_by: string | null) => ({
  type: 'producer',
  producer: {
    producer: number, participant: 'pt-5f0c2a9e', source, kind: source === 'camera' ? 'video' : 'audio', codec: 'opus', label: '',
    muted: muted_by !== null, muted_by, audience: null,
  },
});

function withEvents(track: MediaStreamTrack): MediaStreamTrack {
  return Object.assign(track, { addEventListener: () => undefined });
}

beforeEach(async () => {
  vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => undefined });
  opened = [];
  const getUserMedia = ({ video }: MediaStreamConstraints) => {
    const track = withEvents(fakeTrack(`opened-${opened.length}`, video ? 'video' : 'audio'));
    opened.push(track);
    return Promise.resolve({ getTracks: () => [track] });
  };
  vi.stubGlobal('navigator', { languages: ['en'], mediaDevices: { getUserMedia } });
  const stay = new Stay();
  ({ server, session } = stay);
  said = [];
  microphone = fakeTrack('mic', 'audio');
  camera = withEvents(fakeTrack('cam'));
  const { OwnMedia } = await import('../src/ui/own_media.svelte');
  own = new OwnMedia(session, { camera, microphone, cameraDevice: null }, (tone, text) => said.push([tone, text]));
  session.on('media', () => own.read());
  session.on('room', () => own.obeyMute());
  await stay.start();
});

/** In the room as it was joined, with both sent unless `sources` forbid it. */
async function enter(sources = person({}).sources): Promise<void> {
  server.say(welcome({ participants: [person({ sources }), chair] }));
  own.begin('Dr. Li Wei');
  await settled();
  reply('publish', { sdp: 'answer', producers: [{ mid: '0', producer: 8 }, { mid: '1', producer: 9 }] });
  await settled();
}

function reply(type: string, fields: object = {}): void {
  server.say({ type: 'reply', ...fields, id: server.sent(type).at(-1)?.id });
}

test('what was chosen before is sent', async () => {
  await enter();
  expect([own.microphoneOn, own.cameraOn, [...own.tracks.keys()]]).toEqual([true, true, [8, 9]]);
  expect(own.preview).toEqual({ camera, microphone });
});

test('a guest who may not send is not captured', async () => {
  await enter([]);
  expect([microphone.readyState, camera.readyState, server.sent('publish').length]).toEqual(['ended', 'ended', 0]);
  await own.toggleMicrophone();
  await own.toggleCamera();
  expect(opened).toEqual([]);
});

test('off and on again leave the microphone open and are told', async () => {
  await enter();
  await own.toggleMicrophone();
  await own.toggleMicrophone();
  expect(server.sent('mute').map(({ producer, muted }) => [producer, muted])).toEqual([[8, true], [8, false]]);
  expect([opened.length, own.microphoneOn]).toEqual([0, true]);
});

test('after a microphone was forbidden and allowed again, its button opens it anew', async () => {
  await enter();
  server.say({ type: 'participant', participant: person({ sources: ['camera'] }) });
  await settled();
  expect([microphone.readyState, own.microphoneOn, own.cameraOn]).toEqual(['ended', false, true]);
  reply('publish', { sdp: 'answer', producers: [{ mid: '1', producer: 9 }] });
  server.say({ type: 'participant', participant: person({}) });
  await settled();
  expect([own.microphoneOn, opened.length]).toEqual([false, 0]);
  await own.toggleMicrophone();
  await settled();
  expect([own.microphoneOn, opened.length]).toEqual([true, 1]);
  expect(server.sent('publish').at(-1)).toMatchObject({ sources: [{ source: 'camera' }, { source: 'microphone' }] });
});

test('who is muted by another looks so and is told by whom, and may speak again', async () => {
  await enter();
  server.say(producer(8, 'microphone', 'pt-chair'));
  expect([own.microphoneOn, microphone.readyState, said]).toEqual([false, 'live', [['alarm', 'Prof. Keller has muted you']]]);
  await own.toggleMicrophone();
  // the room has not heard of it yet, and says something else meanwhile
  server.say({ type: 'speaker', participant: 'pt-chair' });
  expect(own.microphoneOn).toBe(true);
  server.say(producer(8, 'microphone', null));
  reply('mute');
  await settled();
  expect([own.microphoneOn, said.length]).toEqual([true, 1]);
});

test('a camera that another has paused is closed', async () => {
  await enter();
  server.say(producer(9, 'camera', 'pt-chair'));
  expect([own.cameraOn, camera.readyState, said]).toEqual([false, 'ended', [['alarm', 'Prof. Keller has paused your camera']]]);
  await own.toggleCamera();
  expect([own.cameraOn, opened.length, server.sent('mute').at(-1)]).toMatchObject([true, 1, { producer: 9, muted: false }]);
});

test('a device that is forbidden while it is being opened is closed again', async () => {
  await enter(['camera', 'microphone']);
  server.say({ type: 'participant', participant: person({ sources: ['camera'] }) });
  await settled();
  reply('publish', { sdp: 'answer', producers: [{ mid: '1', producer: 9 }] });
  server.say({ type: 'participant', participant: person({}) });
  const opening = own.toggleMicrophone();
  server.say({ type: 'participant', participant: person({ sources: ['camera'] }) });
  await opening;
  expect([opened[0]?.readyState, own.microphoneOn]).toEqual(['ended', false]);
});

test('what the server refused does not look sent, and is offered again', async () => {
  server.say(welcome({ participants: [person({}), chair] }));
  own.begin('Dr. Li Wei');
  await settled();
  expect([...own.unsent]).toEqual([]);
  server.say({ type: 'error', id: server.sent('publish').at(-1)?.id, code: 'limit', message: 'Too much.' });
  await settled();
  expect([own.microphoneOn, own.cameraOn, [...own.unsent]]).toEqual([false, false, ['microphone', 'camera']]);
  own.sendAgain();
  await settled();
  expect([server.sent('publish').length, [...own.unsent]]).toEqual([2, []]);
  server.say({ type: 'error', id: server.sent('publish').at(-1)?.id, code: 'limit', message: 'Too much.' });
  await settled();
  // off and on again offers it once more as well
  await own.toggleMicrophone();
  expect([microphone.enabled, [...own.unsent]]).toEqual([false, ['camera']]);
  await own.toggleMicrophone();
  await settled();
  expect([microphone.enabled, server.sent('publish').length, [...own.unsent]]).toEqual([true, 3, []]);
  reply('publish', { sdp: 'answer', producers: [{ mid: '0', producer: 8 }, { mid: '1', producer: 9 }] });
  await settled();
  expect([own.microphoneOn, own.cameraOn, [...own.unsent]]).toEqual([true, true, []]);
});

test('a camera that is switched off while its connection is given up can be switched on again', async () => {
  await enter();
  session.publisher.restart();
  await settled();
  const closing = own.toggleCamera();
  FakePeer.newest.close();
  await closing;
  expect([own.cameraOn, camera.readyState]).toEqual([false, 'ended']);
  await own.toggleCamera();
  expect([own.cameraOn, opened.length]).toEqual([true, 1]);
});
