/** What people write to each other, and which files came: lines in the order of the room's log, and which are new. */
import type { Saying, SharedFile } from './annotation/notebook';
import type { ParticipantId } from './signalling/protocol';

/** Characters of one message (PROTOCOL.md, section 4). */
export const SAY_LIMIT = 2000;

export type TalkLine = (Saying & { kind: 'say' }) | (SharedFile & { kind: 'file' });

/** Messages and files in one order, the oldest first. */
export function linesOf(chat: readonly Saying[], files: readonly SharedFile[]): TalkLine[] {
  const lines: TalkLine[] = [
    ...chat.map((saying) => ({ ...saying, kind: 'say' as const })),
    ...files.map((file) => ({ ...file, kind: 'file' as const })),
  ];
  return lines.sort((a, b) => a.sequence - b.sequence);
}

/**
 * A message as the server takes it: line breaks stay, other control characters and what turns the reading direction do
 * not, nor does white space around it. Empty: there is nothing to send.
 */
export function sayable(words: string): string {
  const lines = words.replace(/\r\n?/g, '\n').replace(/\t/g, ' ');
  const plain = lines.replace(/[\u2028\u2029]/g, '\n').replace(/[^\P{Cc}\n]|[\u202a-\u202e\u2066-\u2069]|\p{Cs}/gu, '');
  return [...plain.trim()].slice(0, SAY_LIMIT).join('');
}

/** How a message is told by the number of its characters, as the server counts them. */
export function lengthOf(words: string): number {
  return [...words].length;
}

/** Counts what others wrote since one last looked. */
export class Unread {
  #upTo = 0;

  /** All up to this number has been seen. */
  see(lines: readonly { sequence: number }[]): void {
    this.#upTo = Math.max(this.#upTo, lines.at(-1)?.sequence ?? 0);
  }

  /** A new stay in the room, whose log is counted anew. */
  reset(): void {
    this.#upTo = 0;
  }

  count(lines: readonly { sequence: number; author: ParticipantId }[], self: ParticipantId | null): number {
    return this.new(lines, self).length;
  }

  new<Line extends { sequence: number; author: ParticipantId }>(lines: readonly Line[], self: ParticipantId | null): Line[] {
    return lines.filter(({ sequence, author }) => sequence > this.#upTo && author !== self);
  }
}

/** Neighbours of the same author within two minutes stand under one name. */
export function continues(line: TalkLine, before: TalkLine | undefined): boolean {
  return before !== undefined && before.author === line.author && line.time - before.time < 120_000;
}
