/** What the overlays of the live room draw: the mark log, strokes in progress, pointers, one's own pen. */
import type { LivePointer, LiveStroke } from '../annotation/ephemeral';
import { Declutter } from '../annotation/declutter';
import { sinceOf } from '../annotation/field_scale';
import { Movement } from '../annotation/movement';
import type { PaintedPointer } from '../annotation/paint_signs';
import { isOfLivePicture, sheetOf, type Sheet } from '../annotation/sheet';
import { isBefore } from '../media/rtp';
import type { Mark } from '../signalling/protocol';
import type { Session } from '../session';
import { pageTimers } from '../timers';
import type { OverlayMark, OverlaySource } from './overlay_source';

const TRAIL_MS = 350;

export class LiveOverlay implements OverlaySource {
  readonly #movement: Movement;
  readonly #listeners = new Set<() => void>();
  #cancelDoubt: (() => void) | null = null;
  /** The mark of a stroke, the same object as long as no point comes: its outline is kept by it. */
  readonly #strokeMarks = new WeakMap<LiveStroke, Mark>();

  readonly declutter = new Declutter();

  constructor(private readonly session: Session) {
    this.#movement = new Movement(session.followed);
  }

  marks(sheet: Sheet, now: number): OverlayMark[] {
    const all = this.#all(sheet, now);
    return this.declutter.active ? this.declutter.keep(all, this.#meant()) : all;
  }

  /** How many finished marks lie on a picture, and how many of them are shown. */
  counts(sheet: Sheet): { all: number; shown: number } {
    const all = this.#all(sheet, performance.now()).filter(({ draft }) => !draft);
    return { all: all.length, shown: this.declutter.keep(all, this.#meant()).length };
  }

  /** The marks that open instructions mean. */
  #meant(): Set<string> {
    return new Set(this.session.guidance.open.flatMap(({ mark }) => mark ?? []));
  }

  #all(sheet: Sheet, now: number): OverlayMark[] {
    const { replica, pens, room, self } = this.session;
    const marks: OverlayMark[] = [];
    const since = typeof sheet === 'number' ? sinceOf(room.producers.get(sheet)) : null;
    for (const { mark: logged, author, name, colour, sequence, anchored, changed } of replica.visible) {
      if (sheetOf(logged.anchor) !== sheet || !pens.layers.isShown(author)) continue;
      const mark = pens.selection.shown(logged);
      const time = anchored ?? null;
      const outdated = since !== null && isOfLivePicture(mark.anchor) && isBefore({ rtpTimestamp: mark.anchor.rtp_timestamp, time }, since);
      // what is in one's own hand lies where one holds it
      const followed = mark === logged && isOfLivePicture(mark.anchor) ? this.#movement.of(mark, replica.trackOf(mark.mark), now, changed > (sequence ?? Infinity)) : null;
      marks.push({ mark, author, name, colour, draft: sequence === null, outdated, transform: followed?.transform, state: followed?.state });
    }
    this.#expectDoubt(now);
    for (const stroke of this.session.ephemeral.strokes(now)) {
      const author = room.participants.get(stroke.author);
      if (sheetOf(stroke.anchor) !== sheet || author === undefined || stroke.author === self?.participant) continue;
      if (!pens.layers.isShown(stroke.author)) continue;
      const { name, colour } = author;
      marks.push({ mark: this.#markOf(stroke), author: stroke.author, name, colour, draft: true });
    }
    if (self === null) return marks;
    const { inProgress, waiting } = pens.tools;
    // its points are changed in place: a copy has an outline of its own
    const own = inProgress === null ? waiting : [{ ...inProgress }, ...waiting];
    for (const mark of own) {
      if (sheetOf(mark.anchor) !== sheet) continue;
      marks.push({ mark, author: self.participant, name: self.name, colour: self.colour, draft: true });
    }
    return marks;
  }

  pointers(sheet: Sheet, now: number): PaintedPointer[] {
    const { ephemeral, room, pens, self } = this.session;
    const painted: PaintedPointer[] = [];
    for (const pointer of ephemeral.pointers(now)) {
      const author = room.participants.get(pointer.author);
      if (author === undefined || sheetOf(pointer.anchor) !== sheet || pointer.author === self?.participant) continue;
      if (pointer.ghost && !pens.layers.ghosts) continue;
      painted.push({ colour: author.colour, name: author.name, trail: fading(pointer, now), ghost: pointer.ghost });
    }
    const mine = pens.tools.pointing;
    if (mine !== null && self !== null && sheetOf(mine.anchor) === sheet) {
      painted.push({ colour: self.colour, name: self.name, trail: [{ point: mine.point, age: 0 }] });
    }
    return painted;
  }

  hiddenLayers(sheet: Sheet): number {
    const there = this.session.replica.visible.filter(({ mark }) => sheetOf(mark.anchor) === sheet);
    return this.session.pens.layers.hiddenOf(there.map(({ author }) => author));
  }

  showAllLayers(): void {
    this.session.pens.layers.showAll();
  }

  onChanged(listener: () => void): () => void {
    // of the room: whether a picture was interrupted
    const ends = [this.session.on('marks', listener), this.session.on('followed', listener), this.session.on('room', listener), this.declutter.on('changed', listener)];
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      ends.forEach((end) => end());
    };
  }

  /** Paint when the next mark is no longer to be believed: nothing may come that would have it painted. */
  #expectDoubt(now: number): void {
    this.#cancelDoubt?.();
    this.#cancelDoubt = null;
    const wait = this.#listeners.size > 0 ? this.#movement.nextDoubt(now) : null;
    if (wait !== null) this.#cancelDoubt = pageTimers.after(wait, () => this.#listeners.forEach((listener) => listener()));
  }

  #markOf(stroke: LiveStroke): Mark {
    const { mark, shape, anchor, points, width } = stroke;
    const made = this.#strokeMarks.get(stroke) ?? { mark, shape, anchor, points, width, text: '' };
    this.#strokeMarks.set(stroke, made);
    return made;
  }
}

function fading(pointer: LivePointer, now: number): PaintedPointer['trail'] {
  const newest = pointer.trail.at(-1);
  return pointer.trail
    .map((past) => ({ point: past.point, age: past === newest ? 0 : Math.min(1, (now - past.at) / TRAIL_MS) }))
    .filter((past) => past.age < 1);
}
