/**
 * Instructions with acknowledgement (PROTOCOL.md §10): what an expert asks for, what the surgeon answers, and when.
 *
 * They are notes of the room's one log; what each has come to follows from the log alone, so that everybody sees the same.
 */
import type { Instruction } from './annotation/notebook';
import type { Replica } from './annotation/document';
import type { ClientOperation, Mark, Reaction } from './signalling/marks';
import type { ParticipantId } from './signalling/protocol';
import type { Room } from './signalling/room';

export type InstructionState = 'sent' | 'seen' | 'done' | 'no' | 'withdrawn';

export interface InstructionView {
  instruction: string;
  /** What the surgeon says aloud means the same as long as the room lasts, and in its recording. */
  number: number;
  text: string;
  mark: string | null;
  spoken: boolean;
  author: string;
  name: string;
  colour: string;
  state: InstructionState;
  /** Unix ms by the server's clock. */
  sent: number;
  /** ms from the asking to the first sign of having been seen; null: not yet. */
  seenAfter: number | null;
  /** ms from the asking to done, no or the withdrawal; null: it is open. */
  closedAfter: number | null;
  /** Who answered last. */
  answeredBy: string | null;
}

/** Unanswered for so long, it is emphasised at its author's. */
export const OVERDUE_MS = 10_000;
/** What was closed stays in sight for so long. */
export const LINGER_MS = 8000;

/** What an instruction has come to: the twin of `annotation/instructions.py`. */
export function viewOf(given: Instruction): InstructionView {
  const { instruction, number, text, mark, spoken, author, name, colour, time } = given;
  const view: InstructionView = {
    instruction, number, text, mark, spoken, author, name, colour, state: 'sent', sent: time, seenAfter: null, closedAfter: null, answeredBy: null,
  };
  const deeds = [
    ...given.answers.map((answer) => ({ at: answer, state: answer.answer as InstructionState })),
    ...(given.withdrawn === null ? [] : [{ at: given.withdrawn, state: 'withdrawn' as const }]),
  ].sort((a, b) => a.at.sequence - b.at.sequence);
  for (const { at, state } of deeds) {
    if (view.closedAfter !== null) break;
    if (state === 'seen' && view.state !== 'sent') continue;
    view.state = state;
    if (state !== 'withdrawn') {
      view.seenAfter ??= at.time - time;
      view.answeredBy = at.name;
    }
    if (state !== 'seen') view.closedAfter = at.time - time;
  }
  return view;
}

export function isOpen({ state }: InstructionView): boolean {
  return state === 'sent' || state === 'seen';
}

/** Those that still ask for something: first what was not answered at all, of each the oldest first. */
export function openFirst(views: readonly InstructionView[]): InstructionView[] {
  const open = views.filter(isOpen);
  return [...open.filter(({ state }) => state === 'sent'), ...open.filter(({ state }) => state === 'seen')];
}

/** What was closed a moment ago; `now` by the server's clock. */
export function lingering(views: readonly InstructionView[], now: number): InstructionView[] {
  return views.filter(({ sent, closedAfter }) => closedAfter !== null && now - sent - closedAfter < LINGER_MS);
}

/**
 * Which one a key answers: seen the oldest that was not; done and no the oldest that was seen, since that is what is being
 * attended to, and only else the oldest of all.
 */
export function keyedBy(answer: Reaction, open: readonly InstructionView[]): InstructionView | null {
  const unseen = open.find(({ state }) => state === 'sent') ?? null;
  if (answer === 'seen') return unseen;
  return open.find(({ state }) => state === 'seen') ?? unseen;
}

export function isOverdue({ state, sent }: InstructionView, now: number): boolean {
  return state === 'sent' && now - sent >= OVERDUE_MS;
}

/** Whoever says "clip here" means a mark of a moment ago, or none. */
export const FRESH_MS = 60_000;

/** A mark as it is drawn on the live field. */
export interface DrawnOnField {
  mark: Mark;
  author: ParticipantId;
  outdated?: boolean;
  state?: string | undefined;
  /** When it was put there, Unix ms by the server's clock; null: just now. */
  since: number | null;
}

/** One's own newest mark on the live field that stands where it should and is not old: what an instruction means by itself. */
export function freshMark(drawn: readonly DrawnOnField[], self: ParticipantId | null, now: number): Mark | null {
  const right = drawn.filter(
    ({ author, outdated, state, since }) =>
      author === self && outdated !== true && (state === undefined || state === 'good') && (since === null || now - since < FRESH_MS),
  );
  return right.at(-1)?.mark ?? null;
}

export class Guidance {
  #views: InstructionView[] | null = null;
  #count = 0;

  constructor(
    private readonly room: Room,
    private readonly replica: Replica,
    /** False: it was refused, which has been announced. */
    private readonly operate: (operation: ClientOperation) => Promise<boolean>,
    /** What makes this page's identifiers its own. */
    private readonly prefix: () => string,
  ) {
    replica.on('changed', () => (this.#views = null));
  }

  /** All that are known, the oldest first. */
  get instructions(): InstructionView[] {
    this.#views ??= this.replica.instructions.map(viewOf);
    return this.#views;
  }

  get open(): InstructionView[] {
    return openFirst(this.instructions);
  }

  /** The surgeon, and who shows the field. */
  get mayAnswer(): boolean {
    const { room } = this;
    const shows = [...room.producers.values()].some(({ source, producer }) => source === 'field' && room.isOwn(producer));
    return shows || room.may('answer');
  }

  instruct(text: string, mark: string | null, spoken: boolean): Promise<boolean> {
    this.#count += 1;
    const instruction = `i-${this.prefix()}-${this.#count}`;
    return this.operate({ kind: 'instruct', instruction, text: text.trim().slice(0, TEXT_LIMIT), mark, spoken });
  }

  answer(instruction: string, answer: Reaction): Promise<boolean> {
    return this.operate({ kind: 'answer', instruction, answer });
  }

  /** Answer the one that the key means; false: there is none. */
  answerFirst(answer: Reaction): boolean {
    const first = keyedBy(answer, this.open);
    if (first === null || !this.mayAnswer) return false;
    void this.answer(first.instruction, answer);
    return true;
  }

  withdraw(instruction: string): Promise<boolean> {
    return this.operate({ kind: 'withdraw', instruction });
  }
}

export const TEXT_LIMIT = 200;
