import { expect, test } from 'vitest';
import type { Usage } from '../src/keeping/api';
import { chartOf, monthAfter } from '../src/keeping/chart';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 22);

function usage(change: Partial<Usage> = {}): Usage {
  return {
    disk: { total: 1000, free: 500, reserve: 100, exports: 0 },
    rooms: [],
    classes: [],
    months: [
      { month: '2026-09', here: 100, moved: 0, recordings: 1 },
      { month: '2026-11', here: 200, moved: 50, recordings: 2 },
    ],
    growth: 4,
    full: NOW + 100 * DAY,
    copies: { whole: 0, failed: 0, waiting: 0, moved: 0 },
    second_place: false,
    sizes: {},
    ...change,
  };
}

test('the picture adds up what is on the disk, and goes on to where it is full', () => {
  const chart = chartOf(usage(), NOW);
  expect(chart.past.map(({ bytes }) => bytes)).toEqual([0, 100, 300, 300]);
  expect(chart.past.every(({ at }, i) => i === 0 || at >= (chart.past[i - 1]?.at ?? 0))).toBe(true);
  expect(chart.limit).toBe(700);
  expect(chart.ahead).toEqual([{ at: NOW, bytes: 300 }, { at: NOW + 100 * DAY, bytes: 700 }]);
  expect(chart.to).toBe(NOW + 115 * DAY);
  expect(chart.top).toBeGreaterThan(700);
});

test('what is older than a year is where the line begins', () => {
  const chart = chartOf(usage({ months: [{ month: '2020-01', here: 70, moved: 0, recordings: 1 }, { month: '2026-11', here: 5, moved: 0, recordings: 1 }] }), NOW);
  expect(chart.from).toBe(Date.UTC(2025, 11, 1));
  expect(chart.past.map(({ bytes }) => bytes)).toEqual([70, 75, 75]);
});

test('what does not grow goes on level, and nothing yet is a picture too', () => {
  const level = chartOf(usage({ growth: 0, full: null }), NOW);
  expect(level.ahead.map(({ bytes }) => bytes)).toEqual([300, 300]);
  expect(level.to).toBe(NOW + 730 * DAY);
  const empty = chartOf(usage({ months: [], growth: 0, full: null }), NOW);
  expect(empty.past.map(({ bytes }) => bytes)).toEqual([0, 0]);
  expect(empty.from).toBeLessThan(NOW);
  // a disk that is far larger than all that will be is not drawn to its top
  expect(chartOf(usage({ disk: { total: 1e12, free: 1e12, reserve: 0, exports: 0 }, growth: 1, full: null }), NOW).top).toBeLessThan(3000);
});

test('the axis has a label at the beginning of each month', () => {
  const { months } = chartOf(usage(), NOW);
  expect(months.length).toBeGreaterThan(5);
  for (const at of months) expect(new Date(at).getUTCDate()).toBe(1);
  expect(monthAfter(Date.UTC(2026, 11, 5))).toBe(Date.UTC(2027, 0, 1));
});
