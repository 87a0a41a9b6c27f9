/**
 * What one movement of the hand was in the log: a selection that is moved or restyled together is an edit of each mark,
 * and one undo is to take all of them back. The server undoes an operation at a time; here it is counted how often to ask.
 */
import type { LoggedOperation, ParticipantId } from '../signalling/protocol';

export class Steps {
  /** Which movement an edit of one's own was of, by its number in the log. */
  #movements = new Map<number, number>();
  #movement = 0;
  #isOpen = false;

  /** Begin an edit: those of one turn are of one movement. Returns what to call when the edit has its number. */
  begin(): (sequence: number) => void {
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#movement += 1;
      queueMicrotask(() => (this.#isOpen = false));
    }
    const movement = this.#movement;
    return (sequence) => this.#movements.set(sequence, movement);
  }

  /** Count how many of the log's operations the next undo or redo is to take; `isThere`: the mark is visible. */
  size(kind: 'undo' | 'redo', log: Iterable<LoggedOperation>, self: ParticipantId, isThere: (mark: string) => boolean): number {
    const numbers = (kind === 'undo' ? standing : redoable)(log, self, isThere);
    const movement = this.#movements.get(numbers.at(-1) ?? 0);
    if (movement === undefined) return 1;
    return numbers.length - 1 - numbers.findLastIndex((number) => this.#movements.get(number) !== movement);
  }
}

/** One's own operations that an undo can act on, the oldest first: not on marks that others wiped away. */
function standing(log: Iterable<LoggedOperation>, self: ParticipantId, isThere: (mark: string) => boolean): number[] {
  const numbers: number[] = [];
  for (const [number, { operation }] of own(log, self)) {
    if (operation.kind === 'undo') remove(numbers, operation.target);
    else if (operation.kind === 'redo') numbers.push(operation.target ?? 0);
    else if (operation.kind !== 'edit' || isThere(operation.mark.mark)) numbers.push(number);
  }
  return numbers.sort((one, other) => one - other);
}

/** One's own operations that a redo can bring back, the newest undone last. */
function redoable(log: Iterable<LoggedOperation>, self: ParticipantId): number[] {
  const numbers: number[] = [];
  for (const [, { operation }] of own(log, self)) {
    if (operation.kind === 'undo') numbers.push(operation.target ?? 0);
    else if (operation.kind === 'redo') remove(numbers, operation.target);
    else numbers.length = 0;
  }
  return numbers;
}

function* own(log: Iterable<LoggedOperation>, self: ParticipantId): Iterable<[number, LoggedOperation]> {
  for (const logged of log) if (logged.author === self) yield [logged.sequence, logged];
}

function remove(numbers: number[], number: number | undefined): void {
  const at = numbers.indexOf(number ?? 0);
  if (at >= 0) numbers.splice(at, 1);
}
