/**
 * The room's mark log as this participant holds it: the twin of `annotation/document.py`'s Replica.
 *
 * The server numbers every operation; a replica applies them in that order and nothing else decides what is
 * seen. One's own marks are shown at once as "pending" and lose that name when their number comes.
 */
import { Emitter } from '../emitter';
import type { LoggedOperation, Mark, MarksSnapshot, ParticipantId } from '../signalling/protocol';

export interface VisibleMark {
  mark: Mark;
  author: ParticipantId;
  name: string;
  colour: string;
  /** Null while the server has not numbered it. */
  sequence: number | null;
  /** Unix ms by the server's clock; null while pending. */
  time: number | null;
}

interface ReplicaEvents {
  changed: undefined;
  /** Numbers are missing: ask for all after this one, then `handleSnapshot`. */
  gap: { after: number };
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

/** What a log shows: adds that are neither undone nor cleared by a later clear that itself is not undone. */
export function visibleMarks(operations: ReadonlyMap<number, LoggedOperation>): VisibleMark[] {
  const undone = undoneBy(operations);
  const visible: VisibleMark[] = [];
  const clearedAuthors = new Set<ParticipantId>();
  for (const logged of [...operations.values()].reverse()) {
    const { operation, sequence, author, name, colour, time } = logged;
    if (undone.has(sequence)) continue;
    if (operation.kind === 'clear_field') break;
    if (operation.kind === 'clear_own') clearedAuthors.add(author);
    if (operation.kind === 'add' && !clearedAuthors.has(author)) {
      visible.push({ mark: operation.mark, author, name, colour, sequence, time });
    }
  }
  return visible.reverse();
}

/** So many operations later the server's compacted log is fetched in place of the one held. */
const COMPACT_AFTER = 5000;

export class Replica extends Emitter<ReplicaEvents> {
  /** By sequence, in its order. */
  #operations = new Map<number, LoggedOperation>();
  #early = new Map<number, LoggedOperation>();
  #pending = new Map<string, VisibleMark>();
  #sequence = 0;
  #compactAt = COMPACT_AFTER;
  #visible: VisibleMark[] | null = null;

  /** The number of the last operation applied. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Marks to be shown, the oldest first, one's own unconfirmed ones last. */
  get visible(): readonly VisibleMark[] {
    this.#visible ??= [...visibleMarks(this.#operations), ...this.#pending.values()];
    return this.#visible;
  }

  get pending(): readonly Mark[] {
    return [...this.#pending.values()].map((visible) => visible.mark);
  }

  /** Begin anew, as a new participant. */
  reset(): void {
    this.#pending.clear();
    this.#forget();
    this.#changed();
  }

  /** What the server says is lacking: from `welcome`, or the answer to `marks`. */
  handleSnapshot(snapshot: MarksSnapshot): void {
    // from the beginning, compacted: it replaces what is held
    if (snapshot.after === 0) this.#forget();
    for (const operation of snapshot.operations) {
      if (operation.sequence > this.#sequence && !this.#apply(operation)) return this.#askForAll();
    }
    this.#sequence = Math.max(this.#sequence, snapshot.sequence);
    this.#compactAt = this.#operations.size + COMPACT_AFTER;
    this.#applyEarly();
    this.#changed();
  }

  /** One `operation` notice. */
  handleOperation(operation: LoggedOperation): void {
    if (operation.sequence <= this.#sequence) return;
    if (operation.sequence > this.#sequence + 1) {
      this.#early.set(operation.sequence, operation);
      this.emit('gap', { after: this.#sequence });
      return;
    }
    if (!this.#apply(operation)) return this.#askForAll();
    this.#applyEarly();
    this.#changed();
    if (this.#operations.size > this.#compactAt) {
      this.#compactAt = this.#operations.size + COMPACT_AFTER;
      this.emit('gap', { after: 0 });
    }
  }

  /** Show one's own mark before the server has numbered it. */
  addPending(mark: Mark, author: ParticipantId, name: string, colour: string): void {
    this.#pending.set(mark.mark, { mark, author, name, colour, sequence: null, time: null });
    this.#changed();
  }

  /** The server refused the mark, or it was never sent. */
  removePending(mark: string): void {
    if (this.#pending.delete(mark)) this.#changed();
  }

  /** False where it acts on what is not held: then this copy is not whole. */
  #apply(logged: LoggedOperation): boolean {
    const { operation, sequence } = logged;
    if (operation.kind === 'undo' || operation.kind === 'redo') {
      if (operation.target === undefined || !this.#operations.has(operation.target)) return false;
    }
    this.#sequence = sequence;
    this.#operations.set(sequence, logged);
    if (operation.kind === 'add') this.#pending.delete(operation.mark.mark);
    return true;
  }

  #applyEarly(): void {
    for (const sequence of [...this.#early.keys()].sort((a, b) => a - b)) {
      if (sequence > this.#sequence + 1) break;
      const operation = this.#early.get(sequence);
      this.#early.delete(sequence);
      if (operation !== undefined && sequence > this.#sequence && !this.#apply(operation)) return this.#askForAll();
    }
  }

  #askForAll(): void {
    // what is known stays on the glass until the answer comes
    this.emit('gap', { after: 0 });
    this.#changed();
  }

  #forget(): void {
    this.#operations.clear();
    this.#early.clear();
    this.#sequence = 0;
  }

  #changed(): void {
    this.#visible = null;
    this.emit('changed', undefined);
  }
}
