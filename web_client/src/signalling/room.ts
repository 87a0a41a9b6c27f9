/** Who is in the room and what they send: the server's word, kept in order of joining. */
import { Emitter } from '../emitter';
import type {
  LeaveReason,
  Notice,
  Participant,
  ParticipantId,
  Permission,
  Producer,
  ProducerId,
  Recording,
  Welcome,
} from './protocol';

interface RoomEvents {
  changed: undefined;
  joined: Participant;
  left: { participant: Participant; reason: LeaveReason };
  /** Also when nothing is recorded any more (null). */
  recording: Recording | null;
  producer_removed: ProducerId;
}

export class Room extends Emitter<RoomEvents> {
  self: ParticipantId | null = null;
  name = '';
  recording: Recording | null = null;
  #permissions = new Set<Permission>();
  readonly participants = new Map<ParticipantId, Participant>();
  readonly producers = new Map<ProducerId, Producer>();

  get permissions(): ReadonlySet<Permission> {
    return this.#permissions;
  }

  may(permission: Permission): boolean {
    return this.#permissions.has(permission);
  }

  isOwn(producer: ProducerId): boolean {
    return this.self !== null && this.producers.get(producer)?.participant === this.self;
  }

  handleWelcome(welcome: Welcome): void {
    this.self = welcome.self;
    this.name = welcome.room;
    this.recording = welcome.recording;
    this.#permissions = new Set(welcome.permissions);
    this.participants.clear();
    for (const participant of welcome.participants) this.participants.set(participant.participant, participant);
    const present = new Set(welcome.producers.map((producer) => producer.producer));
    const gone = [...this.producers.keys()].filter((producer) => !present.has(producer));
    this.producers.clear();
    for (const producer of welcome.producers) this.producers.set(producer.producer, producer);
    for (const producer of gone) this.emit('producer_removed', producer);
    this.emit('changed', undefined);
  }

  handleNotice(notice: Notice): void {
    switch (notice.type) {
      case 'participant': {
        const known = this.participants.has(notice.participant.participant);
        this.participants.set(notice.participant.participant, notice.participant);
        if (!known && notice.participant.participant !== this.self) this.emit('joined', notice.participant);
        break;
      }
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
      default:
        return;
    }
    this.emit('changed', undefined);
  }
}
