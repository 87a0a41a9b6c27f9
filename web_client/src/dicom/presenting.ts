/**
 * Who leads the others through the images, and what everybody sees (PROTOCOL.md §11).
 *
 * `state` is what this page shows. While one presents, each change of it is told; while one follows, it is what the
 * presenter shows; and who looks on his own keeps his own until he comes back.
 */
import { Emitter } from '../emitter';
import type { ParticipantId, PresenterNotice, Request, ViewportMessage, ViewportNotice, Welcome } from '../signalling/protocol';
import type { Timers } from '../timers';
import { EMPTY, sameState, type ViewportState } from './viewport';

export type PresentingRole = 'alone' | 'presenting' | 'following' | 'looking_away';

interface PresentingEvents {
  /** What is shown has changed by somebody else's hand. */
  state: ViewportState;
  /** Who presents, who asks, or what one's own part is. */
  changed: undefined;
  announcement: PresentingAnnouncement;
}

export type PresentingAnnouncement =
  | { kind: 'presenting_began' | 'presenting_asked'; participant: ParticipantId }
  | { kind: 'presenting_ended' | 'presenting_yours' };

/** A message at least so far apart: a screen shows no more, and 60 a second stay far below the server's limit. */
export const SEND_EVERY_MS = 16;

export class Presenting extends Emitter<PresentingEvents> {
  presenter: ParticipantId | null = null;
  asking: readonly ParticipantId[] = [];
  #self: ParticipantId | null = null;
  #state: ViewportState = EMPTY;
  /** What the presenter shows, also while one looks elsewhere. */
  #shown: ViewportState | null = null;
  #away = false;
  #heard = -1;
  #count = 0;
  #told: ViewportState | null = null;
  #sentAt = -Infinity;
  #cancelSend: () => void = () => undefined;
  #waiting = false;

  constructor(
    private readonly timers: Timers,
    /** False: it was refused, which has been announced. */
    private readonly ask: (request: Request) => Promise<boolean>,
    private readonly tell: (message: Omit<ViewportMessage, 'sent'>) => void,
  ) {
    super();
  }

  get state(): ViewportState {
    return this.#state;
  }

  get role(): PresentingRole {
    if (this.presenter === null) return 'alone';
    if (this.presenter === this.#self) return 'presenting';
    return this.#away ? 'looking_away' : 'following';
  }

  get asksMyself(): boolean {
    return this.#self !== null && this.asking.includes(this.#self);
  }

  /** This page's own hand changed what it shows. A follower who does so looks on his own from then on. */
  change(state: ViewportState): void {
    if (sameState(state, this.#state)) return;
    this.#state = state;
    if (this.role === 'following') {
      this.#away = true;
      this.emit('changed', undefined);
    }
    if (this.role === 'presenting') this.#send();
  }

  /** See again what the presenter shows. */
  comeBack(): void {
    if (this.role !== 'looking_away') return;
    this.#away = false;
    if (this.#shown !== null) this.#show(this.#shown);
    this.emit('changed', undefined);
  }

  /** Look on one's own without having changed anything yet. */
  lookAway(): void {
    if (this.role !== 'following') return;
    this.#away = true;
    this.emit('changed', undefined);
  }

  start(): Promise<boolean> {
    return this.ask({ type: 'present', action: 'start' });
  }

  /** End one's presenting, or take one's asking back. */
  stop(): Promise<boolean> {
    return this.ask({ type: 'present', action: 'stop' });
  }

  askToPresent(): Promise<boolean> {
    return this.ask({ type: 'present', action: 'ask' });
  }

  give(to: ParticipantId): Promise<boolean> {
    return this.ask({ type: 'present', action: 'give', to });
  }

  handleWelcome(welcome: Welcome): void {
    const { participant, asking, viewport } = welcome.presenter;
    const resumed = this.#self === welcome.self && this.presenter === participant;
    this.#self = welcome.self;
    if (!resumed) this.#handlePresenter(participant);
    this.asking = asking;
    if (viewport !== null && participant !== this.#self) this.#handleShown(viewport.n, viewport.state);
    // what the server did not get while the line was broken
    if (resumed && this.role === 'presenting') {
      this.#told = null;
      this.#send();
    }
    this.emit('changed', undefined);
  }

  handlePresenter({ participant, asking }: PresenterNotice): void {
    const before = this.presenter;
    const asked = asking.filter((one) => !this.asking.includes(one));
    this.asking = asking;
    if (participant !== before) {
      this.#handlePresenter(participant);
      if (participant === null) this.emit('announcement', { kind: 'presenting_ended' });
      else if (participant === this.#self) this.emit('announcement', { kind: 'presenting_yours' });
      else this.emit('announcement', { kind: 'presenting_began', participant });
    }
    if (this.role === 'presenting') {
      for (const one of asked) this.emit('announcement', { kind: 'presenting_asked', participant: one });
    }
    this.emit('changed', undefined);
  }

  handleViewport({ author, n, state }: ViewportNotice): void {
    if (author !== this.presenter || author === this.#self) return;
    this.#handleShown(n, state);
  }

  stopTimers(): void {
    this.#cancelSend();
    this.#waiting = false;
  }

  #handlePresenter(participant: ParticipantId | null): void {
    this.presenter = participant;
    this.#heard = -1;
    this.#shown = null;
    // a new presenter is followed by everybody
    this.#away = false;
    this.#told = null;
    this.stopTimers();
    if (this.role === 'presenting') {
      this.#count = 0;
      this.#send();
    }
  }

  #handleShown(n: number, state: ViewportState): void {
    if (n <= this.#heard) return;
    this.#heard = n;
    this.#shown = state;
    if (!this.#away) this.#show(state);
  }

  #show(state: ViewportState): void {
    if (sameState(state, this.#state)) return;
    this.#state = state;
    this.emit('state', state);
  }

  /** At once, and what comes too soon after that a moment later: the last one is always told. */
  #send(): void {
    if (this.#waiting) return;
    const wait = this.#sentAt + SEND_EVERY_MS - this.timers.now();
    if (wait > 0) {
      this.#waiting = true;
      this.#cancelSend = this.timers.after(wait, () => {
        this.#waiting = false;
        this.#send();
      });
      return;
    }
    if (this.role !== 'presenting' || (this.#told !== null && sameState(this.#told, this.#state))) return;
    this.#told = this.#state;
    this.#sentAt = this.timers.now();
    this.#count += 1;
    this.tell({ type: 'viewport', n: this.#count, state: this.#state });
  }
}
