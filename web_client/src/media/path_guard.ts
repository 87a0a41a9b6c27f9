/**
 * Watches whether one media connection still carries anything, and says when to look for a new way.
 *
 *   steady ──disconnected, silent, hint──▶ restarting ──a sign of life on the path in use──▶ steady
 *                                              │ 4 s without one; 0.8 s after another path has answered
 *                                              ▼
 *                                          rejoining ──the new connection stands──▶ steady
 *
 * A browser itself notices a dead path after 2.5 s or more (`disconnected`). Media that flowed and stop altogether are
 * noticed here after 0.6 s. A restart costs nothing when the alarm was false: the old path goes on until the new one
 * is proven. One that does not succeed at once will not succeed: after 4 s the connection is built anew.
 *
 * Chromium clings to the path in use for up to 5 s, although another one has answered its checks (measured; docs/paths.md).
 * A connection that may be built anew without loss (`impatient`: one that only receives) does not wait for that.
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

/** Everything so far: bytes of media that came and went, the path in use, and answers to checks by path. */
export interface SignsOfLife {
  bytes: number;
  sent: number;
  selected: string;
  answers: ReadonlyMap<string, number>;
}

export const POLL_MS = 200;
/** Media flow when most of the last polls saw some; then this many without any are an alarm. */
const RECENT = 8;
const LIVELY = 6;
const QUIET = 3;
export const HEALING_MS = 4000;
const IMPATIENCE_MS = 800;
/** A new connection that does not stand by then is tried again. */
const REBUILD_MS = 8000;

export class PathGuard extends Emitter<PathEvents> {
  #state: PathState = 'steady';
  #lost = false;
  #connection: RTCPeerConnection | null = null;
  #bytes = 0;
  #sent = 0;
  #impatient = false;
  #answers: ReadonlyMap<string, number> = new Map();
  /** Of the newest polls, the newest last: did anything arrive? */
  #recent: boolean[] = [];
  #cancelPoll: () => void = () => undefined;
  #cancelTimer: () => void = () => undefined;

  constructor(
    private readonly timers: Timers,
    private readonly options: { impatient: boolean },
  ) {
    super();
  }

  get state(): PathState {
    return this.#state;
  }

  /** Whether the connection was given up and is not being built anew yet. */
  get lost(): boolean {
    return this.#lost;
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

  /** Watch nothing until the next connection, which replaces one that failed; where none comes it is asked for again. */
  rebuild(): void {
    this.#forget();
    this.#enter('rejoining', REBUILD_MS);
  }

  handleState(state: RTCPeerConnectionState): void {
    if (state === 'connected') this.#settle();
    else if (state === 'disconnected') this.#restart('disconnected');
    else if (state === 'failed') this.giveUp();
  }

  handleSigns({ bytes, sent, selected, answers }: SignsOfLife): void {
    const answered = [...answers].filter(([pair, count]) => count > (this.#answers.get(pair) ?? 0)).map(([pair]) => pair);
    const flowing = bytes > this.#bytes;
    // who only sends hears reports while it does; one that receives cannot know whether something was sent
    const expected = this.options.impatient || sent > this.#sent;
    const lively = this.#recent.slice(0, -QUIET + 1).filter((seen) => seen).length >= LIVELY;
    this.#bytes = bytes;
    this.#sent = sent;
    this.#answers = answers;
    this.#recent = [...this.#recent, flowing].slice(-(RECENT + QUIET - 1));
    if (this.#state === 'restarting') {
      if (flowing || answered.includes(selected)) this.#settle();
      else if (answered.length > 0 && this.options.impatient && !this.#impatient) {
        this.#impatient = true;
        this.#wait(IMPATIENCE_MS);
      }
    }
    const quiet = this.#recent.length >= QUIET && !this.#recent.slice(-QUIET).includes(true);
    if (quiet && lively && expected) this.#restart('silent');
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

  /** The connection will not heal, whatever its path does. */
  giveUp(): void {
    this.#enter('rejoining');
    this.#lost = true;
    this.emit('rejoin', undefined);
  }

  #settle(): void {
    this.#enter('steady');
  }

  #enter(state: PathState, patience = 0): void {
    this.#cancelTimer();
    this.#impatient = this.#lost = false;
    if (patience > 0) this.#wait(patience);
    if (state === this.#state) return;
    this.#state = state;
    this.emit('state', state);
  }

  #wait(milliseconds: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.timers.after(milliseconds, () => this.giveUp());
  }

  #forget(): void {
    this.#cancelPoll();
    this.#cancelTimer();
    this.#connection = null;
    this.#bytes = 0;
    this.#sent = 0;
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

/** What is read of RTCTransportStats and RTCIceCandidatePairStats. */
interface StatisticsEntry {
  id: string;
  type: string;
  bytesReceived?: number;
  bytesSent?: number;
  selectedCandidatePairId?: string;
  responsesReceived?: number;
}

async function readSigns(connection: RTCPeerConnection): Promise<SignsOfLife | null> {
  try {
    const report = await connection.getStats();
    const signs = { bytes: 0, sent: 0, selected: '' };
    const answers = new Map<string, number>();
    report.forEach((entry: StatisticsEntry) => {
      if (entry.type === 'transport') {
        signs.bytes += entry.bytesReceived ?? 0;
        signs.sent += entry.bytesSent ?? 0;
        signs.selected = entry.selectedCandidatePairId ?? '';
      }
      if (entry.type === 'candidate-pair') answers.set(entry.id, entry.responsesReceived ?? 0);
    });
    return { ...signs, answers };
  } catch {
    // closed meanwhile
    return null;
  }
}
