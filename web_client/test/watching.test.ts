import { describe, expect, it } from 'vitest';
import type { SocketHandlers } from '../src/signalling/connection';
import type { Producer, Source } from '../src/signalling/protocol';
import { Watching, unavailable } from '../src/watch/watching';

const producer = (number: number, source: Source, more: Partial<Producer> = {}): Producer => ({
  producer: number,
  participant: 'p-surgeon',
  source,
  kind: source === 'microphone' ? 'audio' : 'video',
  codec: source === 'microphone' ? 'opus' : 'H264',
  label: '',
  muted: false,
  muted_by: null,
  audience: null,
  ...more,
});

function begun(producers: Producer[]): { watching: Watching; handlers: SocketHandlers; move: (ms: number) => void } {
  let now = 1000;
  let handlers: SocketHandlers | null = null;
  const watching = new Watching({
    token: 't',
    timers: { now: () => now, after: () => () => undefined },
    open: (given) => {
      handlers = given;
      return { send: () => undefined, close: () => undefined };
    },
  });
  watching.connection.start();
  const socket = handlers as SocketHandlers | null;
  if (socket === null) throw new Error('no socket was opened');
  socket.handleOpen();
  const me = { participant: 'p-me', name: 'Trainee', role: 'trainee', state: 'connected', media: 'live', colour: '#fff', hand: 0, sources: [] };
  socket.handleText(
    JSON.stringify({
      type: 'welcome', id: 1, version: 1, self: 'p-me', session: 's', room: 'ward', time: 50_000, permissions: ['watch'],
      participants: [me], producers, marks: { sequence: 0, marks: [] }, recording: null, presenter: { presenter: null },
      ice_servers: [], ice_lifetime: 600,
    }),
  );
  return { watching, handlers: socket, move: (ms) => (now += ms) };
}

describe('looking on', () => {
  it('shows the operating field first, and what is chosen while it is there', () => {
    const { watching, handlers } = begun([producer(1, 'microphone'), producer(2, 'camera'), producer(3, 'field'), producer(4, 'second')]);
    expect(watching.pictures.map((picture) => picture.producer)).toEqual([3, 4, 2]);
    expect(watching.shown(null)?.producer).toBe(3);
    expect(watching.shown(2)?.producer).toBe(2);
    let changes = 0;
    watching.on('changed', () => (changes += 1));
    handlers.handleText(JSON.stringify({ type: 'producer_removed', producer: 2 }));
    expect(changes).toBe(1);
    expect(watching.shown(2)?.producer).toBe(3);
  });

  it('passes over what cannot be had, and says why where there is nothing else', () => {
    const field = producer(3, 'field', { codec: 'VP8' });
    const replayed = producer(5, 'second', { recorded: { recording: 'r', started: 0, producer: 1, source: 'field' } });
    expect(unavailable(field)).toBe('codec');
    expect(unavailable(replayed)).toBe('recorded');
    expect(begun([field, producer(4, 'camera')]).watching.shown(null)?.producer).toBe(4);
    expect(begun([field, replayed]).watching.shown(null)?.producer).toBe(3);
    expect(begun([]).watching.shown(null)).toBeNull();
  });

  it('leaves out what is for others only', () => {
    const { watching } = begun([producer(3, 'field', { audience: { roles: ['expert'], participants: [] } })]);
    expect(watching.pictures).toEqual([]);
  });

  it('tells how old a picture is by the clock of the server', () => {
    const { watching, move } = begun([]);
    expect(watching.age(48_800)).toBeCloseTo(1.2);
    move(500);
    expect(watching.age(48_800)).toBeCloseTo(1.7);
  });
});
