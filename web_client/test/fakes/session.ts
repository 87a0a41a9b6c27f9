/** A page's stay in a room at a fake server, over fake connections and in a time of its own. */
import { vi } from 'vitest';
import { Publisher } from '../../src/media/publisher';
import { Receiver } from '../../src/media/receiver';
import { Session, type Announcement } from '../../src/session';
import { FakePeer, settled } from './peer';
import { FakeServer, welcome } from './server';
import { FakeTimers } from './timers';

type Welcomed = Parameters<typeof welcome>[0];

export class Stay {
  readonly server = new FakeServer();
  readonly timers = new FakeTimers();
  readonly session: Session;
  readonly announced: Announcement[] = [];

  /** `field` is a producer that shows the field. */
  constructor(field: number | null = null) {
    vi.stubGlobal('RTCRtpSender', { getCapabilities: () => null });
    FakePeer.made = [];
    const { timers } = this;
    this.session = new Session({
      open: this.server.open,
      token: 'eyJ',
      timers,
      receiver: new Receiver({ connect: FakePeer.connect, timers, isField: (producer) => producer === field }),
      publisher: new Publisher({ connect: FakePeer.connect, timers, startFrameWorker: null }),
    });
    this.session.on('announcement', (announcement) => this.announced.push(announcement));
  }

  /** Knock at the door. */
  async start(): Promise<void> {
    this.session.start();
    await settled();
  }

  /** Be let in. */
  async enter(fields: Welcomed = {}): Promise<this> {
    await this.start();
    this.server.say(welcome(fields));
    return this;
  }

  /** Answer the newest request of a type. */
  reply(type: string, fields: object = {}): Promise<void> {
    this.server.say({ type: 'reply', ...fields, id: this.server.sent(type).at(-1)?.id });
    return settled();
  }

  async breakAndReturn(fields: Welcomed = {}): Promise<void> {
    this.server.break();
    await this.comeBack(fields);
  }

  async comeBack(fields: Welcomed = {}): Promise<void> {
    this.timers.advance(200);
    await settled();
    this.server.say(welcome(fields));
    await settled();
  }

  /** A second socket takes the place of the first, without a break. */
  async takeOver(): Promise<void> {
    this.session.handleNetworkChange();
    await settled();
    this.server.say(welcome());
    await settled();
  }
}
