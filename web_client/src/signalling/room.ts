/** Who is in the room, what they send, how its door stands, who has the floor: the server's word, in order of joining. */
import type { HospitalView } from '../hospital';
import { Emitter } from '../emitter';
import { belongs } from './audience';
import {
  SOURCES,
  type Door,
  type Knock,
  type LeaveReason,
  type Notice,
  type Participant,
  type ParticipantId,
  type Patient,
  type Permission,
  type Producer,
  type ProducerId,
  type Recording,
  type Source,
  type Welcome,
} from './protocol';

interface RoomEvents {
  changed: undefined;
  joined: Participant;
  left: { participant: Participant; reason: LeaveReason };
  /** Also when nothing is recorded any more (null). */
  recording: Recording | null;
  producer_removed: ProducerId;
  /** Somebody came to the door; told to those who may let in. */
  knocked: Knock;
  locked: boolean;
  /** A hand went up or down, one's own too. */
  hand: { participant: Participant; raised: boolean };
  /** What one may send oneself has changed. */
  permitted: { forbidden: Source[]; allowed: Source[] };
  /** One's own pen was taken (false) or given. */
  pen: boolean;
}

export class Room extends Emitter<RoomEvents> {
  self: ParticipantId | null = null;
  name = '';
  recording: Recording | null = null;
  door: Door = { locked: false, waiting: [] };
  /** Who speaks just now, or spoke last. */
  speaker: ParticipantId | null = null;
  /** Of whom the room's images are; null: nobody was chosen. */
  patient: Patient | null = null;
  /** What of a hospital is there, as far as one may know; null: nothing. */
  hospital: HospitalView | null = null;
  #permissions = new Set<Permission>();
  /** Since the last welcome: the first word of how the door stands is no news. */
  #knowsDoor = false;
  readonly participants = new Map<ParticipantId, Participant>();
  readonly producers = new Map<ProducerId, Producer>();

  get permissions(): ReadonlySet<Permission> {
    return this.#permissions;
  }

  /** By the role, but for drawing, which surgeon and chair give and take. */
  may(permission: Permission): boolean {
    const draws = this.#me?.draws;
    if (permission === 'mark' && draws !== undefined) return draws;
    return this.#permissions.has(permission) || (permission === 'clear_own' && draws === true);
  }

  /** Whether one's role draws, and the pen was taken. */
  get penTaken(): boolean {
    return this.#permissions.has('mark') && !this.may('mark');
  }

  /** Whether one may send this just now: what the role may, or what was permitted. */
  maySend(source: Source): boolean {
    return this.#me?.sources.includes(source) ?? false;
  }

  isOwn(producer: ProducerId): boolean {
    return this.self !== null && this.producers.get(producer)?.participant === this.self;
  }

  /** Whether one is of the audience of a producer. */
  mayWatch(producer: Producer): boolean {
    const me = this.#me;
    return me === undefined || producer.participant === me.participant || belongs(producer.audience, me);
  }

  /** Who has a hand up, in the order in which they have the floor. */
  get hands(): Participant[] {
    return [...this.participants.values()].filter(({ hand }) => hand > 0).sort((a, b) => a.hand - b.hand);
  }

  handleWelcome(welcome: Welcome): void {
    const before = this.#me;
    this.self = welcome.self;
    this.name = welcome.room;
    this.recording = welcome.recording;
    this.patient = welcome.patient ?? null;
    this.hospital = null;
    this.#permissions = new Set(welcome.permissions);
    this.#knowsDoor = false;
    this.participants.clear();
    for (const participant of welcome.participants) this.participants.set(participant.participant, participant);
    const present = new Set(welcome.producers.map((producer) => producer.producer));
    const gone = [...this.producers.keys()].filter((producer) => !present.has(producer));
    this.producers.clear();
    for (const producer of welcome.producers) this.producers.set(producer.producer, producer);
    for (const producer of gone) this.emit('producer_removed', producer);
    this.#tellPermitted(before);
    this.emit('changed', undefined);
  }

  handleNotice(notice: Notice): void {
    switch (notice.type) {
      case 'participant':
        this.#handleParticipant(notice.participant);
        break;
      case 'participant_left': {
        const participant = this.participants.get(notice.participant);
        if (participant === undefined) return;
        this.participants.delete(notice.participant);
        this.emit('left', { participant, reason: notice.reason });
        break;
      }
      case 'producer':
        this.producers.set(notice.producer.producer, notice.producer);
        break;
      case 'producer_removed':
        if (!this.producers.delete(notice.producer)) return;
        this.emit('producer_removed', notice.producer);
        break;
      case 'recording':
        this.recording = notice.recording;
        this.emit('recording', notice.recording);
        break;
      case 'door':
        this.#handleDoor(notice);
        break;
      case 'speaker':
        if (this.speaker === notice.participant) return;
        this.speaker = notice.participant;
        break;
      case 'patient':
        this.patient = notice.patient;
        break;
      case 'hospital':
        this.hospital = notice;
        break;
      default:
        return;
    }
    this.emit('changed', undefined);
  }

  get #me(): Participant | undefined {
    return this.self === null ? undefined : this.participants.get(this.self);
  }

  #handleParticipant(participant: Participant): void {
    const before = this.participants.get(participant.participant);
    this.participants.set(participant.participant, participant);
    const isMe = participant.participant === this.self;
    if (before === undefined && !isMe) this.emit('joined', participant);
    const raised = participant.hand > 0;
    if (before !== undefined && before.hand > 0 !== raised) this.emit('hand', { participant, raised });
    if (isMe) this.#tellPermitted(before);
  }

  #handleDoor({ locked, waiting }: Door): void {
    const before = this.door;
    this.door = { locked, waiting };
    const known = new Set(before.waiting.map((knock) => knock.waiting));
    for (const knock of waiting) if (!known.has(knock.waiting)) this.emit('knocked', knock);
    if (this.#knowsDoor && before.locked !== locked) this.emit('locked', locked);
    this.#knowsDoor = true;
  }

  /** `before`: what one might send so far; undefined: nothing was known of it. */
  #tellPermitted(before: Participant | undefined): void {
    const now = this.#me;
    if (before === undefined || now === undefined) return;
    if ((before.draws ?? null) !== (now.draws ?? null)) this.emit('pen', now.draws ?? false);
    const forbidden = SOURCES.filter((source) => before.sources.includes(source) && !now.sources.includes(source));
    const allowed = SOURCES.filter((source) => !before.sources.includes(source) && now.sources.includes(source));
    if (forbidden.length + allowed.length > 0) this.emit('permitted', { forbidden, allowed });
  }
}
