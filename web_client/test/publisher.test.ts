import { beforeEach, expect, test, vi } from 'vitest';
import { Publisher } from '../src/media/publisher';
import type { PublishedSource, Reply } from '../src/signalling/protocol';
import { FakePeer, fakeTrack, settled } from './fakes/peer';
import { FakeTimers } from './fakes/timers';

let timers: FakeTimers;
let publisher: Publisher;
let offers: { sdp: string; sources: PublishedSource[]; reply: (reply: Reply) => void; refuse: (error: Error) => void }[];
let refused: unknown[];
let failures: number;

beforeEach(() => {
  vi.stubGlobal('RTCRtpSender', { getCapabilities: () => null });
  FakePeer.made = [];
  timers = new FakeTimers();
  publisher = new Publisher({ connect: FakePeer.connect, timers, startFrameWorker: null });
  offers = [];
  failures = 0;
  publisher.ask = (offer) => new Promise((reply, refuse) => offers.push({ ...offer, reply, refuse }));
  refused = [];
  publisher.on('refused', ({ error }) => refused.push(error));
  publisher.on('failed', () => (failures += 1));
});

async function answer(producers: NonNullable<Reply['producers']>): Promise<void> {
  offers.at(-1)?.reply({ type: 'reply', id: offers.length, sdp: 'answer', producers });
  await settled();
}

async function publishBoth(): Promise<void> {
  publisher.send('microphone', fakeTrack('mic', 'audio'), '');
  publisher.send('camera', fakeTrack('cam'), 'Dr. Li');
  await settled();
  await answer([{ mid: '0', producer: 7 }, { mid: '1', producer: 8 }]);
}

test('what is sent in one go makes one offer, and the reply names the producers', async () => {
  await publishBoth();
  expect(offers.map(({ sources }) => sources)).toEqual([
    [
      { mid: '0', source: 'microphone', label: '' },
      { mid: '1', source: 'camera', label: 'Dr. Li', heights: [180, 360, 720] },
    ],
  ]);
  expect([publisher.producerOf('microphone'), publisher.producerOf('camera')]).toEqual([7, 8]);
  expect(publisher.sourceOf(8)).toBe('camera');
});

test('what changes during a negotiation goes into the next', async () => {
  publisher.send('camera', fakeTrack('cam'), '');
  await settled();
  publisher.send('field', fakeTrack('field'), 'Operating field');
  await settled();
  expect(offers.length).toBe(1);
  await answer([{ mid: '0', producer: 7 }]);
  await settled();
  expect(offers.at(-1)?.sources.map(({ source, mid }) => [source, mid])).toEqual([['camera', '0'], ['field', '1']]);
});

test('a source that is stopped leaves its section without direction, and takes it again', async () => {
  await publishBoth();
  publisher.stop('camera');
  await settled();
  expect(offers.at(-1)).toMatchObject({ sdp: 'local sendonly,inactive', sources: [{ source: 'microphone' }] });
  await answer([{ mid: '0', producer: 7 }]);
  publisher.send('camera', fakeTrack('cam2'), 'Dr. Li');
  await settled();
  expect(offers.at(-1)?.sdp).toBe('local sendonly,sendonly');
  expect(FakePeer.newest.transceivers.length).toBe(2);
});

test('bitrates are bounded and pictures are marked as moving', async () => {
  await publishBoth();
  publisher.send('field', fakeTrack('field'), '');
  await settled();
  expect(FakePeer.newest.transceivers.map(({ init }) => init.sendEncodings?.at(-1)?.maxBitrate)).toEqual([64_000, 1_500_000, 20_000_000]);
  expect(publisher.trackOf('field')?.contentHint).toBe('motion');
});

test('a withheld camera needs no negotiation', async () => {
  await publishBoth();
  publisher.withhold('camera', null);
  expect(FakePeer.newest.transceivers[1]?.sender.track).toBeNull();
  expect(offers.length).toBe(1);
});

test('a failure is told at once, a disconnection after four seconds, a healed one not at all', async () => {
  await publishBoth();
  FakePeer.newest.become('disconnected');
  timers.advance(3000);
  FakePeer.newest.become('connected');
  timers.advance(9000);
  expect(failures).toBe(0);
  FakePeer.newest.become('disconnected');
  timers.advance(4000);
  expect(failures).toBe(1);
  FakePeer.newest.become('failed');
  expect(failures).toBe(2);
});

test('a restart publishes everything on a new connection', async () => {
  await publishBoth();
  publisher.restart();
  await settled();
  expect(FakePeer.made.map(({ closed }) => closed)).toEqual([true, false]);
  expect(offers.at(-1)?.sources.map(({ source }) => source)).toEqual(['microphone', 'camera']);
  expect(publisher.producerOf('camera')).toBeNull();
});

test('encodings that nobody watches rest, and are woken; the last word counts', async () => {
  await publishBoth();
  const camera = FakePeer.newest.transceivers[1];
  const active = () => camera?.encodings.map((encoding) => encoding.active);
  publisher.handleEncodings(8, [true, false, false]);
  await settled();
  await settled();
  expect(active()).toEqual([true, false, false]);
  publisher.handleEncodings(8, [true, true, true]);
  publisher.handleEncodings(8, [false, false, true]);
  publisher.handleEncodings(99, [false, false, false]);
  for (let i = 0; i < 4; i += 1) await settled();
  expect(active()).toEqual([false, false, true]);
  // the section is used again for another producer: nobody has said what is wanted of that
  publisher.retry();
  await settled();
  await answer([{ mid: '0', producer: 7 }, { mid: '1', producer: 12 }]);
  for (let i = 0; i < 4; i += 1) await settled();
  expect(active()).toEqual([true, true, true]);
});

test('a camera that nobody watches rests altogether, the field goes on in its smallest size: it can be drawn on', async () => {
  publisher.send('camera', fakeTrack('cam'), '');
  publisher.send('field', fakeTrack('field'), '');
  await settled();
  await answer([{ mid: '0', producer: 7 }, { mid: '1', producer: 8 }]);
  publisher.handleEncodings(7, [false, false, false]);
  publisher.handleEncodings(8, [false, false, false]);
  for (let i = 0; i < 4; i += 1) await settled();
  const active = FakePeer.newest.transceivers.map(({ encodings }) => encodings.map((encoding) => encoding.active));
  expect(active).toEqual([[false, false, false], [true, false, false]]);
});

test('what another connection was asked is answered to nobody, refused or not', async () => {
  publisher.send('camera', fakeTrack('cam'), '');
  await settled();
  publisher.restart();
  await settled();
  const [before, now] = offers;
  before?.reply({ type: 'reply', id: 1, sdp: 'answer to the first', producers: [{ mid: '0', producer: 7 }] });
  await settled();
  expect([FakePeer.newest.remote, publisher.producerOf('camera')]).toEqual([[], null]);
  now?.reply({ type: 'reply', id: 2, sdp: 'answer to the second', producers: [{ mid: '0', producer: 8 }] });
  await settled();
  expect([FakePeer.newest.remote, publisher.producerOf('camera')]).toEqual([['answer to the second'], 8]);
  publisher.restart();
  await settled();
  publisher.restart();
  await settled();
  offers[2]?.refuse(new Error('of a connection that was given up'));
  await settled();
  expect([FakePeer.newest.closed, refused]).toEqual([false, []]);
});

test('what was refused is known as not sent until it is offered once more and taken', async () => {
  publisher.send('microphone', fakeTrack('mic', 'audio'), '');
  await settled();
  expect(publisher.isUnsent('microphone')).toBe(false);
  offers[0]?.refuse(new Error('no'));
  await settled();
  expect([publisher.isUnsent('microphone'), publisher.isUnsent('camera'), refused.length]).toEqual([true, false, 1]);
  publisher.retry();
  await settled();
  expect([publisher.isUnsent('microphone'), publisher.guard.state]).toEqual([false, 'steady']);
  // taken, but for a section that the server cannot pass on
  await answer([]);
  expect(publisher.isUnsent('microphone')).toBe(true);
  publisher.retry();
  await settled();
  await answer([{ mid: '0', producer: 7 }]);
  expect([publisher.isUnsent('microphone'), publisher.producerOf('microphone')]).toEqual([false, 7]);
});

test('a field that was refused is offered again with the next device, also under the same name', async () => {
  publisher.send('field', fakeTrack('field'), 'Operating field');
  await settled();
  offers[0]?.refuse(new Error('no'));
  await settled();
  publisher.send('field', fakeTrack('other'), 'Operating field');
  await settled();
  expect([offers.length, publisher.isUnsent('field')]).toEqual([2, false]);
});

test('a camera that is switched on again after a refusal is offered again', async () => {
  await publishBoth();
  publisher.withhold('camera', null);
  publisher.send('field', fakeTrack('field'), '');
  await settled();
  offers.at(-1)?.refuse(new Error('no'));
  await settled();
  publisher.withhold('camera', fakeTrack('cam2'));
  await settled();
  expect(offers.length).toBe(3);
});
