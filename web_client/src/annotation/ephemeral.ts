/**
 * The ephemeral lane: laser pointers and strokes in progress. Latest wins, nothing is repeated, and what was
 * not heard of for a while is gone. All times are the page's clock, ms.
 */
import type { Anchor, ParticipantId, Point, ReceivedEphemeral, Shape } from '../signalling/protocol';
import { sheetOf } from './sheet';

export const POINTER_SILENCE_MS = 1000;
export const STROKE_SILENCE_MS = 3000;
/** Who points or hovers has ended the stroke: if its mark does not come within this, it was given up. */
export const GIVEN_UP_MS = 400;
const FORGET_MS = 1000;
const FINISHED_LIMIT = 64;
/** A pointer leaves a trail: the eye finds a moving tail sooner than a dot. */
const TRAIL_MS = 350;

export interface LivePointer {
  author: ParticipantId;
  anchor: Anchor;
  /** A pen that hovers. */
  ghost: boolean;
  /** The newest last. */
  trail: { at: number; point: Point }[];
  heardAt: number;
}

export interface LiveStroke {
  author: ParticipantId;
  mark: string;
  shape: Shape;
  anchor: Anchor;
  points: Point[];
  width: number;
  heardAt: number;
  /** When its author was seen to do something else; null: it goes on. */
  leftAt: number | null;
}

export class EphemeralLane {
  readonly #pointers = new Map<ParticipantId, LivePointer>();
  readonly #strokes = new Map<string, LiveStroke>();
  readonly #newest = new Map<ParticipantId, { n: number; at: number }>();
  /** Strokes that their durable mark has replaced: a late message must not bring one back. */
  readonly #finished = new Set<string>();

  handleMessage(message: ReceivedEphemeral, now: number): void {
    const { author, n } = message;
    const newest = this.#newest.get(author);
    // who was silent for a while may count anew: a page that was loaded again does not know its last number
    if (newest !== undefined && n <= newest.n && now - newest.at < FORGET_MS) return;
    this.#newest.set(author, { n, at: now });
    if (message.type === 'pointer') {
      for (const stroke of this.#strokes.values()) if (stroke.author === author) stroke.leftAt ??= now;
      if (message.anchor === null || message.point === null) this.#pointers.delete(author);
      else this.#movePointer(author, message.anchor, message.point, message.ghost === true, now);
    } else {
      const { mark, shape, anchor, from, width } = message;
      if (this.#finished.has(mark)) return;
      const known = this.#strokes.get(mark);
      const points = known?.author === author ? known.points : [];
      // never across a gap: what does not join on waits for the durable mark
      const joined = from > points.length ? points : [...points.slice(0, from), ...message.points];
      if (joined.length > 0) this.#strokes.set(mark, { author, mark, shape, anchor, points: joined, width, heardAt: now, leftAt: null });
    }
  }

  /** The durable mark with this identifier has come: it replaces the stroke in progress. */
  handleMark(mark: string): void {
    this.#strokes.delete(mark);
    this.#finished.add(mark);
    const [oldest] = this.#finished;
    if (this.#finished.size > FINISHED_LIMIT && oldest !== undefined) this.#finished.delete(oldest);
  }

  /** Forget one who left, or begins to count anew. */
  handleLeft(author: ParticipantId): void {
    this.#pointers.delete(author);
    this.#newest.delete(author);
    for (const [mark, stroke] of this.#strokes) if (stroke.author === author) this.#strokes.delete(mark);
  }

  pointers(now: number): LivePointer[] {
    for (const [author, pointer] of this.#pointers) {
      if (now - pointer.heardAt > POINTER_SILENCE_MS) this.#pointers.delete(author);
    }
    return [...this.#pointers.values()];
  }

  strokes(now: number): LiveStroke[] {
    for (const [mark, stroke] of this.#strokes) {
      const isGivenUp = stroke.leftAt !== null && now - stroke.leftAt > GIVEN_UP_MS;
      if (isGivenUp || now - stroke.heardAt > STROKE_SILENCE_MS) this.#strokes.delete(mark);
    }
    return [...this.#strokes.values()];
  }

  #movePointer(author: ParticipantId, anchor: Anchor, point: Point, ghost: boolean, now: number): void {
    const known = this.#pointers.get(author);
    const goesOn = known !== undefined && sheetOf(known.anchor) === sheetOf(anchor) && known.ghost === ghost;
    const trail = goesOn && !ghost ? known.trail : [];
    const fresh = trail.filter((past) => now - past.at <= TRAIL_MS);
    this.#pointers.set(author, { author, anchor, ghost, trail: [...fresh, { at: now, point }], heardAt: now });
  }
}
