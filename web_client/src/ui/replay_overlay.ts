/** What the overlay of a replay draws: the marks and pointers of the moment shown, of the experts switched on. */
import { Emitter } from '../emitter';
import type { PaintedPointer } from '../annotation/paint_signs';
import { isOfLivePicture, sheetOf, type Sheet } from '../annotation/sheet';
import type { VisibleMark } from '../annotation/sum';
import { validCalibration } from '../annotation/field_scale';
import { isBefore } from '../media/rtp';
import type { Description } from '../replay/description';
import { Facts } from '../replay/facts';
import type { Timeline } from '../replay/timeline';
import { isBoard, isVideo } from '../signalling/marks';
import type { Anchor, Mark, ParticipantId } from '../signalling/protocol';
import { sayLength } from './field_scale_words';
import type { OverlayMark, OverlaySource } from './overlay_source';

const TRAIL_S = 0.35;
/** As in the time line. */
const ROUNDING_S = 0.001;
/** So often is looked for new marks on a frozen frame. */
const PASSING_S = 0.1;

export class ReplayOverlay extends Emitter<{ changed: undefined }> implements OverlaySource {
  readonly hidden = new Set<ParticipantId>();
  readonly #people: ReadonlyMap<ParticipantId, Description['participants'][number]>;
  #position = 0;
  #playhead = 0;
  #passed = 0;

  constructor(
    private readonly timeline: Timeline,
    private readonly description: Description,
    readonly facts: Facts = new Facts(description),
  ) {
    super();
    this.#people = new Map(description.participants.map((person) => [person.participant, person]));
  }

  get position(): number {
    return this.#position;
  }

  /** The hash of what stood in the log at a position. */
  digestAt(position: number): Promise<string> {
    return this.timeline.digestAt(position);
  }

  /** The picture now on the glass belongs to this position. */
  show(position: number): void {
    if (position === this.#position) return;
    this.#position = position;
    this.emit('changed', undefined);
  }

  /** The replay is at this position, whatever frame is on the glass: what is drawn on a frozen frame comes with the time. */
  pass(playhead: number): void {
    this.#playhead = playhead;
    if (Math.abs(playhead - this.#passed) < PASSING_S) return;
    this.#passed = playhead;
    this.emit('changed', undefined);
  }

  /** Whose marks and pointers are not shown. */
  setAllHidden(authors: ReadonlySet<ParticipantId>): void {
    this.hidden.clear();
    for (const author of authors) this.hidden.add(author);
    this.emit('changed', undefined);
  }

  marks(sheet: Sheet): OverlayMark[] {
    return this.timeline
      .marksAt(this.#position)
      .filter((mark) => this.#isOn(mark, sheet) && this.#isDrawnBy(mark, sheet) && !this.hidden.has(mark.author))
      .map((visible) => {
        const { mark, author, name, colour, anchored } = visible;
        const time = anchored ?? this.description.started;
        const isLive = isOfLivePicture(mark.anchor);
        const since = typeof sheet === 'number' && isLive ? this.facts.sinceAt(sheet, this.#position) : null;
        const outdated = since !== null && isVideo(mark.anchor) && isBefore({ rtpTimestamp: mark.anchor.rtp_timestamp, time }, since);
        const moved = isLive ? this.timeline.movedAt(visible, this.#position, (time - this.description.started) / 1000) : null;
        return { mark, author, name, colour, draft: false, outdated, transform: moved?.matrix ?? undefined, state: moved?.state };
      });
  }

  /** A mark's length at the moment shown, in words, by the calibration that held for its frame; null: it is none. */
  sayLength(mark: Mark, picture: { width: number; height: number }): string | null {
    if (mark.shape !== 'length' || !isVideo(mark.anchor)) return null;
    const { producer, rtp_timestamp: rtpTimestamp, still } = mark.anchor;
    if (still === true) return sayLength(mark, this.timeline.stillOf(producer, rtpTimestamp)?.calibration ?? null, picture);
    const anchored = this.timeline.marksAt(this.#position).find((one) => one.mark.mark === mark.mark)?.anchored ?? null;
    const known = this.timeline.notesAt(this.#position).calibrations.get(producer);
    const since = this.facts.sinceAt(producer, this.#position);
    return sayLength(mark, validCalibration(known, since, { rtpTimestamp, time: anchored }), picture);
  }

  /** All marks of the moment, whoever's are shown. */
  get visible(): readonly VisibleMark[] {
    return this.timeline.marksAt(this.#position);
  }

  /** How many marks a frozen frame bears at a position, whoever's are shown. */
  marksOnStill(sheet: Sheet, position: number): number {
    const until = this.description.started + (position + ROUNDING_S) * 1000;
    return this.timeline.marksAt(position).filter(({ mark, anchored }) => sheetOf(mark.anchor) === sheet && (anchored ?? 0) <= until).length;
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

  /** A frozen frame stands while it is drawn on: each mark comes when it came, and not with the frame. */
  #isDrawnBy({ anchored }: VisibleMark, sheet: Sheet): boolean {
    return typeof sheet === 'number' || anchored === null || anchored <= this.description.started + (this.#playhead + ROUNDING_S) * 1000;
  }

  onChanged(listener: () => void): () => void {
    return this.on('changed', listener);
  }
}
