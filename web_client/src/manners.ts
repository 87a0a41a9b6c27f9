/**
 * How people treat each other in a room (PROTOCOL.md §9): the door, who is shown out, who may send and watch what, the
 * floor. Asks the server for it, says what others did to oneself, and stops sending what one may not send any more.
 */
import { Emitter } from './emitter';
import { SENT_SOURCES, type Publisher } from './media/publisher';
import type { Audience, Orientation, Participant, ParticipantId, ProducerId, Request, Source } from './signalling/protocol';
import type { Room } from './signalling/room';

export type MannersAnnouncement =
  | { kind: 'hand_raised'; participant: Participant }
  /** One's own hand was lowered by another; the room's door. */
  | { kind: 'hand_lowered' | 'locked' | 'unlocked' }
  /** What one may not send any more has been given up; what one may again is not sent by itself. */
  | { kind: 'forbidden' | 'allowed'; sources: Source[] }
  /** One's own pen. */
  | { kind: 'pen_taken' | 'pen_given' };

interface MannersEvents {
  announcement: MannersAnnouncement;
}

/** Characters of a reason. */
export const REASON_LIMIT = 200;

export class Manners extends Emitter<MannersEvents> {
  /** One has lowered one's own hand, and not heard of it yet. */
  #loweringHand = false;
  /** Who is being let in: a second touch asks no second time. */
  readonly #admitting = new Set<string>();

  constructor(
    private readonly room: Room,
    private readonly publisher: Publisher,
    /** False: it was refused, which has been announced; but not that somebody is gone, or was let in by another. */
    private readonly ask: (request: Request) => Promise<boolean>,
  ) {
    super();
    room.on('locked', (locked) => this.emit('announcement', { kind: locked ? 'locked' : 'unlocked' }));
    room.on('hand', ({ participant, raised }) => this.#handleHand(participant, raised));
    room.on('pen', (mine) => this.emit('announcement', { kind: mine ? 'pen_given' : 'pen_taken' }));
    room.on('permitted', ({ forbidden, allowed }) => {
      this.giveUpForbidden();
      if (forbidden.length > 0) this.emit('announcement', { kind: 'forbidden', sources: forbidden });
      if (allowed.length > 0) this.emit('announcement', { kind: 'allowed', sources: allowed });
    });
  }

  /** Ask for the floor, or no longer. False: it was refused, as with all that follow. */
  async raiseHand(raised: boolean): Promise<boolean> {
    this.#loweringHand = !raised;
    const done = await this.ask({ type: 'hand', raised });
    if (!done) this.#loweringHand = false;
    return done;
  }

  /** Say whose consultation it is, by an entry of the worklist; null: nobody's. */
  choosePatient(entry: string | null): Promise<boolean> {
    return this.ask({ type: 'choose_patient', entry });
  }

  lowerHandOf(participant: ParticipantId): Promise<boolean> {
    if (participant === this.room.self) return this.raiseHand(false);
    return this.ask({ type: 'hand', raised: false, participant });
  }

  async admit(waiting: string): Promise<boolean> {
    if (this.#admitting.has(waiting)) return true;
    this.#admitting.add(waiting);
    const done = await this.ask({ type: 'admit', waiting, admitted: true, reason: '' });
    this.#admitting.delete(waiting);
    return done;
  }

  refuse(waiting: string, reason: string): Promise<boolean> {
    return this.ask({ type: 'admit', waiting, admitted: false, reason: plain(reason) });
  }

  setLocked(locked: boolean): Promise<boolean> {
    return this.ask({ type: 'lock', locked });
  }

  remove(participant: ParticipantId, reason: string): Promise<boolean> {
    return this.ask({ type: 'remove', participant, reason: plain(reason) });
  }

  /** Say what somebody may send; null: what the role may. */
  permit(participant: ParticipantId, sources: Source[] | null): Promise<boolean> {
    return this.ask({ type: 'permit', participant, sources });
  }

  /** Give somebody the pen, or take it; null: as the role has it. */
  permitDrawing(participant: ParticipantId, draws: boolean | null): Promise<boolean> {
    return this.ask({ type: 'permit', participant, draws });
  }

  /** Say which way round a picture is. */
  orient(producer: ProducerId, orientation: Orientation | null): Promise<boolean> {
    return this.ask({ type: 'orient', producer, orientation });
  }

  /** Say who may watch a producer; null: everybody. */
  restrict(producer: ProducerId, audience: Audience | null): Promise<boolean> {
    const { roles, participants } = audience ?? { roles: null, participants: null };
    return this.ask({ type: 'restrict', producer, roles, participants });
  }

  /** What may not be sent is not captured either: the camera's light goes off. */
  giveUpForbidden(): void {
    for (const source of SENT_SOURCES) {
      const track = this.publisher.trackOf(source);
      if (track === null || this.room.maySend(source)) continue;
      this.publisher.stop(source);
      track.stop();
    }
  }

  #handleHand(participant: Participant, raised: boolean): void {
    const isMine = participant.participant === this.room.self;
    const asked = this.#loweringHand;
    if (isMine) this.#loweringHand = false;
    if (raised && !isMine) this.emit('announcement', { kind: 'hand_raised', participant });
    if (!raised && isMine && !asked) this.emit('announcement', { kind: 'hand_lowered' });
  }
}

/** Words for people hold no control characters, line breaks or bidirectional overrides (PROTOCOL.md, Limits). */
export function plain(words: string): string {
  const shown = words.replace(/[\p{Cc}\s\u202a-\u202e\u2066-\u2069]+/gu, ' ').trim();
  return [...shown].slice(0, REASON_LIMIT).join('');
}
