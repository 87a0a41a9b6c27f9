/**
 * Frozen frames (PROTOCOL.md §10): a frame is shown at once as it was on one's own glass; what the server kept takes its
 * place when it has come, and only if it bears the same name.
 */
import type { Replica } from './annotation/document';
import { Emitter } from './emitter';
import type { Scale, StillFacts } from './signalling/marks';
import type { Orientation, ParticipantId, ProducerId } from './signalling/protocol';

export interface StillView {
  /** The name of a frame is that of its still. */
  key: string;
  producer: ProducerId;
  rtpTimestamp: number;
  by: ParticipantId;
  forAll: boolean;
  label: string;
  sm3: string | null;
  /** A moment soon after it was captured, Unix ms by the server's clock; null: not known. */
  near: number | null;
  /** What was true of the frame when it was frozen: what is true of its picture now says nothing about it. */
  patient: string | null;
  orientation: Orientation | null;
  calibration: Scale | null;
  /** `asked`: the server has not kept it yet; `kept`: it has; `failed`: it could not. */
  state: 'asked' | 'kept' | 'failed';
}

interface StillsEvents {
  changed: undefined;
  /** Somebody else froze a frame for all. */
  shown: StillView;
}

export const keyOf = (producer: ProducerId, rtpTimestamp: number): string => `${producer}-${rtpTimestamp}`;

export class Stills extends Emitter<StillsEvents> {
  /** One's own, that the log does not tell of. */
  readonly #own = new Map<string, StillView>();
  #announced: Set<string> | null = null;

  constructor(
    private readonly replica: Replica,
    private readonly self: () => ParticipantId | null,
    /** Null: it was refused, which has been announced. */
    private readonly ask: (producer: ProducerId, rtpTimestamp: number, forAll: boolean) => Promise<StillFacts | null>,
    /** Unix ms by the server's clock; null: not known yet. */
    private readonly now: () => number | null,
  ) {
    super();
    replica.on('changed', () => this.#handleLog());
  }

  /** All that one may look at, the oldest first. */
  get all(): StillView[] {
    const found = new Map<string, StillView>();
    for (const facts of this.replica.stills) found.set(keyOf(facts.producer, facts.rtp_timestamp), viewOf(facts, facts.time));
    for (const [key, view] of this.#own) if (!found.has(key)) found.set(key, view);
    return [...found.values()];
  }

  find(key: string): StillView | null {
    return this.all.find((view) => view.key === key) ?? null;
  }

  /** Have the server keep a frame, for oneself or for all. False: it cannot. */
  async freeze(producer: ProducerId, rtpTimestamp: number, forAll: boolean): Promise<boolean> {
    const key = keyOf(producer, rtpTimestamp);
    const by = this.self();
    if (by === null) return false;
    const before = this.#own.get(key);
    const asked: StillView = before ?? {
      key, producer, rtpTimestamp, by, forAll: false, label: '', sm3: null, near: this.now(), patient: null, orientation: null, calibration: null, state: 'asked',
    };
    this.#put(asked);
    const facts = await this.ask(producer, rtpTimestamp, forAll);
    if (facts === null) {
      // what was kept before stays kept
      if (before?.state !== 'kept') this.#put({ ...asked, state: 'failed' });
      return false;
    }
    // another frame's picture must not stand where this one's marks are drawn
    const isSame = facts.producer === producer && facts.rtp_timestamp === rtpTimestamp;
    this.#put(isSame ? viewOf(facts, asked.near) : { ...asked, state: 'failed' });
    return isSame;
  }

  /** Under a new identity one's own are gone: they were the former one's. */
  reset(): void {
    this.#own.clear();
    this.#announced = null;
    this.emit('changed', undefined);
  }

  #put(view: StillView): void {
    this.#own.set(view.key, view);
    this.emit('changed', undefined);
  }

  #handleLog(): void {
    const views = this.replica.stills.map((facts) => viewOf(facts, facts.time));
    const known = this.#announced;
    this.#announced = new Set(views.map(({ key }) => key));
    // what was there before one came is no news
    const news = known === null ? [] : views.filter(({ key, by }) => !known.has(key) && by !== this.self());
    if (known?.size !== this.#announced.size) this.emit('changed', undefined);
    for (const view of news) this.emit('shown', view);
  }
}

function viewOf(facts: StillFacts, near: number | null): StillView {
  const { producer, rtp_timestamp, taken_by, for_all, label, sm3, patient = null, orientation = null, calibration = null } = facts;
  const key = keyOf(producer, rtp_timestamp);
  return { key, producer, rtpTimestamp: rtp_timestamp, by: taken_by, forAll: for_all, label, sm3, near, patient, orientation, calibration, state: 'kept' };
}
