/** The pages of the whiteboard: those that somebody opened or drew on, and the first, which is always there. */
import type { Anchor } from './signalling/protocol';
import { isBoard } from './signalling/marks';

/** Pages of a room (PROTOCOL.md, section 4), and characters of a page's name. */
export const MOST_PAGES = 100;
export const TITLE_LIMIT = 80;

export interface BoardPage {
  board: number;
  /** Empty: it bears its number. */
  title: string;
  marks: number;
}

export function pagesOf(named: readonly { board: number; title: string }[], anchors: Iterable<Anchor>): BoardPage[] {
  const pages = new Map<number, BoardPage>([[1, { board: 1, title: '', marks: 0 }]]);
  for (const { board, title } of named) pages.set(board, { board, title, marks: 0 });
  for (const anchor of anchors) {
    if (!isBoard(anchor)) continue;
    const page = pages.get(anchor.board) ?? { board: anchor.board, title: '', marks: 0 };
    page.marks += 1;
    pages.set(anchor.board, page);
  }
  return [...pages.values()].sort((a, b) => a.board - b.board);
}

/** The number of a page to be opened: behind the last, else the first that is free; null: there are no more. */
export function freePage(pages: readonly BoardPage[]): number | null {
  const taken = new Set(pages.map(({ board }) => board));
  const last = Math.max(0, ...taken);
  if (last < MOST_PAGES) return last + 1;
  for (let board = 1; board <= MOST_PAGES; board++) if (!taken.has(board)) return board;
  return null;
}

/** A page's name as the server takes it. */
export function titleOf(words: string): string {
  const plain = words.replace(/[\p{Cc}\s\u2028\u2029\u202a-\u202e\u2066-\u2069\p{Cs}]+/gu, ' ').trim();
  return [...plain].slice(0, TITLE_LIMIT).join('');
}
