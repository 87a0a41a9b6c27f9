/** What the overlay of a replay draws: the marks and pointers of the moment shown, of the experts switched on. */
import { Emitter } from '../emitter';
import type { PaintedPointer } from '../annotation/paint';
import type { Description } from '../replay/description';
import type { Timeline } from '../replay/timeline';
import { isLive } from '../signalling/marks';
import type { ParticipantId, ProducerId } from '../signalling/protocol';
import type { OverlayMark, OverlaySource } from './overlay_source';

const TRAIL_S = 0.35;

export class ReplayOverlay extends Emitter<{ changed: undefined }> implements OverlaySource {
  readonly hidden = new Set<ParticipantId>();
  readonly #people: ReadonlyMap<ParticipantId, Description['participants'][number]>;
  #position = 0;

  constructor(
    private readonly timeline: Timeline,
    description: Description,
  ) {
    super();
    this.#people = new Map(description.participants.map((person) => [person.participant, person]));
  }

  get position(): number {
    return this.#position;
  }

  /** The picture now on the glass belongs to this position. */
  show(position: number): void {
    if (position === this.#position) return;
    this.#position = position;
    this.emit('changed', undefined);
  }

  setHidden(author: ParticipantId, hidden: boolean): void {
    if (hidden) this.hidden.add(author);
    else this.hidden.delete(author);
    this.emit('changed', undefined);
  }

  marks(producer: ProducerId): OverlayMark[] {
    return this.timeline
      .marksAt(this.#position)
      .filter(({ mark, author }) => isLive(mark.anchor, producer) && !this.hidden.has(author))
      .map(({ mark, author, name, colour }) => ({ mark, author, name, colour, draft: false }));
  }

  pointers(producer: ProducerId): PaintedPointer[] {
    return this.timeline
      .pointersAt(producer, this.#position)
      .filter(({ author }) => !this.hidden.has(author))
      .map(({ author, trail }) => ({
        colour: this.#people.get(author)?.colour ?? '#ffffff',
        name: this.#people.get(author)?.name ?? '',
        trail: trail.map(({ point, age }, index) => ({ point, age: index === trail.length - 1 ? 0 : Math.min(1, age / TRAIL_S) })),
      }));
  }

  onChanged(listener: () => void): () => void {
    return this.on('changed', listener);
  }
}
