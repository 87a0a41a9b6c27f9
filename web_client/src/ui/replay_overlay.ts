/** What the overlay of a replay draws: the marks and pointers of the moment shown, of the experts switched on. */
import { Emitter } from '../emitter';
import type { PaintedPointer } from '../annotation/paint_signs';
import { isOfLivePicture, sheetOf, type Sheet } from '../annotation/sheet';
import type { VisibleMark } from '../annotation/sum';
import type { Description } from '../replay/description';
import type { Timeline } from '../replay/timeline';
import { isBoard } from '../signalling/marks';
import type { Anchor, ParticipantId } from '../signalling/protocol';
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

  marks(sheet: Sheet): OverlayMark[] {
    return this.timeline
      .marksAt(this.#position)
      .filter((mark) => this.#isOn(mark, sheet) && !this.hidden.has(mark.author))
      .map(({ mark, author, name, colour }) => {
        // as it was told at that moment: a recording has no silence of a network
        const track = isOfLivePicture(mark.anchor) ? this.timeline.trackAt(mark.mark, this.#position) : null;
        return { mark, author, name, colour, draft: false, transform: track?.matrix, state: track?.state };
      });
  }

  /** What the marks on the whiteboard hang on at a position. */
  boardAnchorsAt(position: number): Anchor[] {
    return this.timeline.marksAt(position).flatMap(({ mark }) => (isBoard(mark.anchor) ? [mark.anchor] : []));
  }

  pointers(sheet: Sheet): PaintedPointer[] {
    if (typeof sheet !== 'number') return [];
    return this.timeline
      .pointersAt(sheet, this.#position)
      .filter(({ author }) => !this.hidden.has(author))
      .map(({ author, trail }) => ({
        colour: this.#people.get(author)?.colour ?? '#ffffff',
        name: this.#people.get(author)?.name ?? '',
        trail: trail.map(({ point, age }, index) => ({ point, age: index === trail.length - 1 ? 0 : Math.min(1, age / TRAIL_S) })),
      }));
  }

  hiddenLayers(sheet: Sheet): number {
    const there = this.timeline.marksAt(this.#position).filter(({ mark }) => sheetOf(mark.anchor) === sheet);
    return new Set(there.map(({ author }) => author).filter((author) => this.hidden.has(author))).size;
  }

  showAllLayers(): void {
    this.hidden.clear();
    this.emit('changed', undefined);
  }

  /** A mark on a still is shown on its frame as it passes. */
  #isOn(visible: VisibleMark, sheet: Sheet): boolean {
    const isMoment = typeof sheet === 'number' && this.timeline.isAtStill(visible, sheet, this.#position);
    return isMoment || sheetOf(visible.mark.anchor) === sheet;
  }

  onChanged(listener: () => void): () => void {
    return this.on('changed', listener);
  }
}
