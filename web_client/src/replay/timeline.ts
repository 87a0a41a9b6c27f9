/**
 * What is seen at each moment of a recording. Positions are seconds after its start.
 *
 * A mark appears with the frame that it was drawn on, not when its stroke was finished: its `add` counts from
 * the position of its anchor. Everything else counts from when the server decided it.
 */
import { digest } from '../annotation/digest';
import { visibleMarks, type VisibleMark } from '../annotation/document';
import { Notebook, isNote } from '../annotation/notebook';
import { ticksBetween } from '../media/rtp';
import { isLive, isVideo, type StillFacts, type Track } from '../signalling/marks';
import type { Anchor, LoggedOperation, ParticipantId, Point, ProducerId } from '../signalling/protocol';
import type { Camera, Description, RecordedPointer } from './description';

/** A mark on a still is shown with its frame, and no longer than one lasts at 25 a second. */
const STILL_S = 0.04;
/** Containers round times to a millisecond at worst (Matroska): half of it in either direction. */
const ROUNDING_S = 0.001;
const POINTER_SILENCE_S = 1;
const TRAIL_S = 0.35;
/** So long after the telling a mark that follows and has no track was believed (`UNSEEN_MS`). */
const UNSEEN_S = 0.2;
/** A good mark is told of every 300 ms; 200 ms later a page that was there had greyed it. */
const SILENCE_S = 0.5;

export interface ReplayPointer {
  author: ParticipantId;
  /** The newest last; `age` in seconds. */
  trail: { point: Point; age: number }[];
}

/**
 * The media time of a frame in its camera's file; negative before its first frame. `near` is the position (seconds after the
 * recording's start) at which the frame was spoken of, within hours: timestamps come round in a long operation.
 */
export function mediaTime(camera: Camera, rtpTimestamp: number, near: number): number {
  return ticksBetween(rtpTimestamp, camera.first_rtp_timestamp, near - camera.offset, camera.clock_rate) / camera.clock_rate;
}

/** The RTP timestamp of the frame at this media time. */
export function rtpTimestampAt(camera: Camera, seconds: number): number {
  return (camera.first_rtp_timestamp + Math.round(seconds * camera.clock_rate)) >>> 0;
}

/** What is said of a mark's tissue on the glass. */
export type MovedState = Track['state'] | 'pending';

interface TimedTrack {
  from: number;
  sequence: number;
  track: Track;
}

interface Timed {
  from: number;
  logged: LoggedOperation;
}

export class Timeline {
  /** On marks, by sequence. */
  readonly #operations: Timed[];
  readonly #notes: Timed[] = [];
  /** Of each mark, by time. */
  readonly #tracks = new Map<string, TimedTrack[]>();
  /** When frames were frozen: marks on them come whenever they like. */
  readonly #frozen = new Map<string, number>();
  readonly #turns: number[];
  readonly #pointers: RecordedPointer[];
  readonly #cameras: ReadonlyMap<ProducerId, Camera>;
  #shown: { turn: number; marks: VisibleMark[] } = { turn: -1, marks: [] };
  #read: { count: number; notebook: Notebook } = { count: 0, notebook: new Notebook() };

  readonly #end: number;

  constructor(description: Description) {
    this.#end = description.seconds;
    this.#cameras = new Map(description.cameras.map((camera) => [camera.producer, camera]));
    const marks: Timed[] = [];
    for (const { at, operation } of description.operations) {
      // of a frame that was frozen twice the first time is the nearest to it
      if (operation.kind === 'still') this.#frozen.set(frameOf(operation.still), Math.min(at, this.#frozen.get(frameOf(operation.still)) ?? at));
    }
    for (const { at, ...operation } of description.operations) {
      const logged = { ...operation, time: description.started + at * 1000 };
      const { operation: what, sequence } = logged;
      if (what.kind === 'track') {
        const from = this.#appearance(what.anchor, at);
        for (const track of what.tracks) this.#tracksOf(track.mark).push({ from, sequence, track });
      } else if (isNote(what)) {
        this.#notes.push({ from: at, logged });
      } else {
        marks.push({ from: what.kind === 'add' ? this.#appearance(what.mark.anchor, at) : at, logged });
      }
    }
    this.#operations = marks.sort((a, b) => a.logged.sequence - b.logged.sequence);
    this.#notes.sort((a, b) => a.logged.sequence - b.logged.sequence);
    for (const tracks of this.#tracks.values()) tracks.sort((a, b) => a.sequence - b.sequence);
    this.#turns = [...new Set(this.#operations.map(({ from }) => from))].sort((a, b) => a - b);
    this.#pointers = [...description.pointers].sort((a, b) => a.at - b.at);
  }

  /** Marks to be shown at a position. */
  marksAt(position: number): VisibleMark[] {
    const turn = countUpTo(this.#turns, position + ROUNDING_S);
    if (turn !== this.#shown.turn) {
      const until = this.#turns[turn - 1] ?? -Infinity;
      const done = this.#operations.filter(({ from }) => from <= until).map(({ logged }) => [logged.sequence, logged] as const);
      this.#shown = { turn, marks: visibleMarks(new Map(done)) };
    }
    return this.#shown.marks;
  }

  /** Whether a position is the moment of the still that a mark is on. */
  isAtStill({ mark: { anchor } }: VisibleMark, producer: ProducerId, position: number): boolean {
    if (!isVideo(anchor) || anchor.still !== true || anchor.producer !== producer) return false;
    return Math.abs(position - this.#appearance(anchor, Infinity)) <= STILL_S;
  }

  /** Where a mark's tissue was last seen at a position; null: nobody looked, or the mark was moved since. */
  trackAt(mark: string, position: number): Track | null {
    const visible = this.marksAt(position).find((one) => one.mark.mark === mark);
    return visible === undefined ? null : (this.#trackOf(visible, position)?.track ?? null);
  }

  /**
   * Where a mark was seen to have gone by this position, and whether that was to be believed, as on a page that was there;
   * null: where it was drawn. `decided`: the position at which it was put there.
   */
  movedAt(visible: VisibleMark, position: number, decided: number): { matrix: Track['matrix'] | null; state: MovedState } | null {
    const follows = visible.mark.follow === true;
    const newest = this.#trackOf(visible, position);
    if (newest !== null) {
      const silent = follows && newest.track.state === 'good' && position - newest.from > SILENCE_S;
      return { matrix: newest.track.matrix, state: silent ? 'stale' : newest.track.state };
    }
    const isMoved = visible.changed > (visible.sequence ?? Infinity) && (follows || this.#newest(visible.mark.mark, position) !== undefined);
    if (isMoved) return { matrix: null, state: 'pending' };
    // nobody had looked yet: what was drawn just now was right
    return follows ? { matrix: null, state: position - decided > UNSEEN_S ? 'stale' : 'good' } : null;
  }

  #newest(mark: string, position: number): TimedTrack | undefined {
    const tracks = this.#tracks.get(mark) ?? [];
    return tracks[countUpTo(tracks, position + ROUNDING_S, ({ from }) => from) - 1];
  }

  #trackOf({ mark, changed }: VisibleMark, position: number): TimedTrack | null {
    const newest = this.#newest(mark.mark, position);
    return newest !== undefined && newest.sequence > changed ? newest : null;
  }

  /** What is known of a frozen frame; null: it was not frozen for all. */
  stillOf(producer: ProducerId, rtpTimestamp: number): StillFacts | null {
    for (const { logged: { operation } } of this.#notes) {
      if (operation.kind === 'still' && frameOf(operation.still) === frameOf({ producer, rtp_timestamp: rtpTimestamp })) return operation.still;
    }
    return null;
  }

  /** What was written up to a position. */
  notesAt(position: number): Notebook {
    const count = countUpTo(this.#notes, position + ROUNDING_S, ({ from }) => from);
    if (count < this.#read.count) this.#read = { count: 0, notebook: new Notebook() };
    for (const { logged } of this.#notes.slice(this.#read.count, count)) this.#read.notebook.record(logged);
    this.#read.count = count;
    return this.#read.notebook;
  }

  /** The hash of what is shown at a position: at its end that of the room when it was recorded. */
  digestAt(position: number): Promise<string> {
    return digest(this.marksAt(position), ({ mark }) => this.trackAt(mark.mark, position), this.notesAt(position));
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

  #tracksOf(mark: string): TimedTrack[] {
    const known = this.#tracks.get(mark) ?? [];
    this.#tracks.set(mark, known);
    return known;
  }

  /** Where on the time line the frame of an anchor stands. */
  #appearance(anchor: Anchor, decidedAt: number): number {
    const camera = isVideo(anchor) ? this.#cameras.get(anchor.producer) : undefined;
    if (!isVideo(anchor) || camera === undefined) return decidedAt;
    // a mark older than the recording is there from the beginning
    const near = anchor.still === true ? this.#frozen.get(frameOf(anchor)) : undefined;
    const from = camera.offset + mediaTime(camera, anchor.rtp_timestamp, near ?? Math.min(decidedAt, this.#end));
    return Math.min(decidedAt, Math.max(0, from));
  }
}

function frameOf({ producer, rtp_timestamp }: { producer: ProducerId; rtp_timestamp: number }): string {
  return `${producer}-${rtp_timestamp}`;
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
