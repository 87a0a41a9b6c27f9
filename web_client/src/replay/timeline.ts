/**
 * What is seen at each moment of a recording. Positions are seconds after its start.
 *
 * A mark appears with the frame that it was drawn on, not when its stroke was finished: its `add` counts from
 * the position of its anchor. Everything else counts from when the server decided it.
 */
import { visibleMarks, type VisibleMark } from '../annotation/document';
import { rtpDifference } from '../media/rtp';
import { isLive, isVideo } from '../signalling/marks';
import type { Anchor, LoggedOperation, ParticipantId, Point, ProducerId } from '../signalling/protocol';
import type { Camera, Description, RecordedPointer } from './description';

/** Containers round times to a millisecond at worst (Matroska): half of it in either direction. */
const ROUNDING_S = 0.001;
const POINTER_SILENCE_S = 1;
const TRAIL_S = 0.35;

export interface ReplayPointer {
  author: ParticipantId;
  /** The newest last; `age` in seconds. */
  trail: { point: Point; age: number }[];
}

/** The media time of a frame in its camera's file; negative before its first frame. */
export function mediaTime(camera: Camera, rtpTimestamp: number): number {
  return rtpDifference(rtpTimestamp, camera.first_rtp_timestamp) / camera.clock_rate;
}

/** The RTP timestamp of the frame at this media time. */
export function rtpTimestampAt(camera: Camera, seconds: number): number {
  return (camera.first_rtp_timestamp + Math.round(seconds * camera.clock_rate)) >>> 0;
}

export class Timeline {
  readonly #operations: { from: number; logged: LoggedOperation }[];
  readonly #turns: number[];
  readonly #pointers: RecordedPointer[];
  readonly #cameras: ReadonlyMap<ProducerId, Camera>;
  #shown: { turn: number; marks: VisibleMark[] } = { turn: -1, marks: [] };

  constructor(description: Description) {
    this.#cameras = new Map(description.cameras.map((camera) => [camera.producer, camera]));
    this.#operations = description.operations.map(({ at, ...operation }) => ({
      from: operation.operation.kind === 'add' ? this.#appearance(operation.operation.mark.anchor, at) : at,
      logged: { ...operation, time: description.started + at * 1000 },
    }));
    this.#turns = [...new Set(this.#operations.map(({ from }) => from))].sort((a, b) => a - b);
    this.#pointers = [...description.pointers].sort((a, b) => a.at - b.at);
  }

  /** Marks to be shown at a position. */
  marksAt(position: number): VisibleMark[] {
    const turn = countUpTo(this.#turns, position + ROUNDING_S);
    if (turn !== this.#shown.turn) {
      const until = this.#turns[turn - 1] ?? -Infinity;
      const done = this.#operations.filter(({ from }) => from <= until).map(({ logged }) => [logged.sequence, logged] as const);
      this.#shown = { turn, marks: visibleMarks(new Map(done.sort((a, b) => a[0] - b[0]))) };
    }
    return this.#shown.marks;
  }

  /** Laser pointers on one camera, with the trail of the last moments. */
  pointersAt(producer: ProducerId, position: number): ReplayPointer[] {
    const until = countUpTo(this.#pointers, position, ({ at }) => at);
    const byAuthor = new Map<ParticipantId, RecordedPointer[]>();
    for (let i = until - 1; i >= 0; i -= 1) {
      const pointer = this.#pointers[i];
      if (pointer === undefined || position - pointer.at > POINTER_SILENCE_S) break;
      byAuthor.set(pointer.author, [pointer, ...(byAuthor.get(pointer.author) ?? [])]);
    }
    return [...byAuthor].flatMap(([author, past]) => {
      const newest = past.at(-1);
      if (newest === undefined || !isOn(newest.anchor, producer)) return [];
      const trail = past.flatMap(({ at, anchor, point }) =>
        isOn(anchor, producer) && point !== null && (position - at <= TRAIL_S || at === newest.at)
          ? [{ point, age: position - at }]
          : [],
      );
      return trail.length > 0 ? [{ author, trail }] : [];
    });
  }

  /** Where on the time line the frame of an anchor stands. */
  #appearance(anchor: Anchor, decidedAt: number): number {
    const camera = isVideo(anchor) ? this.#cameras.get(anchor.producer) : undefined;
    if (!isVideo(anchor) || camera === undefined) return decidedAt;
    // a mark older than the recording is there from the beginning
    return Math.min(decidedAt, Math.max(0, camera.offset + mediaTime(camera, anchor.rtp_timestamp)));
  }
}

function isOn(anchor: Anchor | null, producer: ProducerId): boolean {
  return anchor !== null && isLive(anchor, producer);
}

function countUpTo(sorted: readonly number[], limit: number): number;
function countUpTo<Item>(sorted: readonly Item[], limit: number, key: (item: Item) => number): number;
function countUpTo<Item>(sorted: readonly Item[], limit: number, key: (item: Item) => number = Number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(sorted[middle] as Item) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
