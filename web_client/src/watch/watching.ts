/**
 * One trainee's stay in a room to look on: the signalling connection and the room, and nothing of media.
 *
 * Being in the room is what opens its pictures over HTTP: the waiting room, the lock and a picture's audience hold.
 */
import { Emitter } from '../emitter';
import { ServerClock } from '../signalling/clock';
import { Connection, type ConnectionState, type DoorPlace, type OpenSocket } from '../signalling/connection';
import type { Producer, ProducerId, Source } from '../signalling/protocol';
import { Room } from '../signalling/room';
import type { Timers } from '../timers';

interface WatchingEvents {
  connection: { state: ConnectionState; code: string; message: string; reason: string };
  waiting: DoorPlace;
  changed: undefined;
}

/** Why a picture cannot be had here; null: it can. */
export type Unavailable = 'codec' | 'recorded' | null;

/** What is looked at unless another is chosen: the first that is there. */
const ORDER: readonly Source[] = ['field', 'second', 'screen', 'camera'];

/** HLS has no place for VP8, and a player none for the words that a replay in the room is none of now. */
export function unavailable(producer: Producer): Unavailable {
  if (producer.codec === 'VP8') return 'codec';
  return producer.recorded === undefined ? null : 'recorded';
}

export class Watching extends Emitter<WatchingEvents> {
  readonly connection: Connection;
  readonly room = new Room();
  readonly #clock = new ServerClock();

  constructor(private readonly options: { open: OpenSocket; token: string; timers: Timers }) {
    super();
    const { open, token, timers } = options;
    // marks are not shown here: none are asked for after a break
    this.connection = new Connection({ open, token, timers, marksAfter: () => 0 });
    this.connection.on('state', (state) => this.emit('connection', state));
    this.connection.on('waiting', (place) => this.emit('waiting', place));
    this.connection.on('welcome', ({ welcome }) => {
      this.#clock.handleWelcome(welcome.time, timers.now());
      this.room.handleWelcome(welcome);
    });
    this.connection.on('pong', ({ sentAt, serverTime }) => this.#clock.handlePong(sentAt, serverTime, timers.now()));
    this.connection.on('notice', (notice) => this.room.handleNotice(notice));
    this.room.on('changed', () => this.emit('changed', undefined));
  }

  /** The pictures that one may watch, the most important first. */
  get pictures(): Producer[] {
    const rank = ({ source }: Producer): number => ORDER.indexOf(source);
    return [...this.room.producers.values()]
      .filter((producer) => producer.kind === 'video' && this.room.mayWatch(producer))
      .sort((a, b) => rank(a) - rank(b) || a.producer - b.producer);
  }

  /** The one that was chosen while it is there, else the first that can be had. */
  shown(chosen: ProducerId | null): Producer | null {
    const { pictures } = this;
    return pictures.find(({ producer }) => producer === chosen) ?? pictures.find((picture) => unavailable(picture) === null) ?? pictures[0] ?? null;
  }

  /** Seconds that what was seen by a camera at a time (Unix ms) is old by now; null: the server's clock is not known yet. */
  age(seen: number): number | null {
    const now = this.#clock.serverTime(this.options.timers.now());
    return now === null ? null : (now - seen) / 1000;
  }
}
