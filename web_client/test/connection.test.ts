import { beforeEach, describe, expect, test } from 'vitest';
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

const atTheDoor = (place: number, attended = true) => ({ type: 'waiting_room', id: 1, waiting: 'w-1', room: 'demo', place, attended });

describe('at the door', () => {
  let places: number[];

  beforeEach(async () => {
    places = [];
    connection.on('waiting', ({ place }) => places.push(place));
    connection.start();
    await settled();
    server.say(atTheDoor(2));
  });

  function answerPing(): void {
    const ping = server.sent('ping').at(-1);
    server.say({ type: 'pong', id: ping?.id, time: ping?.time, server_time: 1 });
  }

  test('it waits as long as it takes, and pings keep the socket alive', () => {
    for (let i = 0; i < 90; i += 1) {
      timers.advance(1000);
      answerPing();
    }
    expect(server.sockets.length).toBe(1);
    expect(server.sent('hello').length).toBe(1);
    expect(states).toEqual(['waiting']);
  });

  test('the place is told whenever it changes, and the welcome ends the waiting', () => {
    server.say(atTheDoor(1));
    server.say(atTheDoor(1, false));
    expect(places).toEqual([2, 1, 1]);
    server.say(welcome());
    expect(states).toEqual(['waiting', 'connected']);
    expect(resumptions).toEqual([false]);
  });

  test('nothing can be asked there', async () => {
    await expect(connection.request({ type: 'hand', raised: true })).rejects.toMatchObject({ code: 'disconnected' });
    connection.sendEphemeral({ type: 'pointer', anchor: null, point: null, sent: 0, n: 1 });
    expect(server.socket.sent.every(({ type }) => type === 'hello' || type === 'ping')).toBe(true);
  });

  test.each(['refused', 'room_locked', 'removed', 'room_full'])('closed %s ends it for good, with the reason', (code) => {
    const said: string[] = [];
    connection.on('state', ({ reason }) => said.push(reason));
    server.say({ type: 'closed', code, message: 'Not today.', reason: 'Not today.' });
    timers.advance(60_000);
    expect([states.at(-1), said.at(-1), server.sockets.length]).toEqual([`closed ${code}`, 'Not today.', 1]);
  });

  test('a socket that breaks there knocks again, after longer and longer', async () => {
    const waits = [200, 400, 800];
    for (const wait of waits) {
      server.break();
      expect(states.at(-1)).toBe('connecting server_away');
      timers.advance(wait - 1);
      const before = server.sockets.length;
      server.away = true;
      timers.advance(1);
      expect(server.sockets.length).toBe(before + 1);
    }
    server.away = false;
    server.break();
    timers.advance(1500);
    await settled();
    expect(server.sent('hello').length).toBe(1);
    server.say(atTheDoor(4));
    expect([connection.state, places.at(-1)]).toEqual(['waiting', 4]);
    // let in again, the haste of the beginning is there again
    server.break();
    const before = server.sockets.length;
    timers.advance(200);
    expect(server.sockets.length).toBe(before + 1);
  });

  test('in a hidden page, whose timers go once a minute, the place is kept', () => {
    answerPing();
    for (let minute = 0; minute < 10; minute += 1) {
      timers.advanceLate(60_000);
      answerPing();
    }
    expect([server.sockets.length, states]).toEqual([1, ['waiting']]);
    // and a dead network is noticed all the same
    timers.advanceLate(60_000);
    timers.advanceLate(60_000);
    expect(states.at(-1)).toBe('connecting server_away');
  });

  test('silence is a break', () => {
    timers.advance(10_000);
    expect(server.sockets[0]?.closed).toBe(true);
    expect(states).toContain('connecting server_away');
  });

  test('a change of the network costs the place only when the socket says nothing any more', () => {
    timers.advance(1000);
    answerPing();
    connection.handleNetworkChange();
    timers.advance(10);
    answerPing();
    timers.advance(5000);
    expect([server.sockets.length, connection.state]).toEqual([1, 'waiting']);
    answerPing();
    connection.handleNetworkChange();
    timers.advance(4000);
    expect(states.at(-1)).toBe('connecting server_away');
    timers.advance(200);
    expect(server.sockets.length).toBe(2);
  });

  test('who goes away says so', () => {
    connection.close();
    expect(server.sent('leave').length).toBe(1);
    expect(server.socket).toMatchObject({ closed: true, leaving: true });
    expect(states.at(-1)).toBe('closed left');
  });
});

test('who comes back too late stands at the door, and is somebody new once let in', async () => {
  await connect();
  server.break();
  timers.advance(200);
  await settled();
  server.say(atTheDoor(1));
  expect(connection.state).toBe('waiting');
  server.break();
  expect(states.at(-1)).toBe('reconnecting server_away');
  timers.advance(200);
  await settled();
  server.say(atTheDoor(1));
  server.say(welcome({ self: 'pt-new' }));
  expect([states.at(-1), resumptions]).toEqual(['connected', [false, false]]);
});
