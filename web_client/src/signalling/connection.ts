/**
 * The signalling connection: hello, waiting to be let in, requests and their answers, pings, and coming back after a break.
 *
 * The socket and the clock are arguments, so that a test is the network. States:
 *
 *   connecting ──welcome──▶ connected ──socket breaks──▶ reconnecting ──welcome──▶ connected
 *     │     ▲ ─waiting_room─▶ waiting ──welcome──▶ connected   │ (over 30 s) ─waiting_room─▶ waiting
 *     │     └──socket breaks─────┘ and knocks again
 *     └──────────── `closed` that no retry can mend (expired, refused, removed, …) ──▶ closed
 *
 * At the door no place is kept over a broken socket. Nothing but pings goes over it, and nothing can be asked.
 *
 * When the network may have changed, a second socket is opened beside the one in use and takes its place once it is
 * welcomed: TCP itself would notice only after many seconds that its path is gone. At the door the socket in use is asked
 * for a sign of life instead: a second one would stand at the end of the queue.
 */
import { Emitter } from '../emitter';
import type { Timers } from '../timers';
import {
  PROTOCOL_VERSION,
  RequestError,
  parseMessage,
  type EphemeralMessage,
  type ViewportMessage,
  type Notice,
  type Reply,
  type Request,
  type WaitingRoom,
  type Welcome,
} from './protocol';

export interface Socket {
  send(text: string): void;
  /** `leaving`: with code 1000, for good; any other end is a break that may be resumed. */
  close(leaving: boolean): void;
}

export interface SocketHandlers {
  handleOpen(): void;
  handleText(text: string): void;
  handleClose(): void;
}

export type OpenSocket = (handlers: SocketHandlers) => Socket;
export type ConnectionState = 'connecting' | 'waiting' | 'connected' | 'reconnecting' | 'closed';

/** How one stands at the door: in the queue, from 1, and whether anybody is there who may let in. */
export type DoorPlace = Pick<WaitingRoom, 'room' | 'place' | 'attended'>;

interface ConnectionEvents {
  /** `reason`: in the words of who removed or refused one; empty: none was given. */
  state: { state: ConnectionState; code: string; message: string; reason: string };
  /** At the door, first and whenever it changes. */
  waiting: DoorPlace;
  /** `resumed`: identity, media connections and marks are still those of before; `seamless`: there was no break. */
  welcome: { welcome: Welcome; resumed: boolean; seamless: boolean };
  notice: Notice;
  pong: { sentAt: number; serverTime: number };
}

/** Waits between attempts, ms: a wireless hand-over takes under a second, a restart of the server a few. */
const BACKOFF_MS = [200, 400, 800, 1500, 3000, 5000];
/** A few quick pings at first, for the clock; then only to notice that the network died in silence. */
const QUICK_PINGS = 6;
const QUICK_PING_MS = 150;
const PING_MS = 2000;
/** So long after a ping that nothing followed. The clock runs from the ping and not from what was heard last: in a page that
 * nobody looks at timers go once a minute, and two pings are that far apart. */
const SILENCE_MS = 5000;
/** The server closes after 10 s without hello; a socket that takes longer to welcome is given up. */
const HELLO_MS = 10_000;
/** A socket that is to take the place of one that may have died. */
const SUCCESSOR_MS = 4000;
/** Codes of `closed` that another attempt may mend. */
const RETRIED = new Set(['server_stopping', 'hello_timeout']);

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: RequestError): void;
}

export class Connection extends Emitter<ConnectionEvents> {
  #state: ConnectionState = 'connecting';
  #socket: Socket | null = null;
  #attempt = 0;
  /** Counts sockets: what a given-up socket still says is not heard. */
  #generation = 0;
  #nextId = 1;
  #helloId = 0;
  #session: string | null = null;
  #self: string | null = null;
  #lastHeard = 0;
  /** When the first ping went out after which nothing has been heard; null: something has. */
  #askedAt: number | null = null;
  #pings = 0;
  #cancelTimer: () => void = () => undefined;
  /** Gives up the socket that is to take over; null: there is none. */
  #dropSuccessor: (() => void) | null = null;
  readonly #waiting = new Map<number, Waiting>();

  constructor(
    private readonly options: {
      open: OpenSocket;
      token: string;
      timers: Timers;
      /** The highest sequence of the mark log that is held, for `marks_after`. */
      marksAfter: () => number;
    },
  ) {
    super();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  start(): void {
    this.#open();
  }

  /** Leave for good, and say so: the others need not wait for 30 s whether one comes back. */
  close(): void {
    if (this.#state === 'connected' || this.#state === 'waiting') this.#socket?.send(JSON.stringify({ type: 'leave', id: this.#nextId++ }));
    this.#end('left', '');
  }

  /** Ask the server; rejects with RequestError (code `disconnected` when the connection breaks meanwhile). */
  request(request: Request): Promise<Reply> {
    const socket = this.#socket;
    if (this.#state !== 'connected' || socket === null) {
      return Promise.reject(new RequestError('disconnected', 'Not connected.'));
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      socket.send(JSON.stringify({ ...request, id }));
    });
  }

  /**
   * Ask for what may be asked twice, and again after each break until it is answered: while it is `wanted`, and by the same
   * participant; else null. Rejects with RequestError when it is refused or the connection is closed.
   */
  async insist(request: Request, wanted: () => boolean): Promise<Reply | null> {
    const asking = this.#self;
    while (wanted() && (asking === null || asking === this.#self)) {
      try {
        return await this.request(request);
      } catch (error) {
        if (!(error instanceof RequestError && error.code === 'disconnected')) throw error;
        await this.#reachable();
      }
    }
    return null;
  }

  #reachable(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#state === 'connected') return resolve();
      if (this.#state === 'closed') return reject(new RequestError('left', 'The connection is closed.'));
      const stop = this.on('state', ({ state, code, message }) => {
        if (state !== 'connected' && state !== 'closed') return;
        stop();
        if (state === 'connected') resolve();
        else reject(new RequestError(code, message));
      });
    });
  }

  /** Send what wants no answer; dropped while there is no connection. */
  sendEphemeral(message: EphemeralMessage | ViewportMessage): void {
    if (this.#state === 'connected') this.#socket?.send(JSON.stringify(message));
  }

  /** The network may have changed: try at once, and if a connection stands, beside it. */
  handleNetworkChange(): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'connected') {
      if (this.#dropSuccessor === null) this.#openSuccessor();
      return;
    }
    if (this.#state === 'waiting') return this.#askForLife();
    this.#attempt = 0;
    this.#cancelTimer();
    this.#socket?.close(false);
    this.#socket = null;
    this.#open();
  }

  /** Ping at once, and knock anew if nothing comes back. */
  #askForLife(): void {
    const asked = this.options.timers.now();
    this.#ping();
    if (this.#state !== 'waiting') return;
    this.#schedule(SUCCESSOR_MS, () => (this.#lastHeard > asked ? this.#ping() : this.#handleBreak()));
  }

  #openSuccessor(): void {
    const helloId = this.#nextId++;
    /** The generation that it became when it took over. */
    let generation: number | null = null;
    let given_up = false;
    const successor = this.options.open({
      handleOpen: () => given_up || successor.send(this.#hello(helloId)),
      handleText: (text) => {
        if (given_up) return;
        if (generation !== null) {
          if (generation === this.#generation) this.#handleText(text);
          return;
        }
        const message = parseMessage(text);
        if (message?.type !== 'welcome') return giveUp();
        cancelPatience();
        this.#dropSuccessor = null;
        this.#drop('disconnected', 'Changed over.');
        generation = this.#generation;
        this.#socket = successor;
        this.#hear();
        this.#handleWelcome(message, this.#state === 'connected');
      },
      handleClose: () => {
        if (generation === null) giveUp();
        else if (generation === this.#generation) this.#handleBreak();
      },
    });
    const giveUp = (): void => {
      if (given_up || generation !== null) return;
      given_up = true;
      cancelPatience();
      this.#dropSuccessor = null;
      successor.close(false);
      if (this.#socket === null) this.#handleBreak();
    };
    const cancelPatience = this.options.timers.after(SUCCESSOR_MS, giveUp);
    this.#dropSuccessor = giveUp;
  }

  #open(): void {
    const generation = ++this.#generation;
    const current = (): boolean => generation === this.#generation;
    const socket = this.options.open({
      handleOpen: () => current() && this.#sayHello(),
      handleText: (text) => current() && this.#handleText(text),
      handleClose: () => current() && this.#handleBreak(),
    });
    if (!current()) return;
    this.#socket = socket;
    this.#schedule(HELLO_MS, () => this.#handleBreak());
  }

  #sayHello(): void {
    this.#helloId = this.#nextId++;
    this.#socket?.send(this.#hello(this.#helloId));
  }

  #hello(id: number): string {
    const hello = { type: 'hello', id, version: PROTOCOL_VERSION, token: this.options.token };
    const resume = this.#session === null ? {} : { session: this.#session, marks_after: this.options.marksAfter() };
    return JSON.stringify({ ...hello, ...resume });
  }

  #handleText(text: string): void {
    const message = parseMessage(text);
    this.#hear();
    if (message === null) return;
    switch (message.type) {
      case 'welcome':
        this.#handleWelcome(message);
        break;
      case 'waiting_room':
        this.#handleWaitingRoom(message);
        break;
      case 'reply':
        this.#waiting.get(message.id)?.resolve(message);
        this.#waiting.delete(message.id);
        break;
      case 'pong':
        this.emit('pong', { sentAt: message.time, serverTime: message.server_time });
        break;
      case 'error':
        if (message.id === undefined || message.id === null) break;
        if (message.id === this.#helloId) return this.#end(message.code, message.message);
        this.#waiting.get(message.id)?.reject(new RequestError(message.code, message.message));
        this.#waiting.delete(message.id);
        break;
      case 'closed':
        // by our own second socket, whose welcome is on its way
        if (message.code === 'taken_over' && this.#dropSuccessor !== null) this.#drop('disconnected', 'Changing over.');
        else if (RETRIED.has(message.code)) this.#handleBreak();
        else this.#end(message.code, message.message, message.reason);
        break;
      default:
        this.emit('notice', message);
    }
  }

  #handleWaitingRoom({ room, place, attended }: WaitingRoom): void {
    const isNew = this.#state !== 'waiting';
    this.#setState('waiting');
    this.emit('waiting', { room, place, attended });
    if (!isNew) return;
    // no more haste: whoever waits may have to for long
    this.#attempt = 0;
    this.#pings = 0;
    this.#ping();
  }

  #handleWelcome(welcome: Welcome, seamless = false): void {
    const resumed = this.#self === welcome.self;
    this.#self = welcome.self;
    this.#session = welcome.session;
    this.#attempt = 0;
    this.#pings = 0;
    this.#setState('connected');
    this.emit('welcome', { welcome, resumed, seamless });
    this.#ping();
  }

  #hear(): void {
    this.#lastHeard = this.options.timers.now();
    this.#askedAt = null;
  }

  #ping(): void {
    const now = this.options.timers.now();
    if (this.#askedAt !== null && now - this.#askedAt > SILENCE_MS) return this.#handleBreak();
    this.#askedAt ??= now;
    this.#socket?.send(JSON.stringify({ type: 'ping', id: this.#nextId++, time: now }));
    this.#pings += 1;
    this.#schedule(this.#pings < QUICK_PINGS ? QUICK_PING_MS : PING_MS, () => this.#ping());
  }

  #handleBreak(): void {
    if (this.#state === 'closed') return;
    this.#drop('disconnected', 'The connection broke.');
    if (this.#dropSuccessor !== null) return this.#setState('reconnecting', 'server_away');
    const wait = BACKOFF_MS[Math.min(this.#attempt, BACKOFF_MS.length - 1)] ?? 5000;
    this.#attempt += 1;
    this.#schedule(wait, () => this.#open());
    this.#setState(this.#session === null ? 'connecting' : 'reconnecting', 'server_away');
  }

  #end(code: string, message: string, reason = ''): void {
    if (this.#state === 'closed') return;
    this.#drop(code, message);
    this.#setState('closed', code, message, reason);
    this.#dropSuccessor?.();
  }

  /** Let go of the socket and of everyone who waits for an answer. */
  #drop(code: string, message: string): void {
    this.#generation += 1;
    this.#cancelTimer();
    this.#socket?.close(code === 'left');
    this.#socket = null;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new RequestError(code, message));
  }

  #schedule(milliseconds: number, call: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.options.timers.after(milliseconds, call);
  }

  #setState(state: ConnectionState, code = '', message = '', reason = ''): void {
    if (state === this.#state && code === '') return;
    this.#state = state;
    this.emit('state', { state, code, message, reason });
  }
}
