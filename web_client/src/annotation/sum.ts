/** What a row of decided operations on marks adds up to: counted anew from all of them, as PROTOCOL.md says it. */
import { editedBy, isVideo, surfaceOf } from '../signalling/marks';
import type { Anchor, LoggedOperation, Mark, ParticipantId } from '../signalling/protocol';
import { sheetOf } from './sheet';

export interface VisibleMark {
  /** As it looks now. */
  mark: Mark;
  author: ParticipantId;
  name: string;
  colour: string;
  /** Of its add. Null while the server has not numbered it, or its newest edit. */
  sequence: number | null;
  /** Of its add, Unix ms by the server's clock; null while pending. */
  time: number | null;
  /** When its anchor was told, Unix ms by the server's clock: its frame is of about then. Null while pending. */
  anchored: number | null;
  /** The number of what last moved it: an older track is not of where it is. */
  changed: number;
}

interface Drawn extends VisibleMark {
  sequence: number;
  isDeleted: boolean;
  /** What it looked like at first, and each edit of it. */
  looks: Look[];
}

interface Look {
  sequence: number;
  mark: Mark;
  /** When its anchor was told. */
  anchored: number;
  stands: boolean;
}

/** Whether two looks of a mark lie on the same tissue, and follow it alike: the twin of `Mark.tissue` in Python. */
export function isSameTissue(one: Mark, other: Mark): boolean {
  if (!isSameFrame(one.anchor, other.anchor) || (one.follow === true) !== (other.follow === true)) return false;
  // an arrow points with its head
  const [points, others] = one.shape === 'arrow' ? [one.points.slice(-1), other.points.slice(-1)] : [one.points, other.points];
  return points.length === others.length && points.every(([x, y], index) => x === others[index]?.[0] && y === others[index]?.[1]);
}

function isSameFrame(one: Anchor, other: Anchor): boolean {
  if (!isVideo(one) || !isVideo(other)) return sheetOf(one) === sheetOf(other);
  return one.producer === other.producer && one.rtp_timestamp === other.rtp_timestamp && (one.still === true) === (other.still === true);
}

/** Which operations are undone: both `undo` and `redo` bear the number of what was once done. */
function undoneBy(operations: ReadonlyMap<number, LoggedOperation>): Set<number> {
  const undone = new Set<number>();
  for (const { operation } of operations.values()) {
    if (operation.kind === 'undo' && operation.target !== undefined) undone.add(operation.target);
    if (operation.kind === 'redo' && operation.target !== undefined) undone.delete(operation.target);
  }
  return undone;
}

/** Show a mark as its newest edit that stands at this number of the log. */
function look(drawn: Drawn, sequence: number): void {
  const now = drawn.looks.findLast(({ stands }) => stands);
  if (now === undefined) return;
  if (!isSameTissue(drawn.mark, now.mark)) drawn.changed = sequence;
  drawn.mark = now.mark;
  drawn.anchored = now.anchored;
}

/**
 * What a log shows, the oldest first: adds that stand, are not cleared by a later clear that stands, and not named by
 * a delete that stands. Each looks as its newest edit that stands. `operations` are in the order of their numbers.
 */
export function visibleMarks(operations: ReadonlyMap<number, LoggedOperation>): VisibleMark[] {
  const undone = undoneBy(operations);
  const marks: Drawn[] = [];
  const named = new Map<string, Drawn>();
  const clears = new Map<string, number>();
  for (const { operation, sequence, author, name, colour, time } of operations.values()) {
    const stands = !undone.has(sequence);
    if (operation.kind === 'add') {
      const { mark } = operation;
      const looks = [{ sequence, mark, anchored: time, stands: true }];
      const drawn = { mark, author, name, colour, sequence, time, anchored: time, changed: sequence, isDeleted: !stands, looks };
      marks.push(drawn);
      named.set(mark.mark, drawn);
    } else if (operation.kind === 'edit') {
      for (const mark of editedBy(operation)) {
        const drawn = named.get(mark.mark);
        if (drawn === undefined) continue;
        const anchored = isSameFrame(drawn.mark.anchor, mark.anchor) ? (drawn.anchored ?? time) : time;
        drawn.looks.push({ sequence, mark, anchored, stands: true });
        look(drawn, sequence);
      }
    } else if (operation.kind === 'delete') {
      for (const mark of stands ? operation.marks : []) {
        const drawn = named.get(mark);
        if (drawn !== undefined) drawn.isDeleted = true;
      }
    } else if (operation.kind === 'clear_field' || operation.kind === 'clear_own') {
      const surface = operation.of ?? 'field';
      if (stands) clears.set(operation.kind === 'clear_own' ? `${surface} ${author}` : surface, sequence);
    } else if (operation.kind === 'undo' || operation.kind === 'redo') {
      const toggled = operations.get(operation.target ?? 0)?.operation;
      for (const { mark } of toggled?.kind === 'edit' ? editedBy(toggled) : []) {
        const drawn = named.get(mark);
        const edit = drawn?.looks.find((one) => one.sequence === operation.target);
        if (drawn === undefined || edit === undefined) continue;
        edit.stands = operation.kind === 'redo';
        look(drawn, sequence);
      }
    }
  }
  return marks.filter((drawn) => {
    const surface = surfaceOf(drawn.mark.anchor);
    const cleared = Math.max(clears.get(surface) ?? 0, clears.get(`${surface} ${drawn.author}`) ?? 0);
    return !drawn.isDeleted && drawn.sequence > cleared;
  });
}
