/**
 * The notes of a room's log: instructions with their answers, talk, stills, files, pages of the whiteboard,
 * calibrations. The twin of `annotation/notebook.py`: each shelf is bounded by the same count, and lets go of the same.
 */
import type { FileFacts, LoggedOperation, Operation, Point, Reaction, StillFacts, VideoAnchor } from '../signalling/marks';
import type { ParticipantId, ProducerId } from '../signalling/protocol';

/** Who wrote an entry, and when (Unix ms by the server's clock). */
export interface Signed {
  sequence: number;
  time: number;
  author: ParticipantId;
  name: string;
  colour: string;
}

export interface Instruction extends Signed {
  instruction: string;
  /** What people call it: given once, by the server. */
  number: number;
  text: string;
  mark: string | null;
  spoken: boolean;
  /** The oldest first. */
  answers: (Signed & { answer: Reaction })[];
  withdrawn: Signed | null;
}

export type Saying = Signed & { text: string };
export type Still = Signed & StillFacts;
/** `name` is who sent it; the file's own stands in `shared`. */
export type SharedFile = Signed & { shared: FileFacts };
export type Board = Signed & { board: number; title: string };
export type Calibration = Signed & { anchor: VideoAnchor; points: Point[]; millimetres: number };

const LIMITS = { instructions: 600, chat: 500, stills: 200, files: 200, boards: 100, calibrations: 64 } as const;
export type Shelf = keyof typeof LIMITS;
export const SHELVES = Object.keys(LIMITS) as readonly Shelf[];

/** Where a note goes, and what it takes the place of; null: it is no note. */
function placeOf(operation: Operation, sequence: number): [Shelf, number] | null {
  switch (operation.kind) {
    case 'instruct':
    case 'answer':
    case 'withdraw':
      return ['instructions', sequence];
    case 'say':
      return ['chat', sequence];
    case 'still':
      return ['stills', sequence];
    case 'file':
      return ['files', sequence];
    case 'page':
      return ['boards', operation.board];
    case 'calibrate':
      return ['calibrations', operation.anchor.producer];
    default:
      return null;
  }
}

export function isNote(operation: Operation): boolean {
  return placeOf(operation, 0) !== null;
}

export class Notebook {
  readonly #shelves = new Map<Shelf, Map<number, LoggedOperation>>(SHELVES.map((shelf) => [shelf, new Map()]));
  /** Instructions that are open. */
  readonly #waiting = new Set<string>();
  /** Of instructions in recordings from before they were numbered: counted as they come, by sequence. */
  readonly #counted = new Map<number, number>();

  /** Add the next entry; false: it is no note. */
  record(logged: LoggedOperation): boolean {
    const { operation, sequence } = logged;
    const place = placeOf(operation, sequence);
    if (place === null) return false;
    const [shelf, key] = place;
    const entries = this.#of(shelf);
    entries.delete(key);
    if (operation.kind === 'calibrate' && operation.millimetres === null) return true;
    entries.set(key, logged);
    if (operation.kind === 'instruct' && operation.number === undefined) this.#counted.set(sequence, this.#counted.size + 1);
    if (operation.kind === 'instruct') this.#waiting.add(operation.instruction);
    else if (operation.kind === 'withdraw' || (operation.kind === 'answer' && operation.answer !== 'seen')) this.#waiting.delete(operation.instruction);
    const oldest = entries.size > LIMITS[shelf] ? this.#oldest(entries) : undefined;
    if (oldest !== undefined) entries.delete(oldest);
    return true;
  }

  entries(shelf: Shelf): LoggedOperation[] {
    return [...this.#of(shelf).values()];
  }

  get instructions(): Instruction[] {
    const found = new Map<string, Instruction>();
    for (const logged of this.entries('instructions')) {
      const { operation } = logged;
      if (operation.kind === 'instruct') {
        const { instruction, text, mark, spoken, number = this.#counted.get(logged.sequence) ?? 0 } = operation;
        found.set(instruction, { ...signed(logged), instruction, number, text, mark, spoken, answers: [], withdrawn: null });
      } else if (operation.kind === 'answer') {
        found.get(operation.instruction)?.answers.push({ ...signed(logged), answer: operation.answer });
      } else if (operation.kind === 'withdraw') {
        const instruction = found.get(operation.instruction);
        if (instruction !== undefined) instruction.withdrawn = signed(logged);
      }
    }
    return [...found.values()];
  }

  get chat(): Saying[] {
    return this.entries('chat').flatMap((logged) =>
      logged.operation.kind === 'say' ? [{ ...signed(logged), text: logged.operation.text }] : [],
    );
  }

  get stills(): Still[] {
    return this.entries('stills').flatMap((logged) =>
      logged.operation.kind === 'still' ? [{ ...signed(logged), ...logged.operation.still }] : [],
    );
  }

  get files(): SharedFile[] {
    return this.entries('files').flatMap((logged) =>
      logged.operation.kind === 'file' ? [{ ...signed(logged), shared: logged.operation.file }] : [],
    );
  }

  /** By number. */
  get boards(): Board[] {
    const boards = this.entries('boards').flatMap((logged) =>
      logged.operation.kind === 'page' ? [{ ...signed(logged), board: logged.operation.board, title: logged.operation.title }] : [],
    );
    return boards.sort((a, b) => a.board - b.board);
  }

  get calibrations(): ReadonlyMap<ProducerId, Calibration> {
    const found = new Map<ProducerId, Calibration>();
    for (const logged of this.entries('calibrations')) {
      const { operation } = logged;
      if (operation.kind !== 'calibrate' || operation.millimetres === null) continue;
      const { anchor, points, millimetres } = operation;
      found.set(anchor.producer, { ...signed(logged), anchor, points, millimetres });
    }
    return found;
  }

  /** What goes first: no instruction that waits for an answer, nor what was answered to it so far. */
  #oldest(entries: ReadonlyMap<number, LoggedOperation>): number | undefined {
    for (const [key, { operation }] of entries) if (!('instruction' in operation && this.#waiting.has(operation.instruction))) return key;
    return entries.keys().next().value;
  }

  #of(shelf: Shelf): Map<number, LoggedOperation> {
    return this.#shelves.get(shelf) ?? new Map();
  }
}

function signed({ sequence, time, author, name, colour }: LoggedOperation): Signed {
  return { sequence, time, author, name, colour };
}
