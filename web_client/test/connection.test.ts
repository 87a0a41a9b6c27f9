import { beforeEach, expect, test } from 'vitest';
import { Connection } from '../src/signalling/connection';
import { RequestError } from '../src/signalling/protocol';
import { FakeServer, welcome } from './fakes/server';
import { FakeTimers } from './fakes/timers';

let server: FakeServer;
let timers: FakeTimers;
let connection: Connection;
let states: string[];
let resumptions: boolean[];

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  server = new FakeServer();
  timers = new FakeTimers();
  connection = new Connection({ open: server.open, token: 'eyJ', timers, marksAfter: () => 12 });
  states = [];
  resumptions = [];
  connection.on('state', ({ state, code }) => states.push(code === '' ? state : `${state} ${code}`));
  connection.on('welcome', ({ resumed }) => resumptions.push(resumed));
});

async function connect(): Promise<void> {
  connection.start();
  await settled();
  server.say(welcome());
}

test('says hello with the token and is connected by the welcome', async () => {
  await connect();
  expect(server.sent('hello')).toEqual([{ type: 'hello', id: 1, version: 1, token: 'eyJ' }]);
  expect(states).toEqual(['connected']);
  expect(resumptions).toEqual([false]);
});

test('an answer finds its request, an error rejects with code and sentence', async () => {
  await connect();
  const answered = connection.request({ type: 'marks', after: 3 });
  const refused = connection.request({ type: 'record', action: 'start' });
  server.say({ type: 'error', id: server.sent('record')[0]?.id, code: 'not_permitted', message: 'No.' });
  server.say({ type: 'reply', id: server.sent('marks')[0]?.id, sequence: 14, operations: [] });
  expect((await answered).sequence).toBe(14);
  await expect(refused).rejects.toEqual(new RequestError('not_permitted', 'No.'));
});

test('after a break it comes back with the session and the number of the last mark', async () => {
  await connect();
  server.break();
  expect(states.at(-1)).toBe('reconnecting server_away');
  timers.advance(200);
  await settled();
  expect(server.sent('hello')[0]).toMatchObject({ session: '9JX', marks_after: 12 });
  server.say(welcome());
  expect(resumptions).toEqual([false, true]);
});

test('a welcome with another identity is no resumption', async () => {
  await connect();
  server.break();
  timers.advance(200);
  await settled();
  server.say(welcome({ self: 'pt-new' }));
  expect(resumptions).toEqual([false, false]);
});

test('requests that wait when the connection breaks are rejected as disconnected', async () => {
  await connect();
  const waiting = connection.request({ type: 'mark', operation: { kind: 'undo' } });
  server.break();
  await expect(waiting).rejects.toMatchObject({ code: 'disconnected' });
  await expect(connection.request({ type: 'rewatch' })).rejects.toMatchObject({ code: 'disconnected' });
});

test('it waits longer after each failure, and from the beginning again after a success', async () => {
  server.away = true;
  connection.start();
  const opened: number[] = [];
  for (let i = 0; i < 4; i += 1) {
    server.break();
    const before = server.sockets.length;
    let waited = 0;
    while (server.sockets.length === before) {
      timers.advance(50);
      waited += 50;
    }
    opened.push(waited);
  }
  expect(opened).toEqual([200, 400, 800, 1500]);
  server.away = false;
  server.break();
  timers.advance(3000);
  await settled();
  server.say(welcome());
  server.break();
  const before = server.sockets.length;
  timers.advance(200);
  expect(server.sockets.length).toBe(before + 1);
});

test('silence counts as a break: a dead network says nothing', async () => {
  await connect();
  timers.advance(10_000);
  expect(server.sockets[0]?.closed).toBe(true);
  expect(states).toContain('reconnecting server_away');
});

test('pongs keep it alive', async () => {
  await connect();
  for (let i = 0; i < 30; i += 1) {
    timers.advance(1000);
    const ping = server.sent('ping').at(-1);
    server.say({ type: 'pong', id: ping?.id, time: ping?.time, server_time: 1 });
  }
  expect(states).toEqual(['connected']);
});

test.each(['token_expired', 'taken_over', 'room_ended'])('closed %s ends it for good', async (code) => {
  await connect();
  server.say({ type: 'closed', code, message: 'A sentence.' });
  expect(states.at(-1)).toBe(`closed ${code}`);
  const sockets = server.sockets.length;
  timers.advance(60_000);
  expect(server.sockets.length).toBe(sockets);
});

test('a server that stops is tried again', async () => {
  await connect();
  server.say({ type: 'closed', code: 'server_stopping', message: '' });
  timers.advance(200);
  expect(server.sockets.length).toBe(2);
});

test('a refused hello ends it with the reason', async () => {
  connection.start();
  await settled();
  server.say({ type: 'error', id: 1, code: 'room_full', message: 'Full.' });
  expect(states).toEqual(['closed room_full']);
});

test('what a given-up socket still says is not heard', async () => {
  await connect();
  const old = server.socket;
  server.break();
  timers.advance(200);
  await settled();
  old.handlers.handleText(JSON.stringify(welcome()));
  old.handlers.handleClose();
  expect(connection.state).toBe('reconnecting');
  expect(server.sockets.length).toBe(2);
});

test('leaving says so and closes with the leaving code', async () => {
  await connect();
  connection.close();
  expect(server.sent('leave').length).toBe(1);
  expect(server.socket).toMatchObject({ closed: true, leaving: true });
});

test('unknown messages and broken text change nothing', async () => {
  await connect();
  server.say({ type: 'of_the_future' });
  server.socket.handlers.handleText('{');
  server.socket.handlers.handleText('[1]');
  expect(states).toEqual(['connected']);
});

test('when the network changes a second socket takes over without a break', async () => {
  await connect();
  const states: string[] = [];
  connection.on('state', ({ state }) => states.push(state));
  const welcomes: boolean[] = [];
  connection.on('welcome', ({ resumed, seamless }) => welcomes.push(resumed && seamless));
  const [old] = server.sockets;
  connection.handleNetworkChange();
  connection.handleNetworkChange();
  await settled();
  expect(server.sockets.length).toBe(2);
  expect(server.sent('hello')[0]).toMatchObject({ session: '9JX' });
  // the old one is still in use, and told to go before the welcome has come
  expect(old?.closed).toBe(false);
  old?.handlers.handleText(JSON.stringify({ type: 'closed', code: 'taken_over', message: '' }));
  old?.handlers.handleClose();
  server.say(welcome());
  expect([states, welcomes, old?.closed]).toEqual([[], [true], true]);
  server.break();
  expect(connection.state).toBe('reconnecting');
});

test('a second socket that nobody welcomes is given up, and the first goes on', async () => {
  await connect();
  server.away = true;
  connection.handleNetworkChange();
  for (let n = 0; n < 4; n += 1) {
    timers.advance(1000);
    server.sockets[0]?.handlers.handleText(JSON.stringify({ type: 'pong', id: 1, time: 0, server_time: 0 }));
  }
  expect(server.sockets.map(({ closed }) => closed)).toEqual([false, true]);
  expect(connection.state).toBe('connected');
});

test('when the first socket breaks meanwhile the second one is what comes back', async () => {
  await connect();
  connection.handleNetworkChange();
  await settled();
  server.sockets[0]?.handlers.handleClose();
  expect(connection.state).toBe('reconnecting');
  server.say(welcome());
  expect(connection.state).toBe('connected');
  expect(server.sockets.length).toBe(2);
});

test('while reconnecting a change of the network ends the waiting', async () => {
  await connect();
  server.break();
  for (let n = 0; n < 3; n += 1) {
    timers.advance(10_000);
    await settled();
  }
  const attempts = server.sockets.length;
  connection.handleNetworkChange();
  expect(server.sockets.length).toBe(attempts + 1);
});
