import { beforeEach, expect, test, vi } from 'vitest';
import { Publisher } from '../src/media/publisher';
import { Receiver } from '../src/media/receiver';
import { Session, type Announcement } from '../src/session';
import { Unsent } from '../src/unsent';
import { logged } from './fakes/marks';
import { FakePeer, settled } from './fakes/peer';
import { FakeServer, welcome } from './fakes/server';
import { FakeTimers } from './fakes/timers';

const SELF = 'pt-5f0c2a9e';
let server: FakeServer;
let timers: FakeTimers;
let session: Session;
let announced: Announcement[];

beforeEach(async () => {
  vi.stubGlobal('RTCRtpSender', { getCapabilities: () => null });
  FakePeer.made = [];
  server = new FakeServer();
  timers = new FakeTimers();
  session = new Session({
    open: server.open,
    token: 'eyJ',
    timers,
    receiver: new Receiver({ connect: FakePeer.connect, timers, isField: () => false }),
    publisher: new Publisher({ connect: FakePeer.connect, timers, startFrameWorker: null }),
  });
  announced = [];
  session.on('announcement', (announcement) => announced.push(announcement));
  session.start();
  await settled();
  server.say(welcome());
});

function draw(): void {
  session.tools.handleDown([0.1, 0.1], { board: 1 }, 0);
  session.tools.handleMove([[0.5, 0.5]], null, 50, false);
  session.tools.handleUp();
}

const written = (sequence: number, text: string, author = SELF) => logged(sequence, author, { kind: 'say', text });

test('what waits for long is said, each thing from its own beginning, until it waits no more', () => {
  const unsent = new Unsent(timers);
  const said: object[] = [];
  unsent.on('changed', () => said.push(unsent.late));
  unsent.handleMarks(['m-1']);
  timers.advance(1400);
  // many quick ones in turn are no slow one
  unsent.handleMarks(['m-2']);
  timers.advance(1400);
  expect(said).toEqual([]);
  const over = unsent.beginMessage();
  timers.advance(100);
  expect(said).toEqual([{ marks: 1, messages: 0 }]);
  timers.advance(1400);
  expect(said.at(-1)).toEqual({ marks: 1, messages: 1 });
  over();
  unsent.handleMarks([]);
  expect(said.at(-1)).toEqual({ marks: 0, messages: 0 });
});


test('a message that the line took along is sent again when it is back', async () => {
  const saying = session.say('good morning');
  draw();
  server.break();
  timers.advance(200);
  await settled();
  expect(session.unsent.waiting).toEqual({ marks: 1, messages: 1 });
  server.say(welcome());
  await settled();
  const asked = server.sent('mark');
  expect(asked.map(({ operation }) => (operation as { kind: string }).kind).sort()).toEqual(['add', 'say']);
  for (const { id } of asked) server.say({ type: 'reply', id, sequence: 1 });
  expect(await saying).toBe(true);
  expect(session.unsent.waiting.messages).toBe(0);
});

test('a message that had arrived, its answer lost, is not sent twice', async () => {
  const saying = session.say('good morning');
  server.break();
  timers.advance(200);
  await settled();
  server.say(welcome({ marks: { after: 0, sequence: 2, operations: [written(1, 'good morning', 'pt-11aa22bb'), written(2, 'good morning')] } }));
  await settled();
  expect(await saying).toBe(true);
  expect(server.sent('mark')).toEqual([]);
  expect(announced.filter(({ kind }) => kind === 'message_lost')).toEqual([]);
});

test('the same words of before, or of somebody else, are another message', async () => {
  server.say({ type: 'operation', ...written(1, 'yes') });
  const saying = session.say('yes');
  server.break();
  timers.advance(200);
  await settled();
  server.say(welcome({ marks: { after: 1, sequence: 2, operations: [written(2, 'yes', 'pt-11aa22bb')] } }));
  await settled();
  const [again] = server.sent('mark');
  expect(again?.operation).toEqual({ kind: 'say', text: 'yes' });
  server.say({ type: 'reply', id: again?.id, sequence: 3 });
  expect(await saying).toBe(true);
});

test('who comes back as somebody new is told what is lost', async () => {
  const saying = session.say('good morning');
  draw();
  draw();
  server.break();
  timers.advance(200);
  await settled();
  server.say(welcome({ self: 'pt-99999999', session: 'new', participants: [{ ...welcome().participants[0]!, participant: 'pt-99999999' }] }));
  await settled();
  expect(await saying).toBe(false);
  expect(announced).toContainEqual({ kind: 'marks_lost', count: 2 });
  expect(announced).toContainEqual({ kind: 'message_lost', text: 'good morning' });
  expect(session.unsent.waiting).toEqual({ marks: 0, messages: 0 });
  expect(server.sent('mark')).toEqual([]);
});

test('a message that is refused is announced, and waits no more', async () => {
  const saying = session.say('good morning');
  await settled();
  server.say({ type: 'error', id: server.sent('mark')[0]?.id, code: 'too_fast', message: 'Too fast.' });
  expect(await saying).toBe(false);
  expect(announced).toContainEqual({ kind: 'request_refused', code: 'too_fast', message: 'Too fast.' });
  expect(session.unsent.waiting.messages).toBe(0);
});
