/** What the overlays of the live room draw: the mark log, strokes in progress, laser pointers, one's own pen. */
import type { PaintedPointer } from '../annotation/paint';
import type { LivePointer, LiveStroke } from '../annotation/ephemeral';
import { rtpDifference } from '../media/rtp';
import { isLive } from '../signalling/marks';
import type { Mark, ProducerId } from '../signalling/protocol';
import type { Session } from '../session';
import type { OverlayMark, OverlaySource } from './overlay_source';

const TRAIL_MS = 350;

export class LiveOverlay implements OverlaySource {
  /** The mark of a stroke, the same object as long as no point comes: its outline is kept by it. */
  readonly #strokeMarks = new WeakMap<LiveStroke, Mark>();

  constructor(private readonly session: Session) {}

  marks(producer: ProducerId, now: number): OverlayMark[] {
    const { replica, ephemeral, tools, self, room } = this.session;
    const marks: OverlayMark[] = [];
    const since = room.producers.get(producer)?.since ?? null;
    for (const { mark, author, name, colour, sequence } of replica.visible) {
      if (!isLive(mark.anchor, producer)) continue;
      const outdated = since !== null && rtpDifference(mark.anchor.rtp_timestamp, since) < 0;
      marks.push({ mark, author, name, colour, draft: sequence === null, outdated });
    }
    for (const stroke of ephemeral.strokes(now)) {
      const author = room.participants.get(stroke.author);
      if (!isLive(stroke.anchor, producer) || author === undefined || stroke.author === self?.participant) continue;
      const { name, colour } = author;
      marks.push({ mark: this.#markOf(stroke), author: stroke.author, name, colour, draft: true });
    }
    const mine = tools.inProgress;
    if (mine !== null && self !== null && isLive(mine.anchor, producer)) {
      marks.push({ mark: { ...mine }, author: self.participant, name: self.name, colour: self.colour, draft: true });
    }
    for (const mark of self === null ? [] : tools.waiting) {
      if (!isLive(mark.anchor, producer) || self === null) continue;
      marks.push({ mark, author: self.participant, name: self.name, colour: self.colour, draft: true });
    }
    return marks;
  }

  pointers(producer: ProducerId, now: number): PaintedPointer[] {
    const { ephemeral, room, tools, self } = this.session;
    const painted: PaintedPointer[] = [];
    for (const pointer of ephemeral.pointers(now)) {
      const author = room.participants.get(pointer.author);
      if (author === undefined || !isLive(pointer.anchor, producer) || pointer.author === self?.participant) continue;
      painted.push({ colour: author.colour, name: author.name, trail: fading(pointer, now) });
    }
    const mine = tools.pointing;
    if (mine !== null && self !== null && isLive(mine.anchor, producer)) {
      painted.push({ colour: self.colour, name: self.name, trail: [{ point: mine.point, age: 0 }] });
    }
    return painted;
  }

  onChanged(listener: () => void): () => void {
    // of the room: whether a picture was interrupted
    const ends = [this.session.on('marks', listener), this.session.on('room', listener)];
    return () => ends.forEach((end) => end());
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
