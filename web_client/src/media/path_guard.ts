/**
 * Watches whether one media connection still carries anything, and says when to look for a new way.
 *
 *   steady ──disconnected, silent, hint──▶ restarting ──a sign of life──▶ steady
 *                                              │ 4 s without one
 *                                              ▼
 *                                          rejoining ──the new connection stands──▶ steady
 *
 * A browser itself notices a dead path after 2.5 s or more (`disconnected`). Media that flowed and stop altogether are
 * noticed here after 0.75 s. A restart costs nothing when the alarm was false: the old path goes on until the new one
 * is proven. One that does not succeed at once will not succeed: after 4 s the connection is built anew.
 */
import { Emitter } from '../emitter';
import type { Timers } from '../timers';

export type PathState = 'steady' | 'restarting' | 'rejoining';
export type PathTrigger = 'disconnected' | 'silent';

interface PathEvents {
  /** Seek a new way, without giving the old one up. */
  restart: PathTrigger;
  /** Build the connection anew. */
  rejoin: undefined;
  state: PathState;
}

/** Everything received so far: bytes of media, and answers to checks by candidate pair. */
export interface SignsOfLife {
  bytes: number;
  answers: ReadonlyMap<string, number>;
}

export const POLL_MS = 250;
/** Media flow when most of the last polls saw some; then this many without any are an alarm. */
const RECENT = 8;
const LIVELY = 6;
const QUIET = 3;
export const HEALING_MS = 4000;
/** A new connection that does not stand by then is tried again. */
const REBUILD_MS = 8000;

export class PathGuard extends Emitter<PathEvents> {
  #state: PathState = 'steady';
  #connection: RTCPeerConnection | null = null;
  #bytes = 0;
  #answers: ReadonlyMap<string, number> = new Map();
  /** Of the newest polls, the newest last: did anything arrive? */
  #recent: boolean[] = [];
  #cancelPoll: () => void = () => undefined;
  #cancelTimer: () => void = () => undefined;

  constructor(private readonly timers: Timers) {
    super();
  }

  get state(): PathState {
    return this.#state;
  }

  /** Watch this connection from now on. */
  follow(connection: RTCPeerConnection): void {
    this.#forget();
    this.#connection = connection;
    connection.addEventListener('connectionstatechange', () => {
      if (connection === this.#connection) this.handleState(connection.connectionState);
    });
    if (this.#state === 'rejoining') this.#wait(REBUILD_MS);
    this.#poll(connection);
  }

  /** Watch nothing: the connection was closed on purpose. */
  stop(): void {
    this.#forget();
    this.#enter('steady');
  }

  /** Watch nothing until the next connection, which replaces one that failed. */
  rebuild(): void {
    this.#forget();
    this.#enter('rejoining');
  }

  handleState(state: RTCPeerConnectionState): void {
    if (state === 'connected') this.#settle();
    else if (state === 'disconnected') this.#restart('disconnected');
    else if (state === 'failed') this.#rejoin();
  }

  handleSigns({ bytes, answers }: SignsOfLife): void {
    const alive = bytes > this.#bytes || [...answers].some(([pair, count]) => count > (this.#answers.get(pair) ?? 0));
    const lively = this.#recent.slice(0, -QUIET + 1).filter((seen) => seen).length >= LIVELY;
    this.#bytes = bytes;
    this.#answers = answers;
    this.#recent = [...this.#recent, alive].slice(-(RECENT + QUIET - 1));
    if (alive && this.#state === 'restarting') this.#settle();
    const quiet = this.#recent.length >= QUIET && !this.#recent.slice(-QUIET).includes(true);
    if (quiet && lively) this.#restart('silent');
  }

  /** A restart has been begun from outside: give it its 4 s. */
  handleRestart(): void {
    if (this.#connection !== null && this.#state === 'steady') this.#enter('restarting', HEALING_MS);
  }

  #restart(trigger: PathTrigger): void {
    if (this.#state !== 'steady') return;
    this.#recent = [];
    this.#enter('restarting', HEALING_MS);
    this.emit('restart', trigger);
  }

  #rejoin(): void {
    this.#enter('rejoining');
    this.emit('rejoin', undefined);
  }

  #settle(): void {
    this.#enter('steady');
  }

  #enter(state: PathState, patience = 0): void {
    this.#cancelTimer();
    if (patience > 0) this.#wait(patience);
    if (state === this.#state) return;
    this.#state = state;
    this.emit('state', state);
  }

  #wait(milliseconds: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.timers.after(milliseconds, () => this.#rejoin());
  }

  #forget(): void {
    this.#cancelPoll();
    this.#cancelTimer();
    this.#connection = null;
    this.#bytes = 0;
    this.#answers = new Map();
    this.#recent = [];
  }

  #poll(connection: RTCPeerConnection): void {
    this.#cancelPoll = this.timers.after(POLL_MS, () => {
      void readSigns(connection).then((signs) => {
        if (connection !== this.#connection) return;
        if (signs !== null && connection.connectionState !== 'new') this.handleSigns(signs);
        this.#poll(connection);
      });
    });
  }
}

async function readSigns(connection: RTCPeerConnection): Promise<SignsOfLife | null> {
  try {
    const report = await connection.getStats();
    let bytes = 0;
    const answers = new Map<string, number>();
    report.forEach((entry: { id: string; type: string; bytesReceived?: number; responsesReceived?: number }) => {
      if (entry.type === 'transport') bytes += entry.bytesReceived ?? 0;
      if (entry.type === 'candidate-pair') answers.set(entry.id, entry.responsesReceived ?? 0);
    });
    return { bytes, answers };
  } catch {
    // closed meanwhile
    return null;
  }
}
