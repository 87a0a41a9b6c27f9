/** What was written and drawn on the whiteboard up to a moment of a recording. */
import type { TalkLine } from '../chat';
import { isBoard } from '../signalling/marks';
import type { Description } from './description';

export type RecordedLine = TalkLine & { at: number };

/** All that was written and sent, in order; `at` in seconds after the start. */
export function talkOf({ operations, started }: Description): RecordedLine[] {
  return operations.flatMap(({ at, operation, sequence, author, name, colour }): RecordedLine[] => {
    const signed = { at, sequence, author, name, colour, time: started + at * 1000 };
    if (operation.kind === 'say') return [{ ...signed, kind: 'say', text: operation.text }];
    return operation.kind === 'file' ? [{ ...signed, kind: 'file', shared: operation.file }] : [];
  });
}

/** Whether anything was ever put on the whiteboard. */
export function hasBoard({ operations }: Description): boolean {
  return operations.some(({ operation }) => operation.kind === 'page' || (operation.kind === 'add' && isBoard(operation.mark.anchor)));
}

/** The names of pages as they stood at a position, the newest of each. */
export function boardsAt({ operations }: Description, position: number): { board: number; title: string }[] {
  const named = new Map<number, string>();
  for (const { at, operation } of operations) {
    if (at <= position && operation.kind === 'page') named.set(operation.board, operation.title);
  }
  return [...named].map(([board, title]) => ({ board, title }));
}

/** The page that was last opened or drawn on; 1: none was. */
export function pageAt({ operations }: Description, position: number): number {
  let page = 1;
  for (const { at, operation } of operations) {
    if (at > position) continue;
    if (operation.kind === 'page') page = operation.board;
    else if (operation.kind === 'add' && isBoard(operation.mark.anchor)) page = operation.mark.anchor.board;
  }
  return page;
}
