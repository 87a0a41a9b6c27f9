import type { OpenSocket, SocketHandlers } from '../../src/signalling/connection';
import type { Participant, Permission, Welcome } from '../../src/signalling/protocol';

export type Sent = Record<string, unknown> & { type: string; id: number };

/** The other end of every socket that the client opens: remembers what is said and says what it is told to. */
export class FakeServer {
  sockets: { handlers: SocketHandlers; sent: Sent[]; closed: boolean; leaving: boolean }[] = [];
  /** Sockets that are opened while this is true never open. */
  away = false;

  readonly open: OpenSocket = (handlers) => {
    const socket = { handlers, sent: [] as Sent[], closed: false, leaving: false };
    this.sockets.push(socket);
    if (!this.away) queueMicrotask(() => handlers.handleOpen());
    return {
      send: (text) => socket.sent.push(JSON.parse(text) as Sent),
      close: (leaving) => {
        socket.closed = true;
        socket.leaving = leaving;
      },
    };
  };

  get socket(): (typeof this.sockets)[number] {
    const newest = this.sockets.at(-1);
    if (newest === undefined) throw new Error('The client has opened no socket.');
    return newest;
  }

  /** Messages of one type on the newest socket. */
  sent(type: string): Sent[] {
    return this.socket.sent.filter((message) => message.type === type);
  }

  say(message: object): void {
    this.socket.handlers.handleText(JSON.stringify(message));
  }

  break(): void {
    this.socket.handlers.handleClose();
  }
}

/** Who is meant if nothing else is said: the expert whose page it is. */
export function person(fields: Partial<Participant>): Participant {
  return {
    participant: 'pt-5f0c2a9e',
    name: 'Dr. Li Wei',
    role: 'expert',
    state: 'connected',
    media: 'live',
    colour: '#4cc2ff',
    hand: 0,
    sources: ['camera', 'microphone', 'screen', 'second'],
    ...fields,
  };
}

export function welcome(fields: Partial<Welcome> = {}): Welcome {
  const permissions: Permission[] = ['publish', 'watch', 'mark', 'clear_own'];
  return {
    type: 'welcome',
    id: 1,
    version: 1,
    self: 'pt-5f0c2a9e',
    session: '9JX',
    room: 'demo',
    time: 1_795_305_600_000,
    permissions,
    participants: [
      person({}),
      person({
        participant: 'pt-11aa22bb',
        name: 'Dr. Weber',
        role: 'surgeon',
        colour: '#ffcc00',
        sources: ['camera', 'field', 'microphone', 'screen', 'second'],
      }),
    ],
    producers: [
      {
        producer: 7,
        participant: 'pt-11aa22bb',
        source: 'field',
        kind: 'video',
        codec: 'H264',
        label: 'Operating field',
        muted: false,
        muted_by: null,
        audience: null,
      },
    ],
    marks: { after: 0, sequence: 0, operations: [] },
    recording: null,
    presenter: { participant: null, asking: [], viewport: null },
    ice_servers: [],
    ice_lifetime: 14_400,
    ...fields,
  };
}
