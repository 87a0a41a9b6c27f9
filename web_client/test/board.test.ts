import { expect, test } from 'vitest';
import { MOST_PAGES, TITLE_LIMIT, freePage, pagesOf, titleOf } from '../src/board';

const page = (board: number) => ({ board, title: '', marks: 0 });

test('the first page is always there, others when they were named or drawn on', () => {
  expect(pagesOf([], [])).toEqual([page(1)]);
  const anchors = [{ board: 4 }, { board: 4 }, { producer: 7, rtp_timestamp: 1 }, { SOPInstanceUID: '1.2', frame: 1 }, { board: 1 }];
  expect(pagesOf([{ board: 2, title: 'Plan' }], anchors)).toEqual([
    { board: 1, title: '', marks: 1 },
    { board: 2, title: 'Plan', marks: 0 },
    { board: 4, title: '', marks: 2 },
  ]);
});

test('a new page comes behind the last, then where there is room, then not at all', () => {
  expect(freePage([page(1), page(4)])).toBe(5);
  expect(freePage([page(1), page(3), page(MOST_PAGES)])).toBe(2);
  expect(freePage(Array.from({ length: MOST_PAGES }, (_, index) => page(index + 1)))).toBeNull();
});

test('a name is one line of what may be shown', () => {
  expect(titleOf('  Plan\nA\u202e \u0000x ')).toBe('Plan A x');
  expect(titleOf('')).toBe('');
  expect([...titleOf('好'.repeat(300))].length).toBe(TITLE_LIMIT);
});
