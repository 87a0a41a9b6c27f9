import { describe, expect, it } from 'vitest';
import { LATE_MS, isLate, sayClock } from '../src/ui/grade';

describe('a late picture', () => {
  it('is warned of from 500 ms on, and trusted again only somewhat below', () => {
    expect(isLate(LATE_MS - 1, false)).toBe(false);
    expect(isLate(LATE_MS, false)).toBe(true);
    expect(isLate(LATE_MS - 20, true)).toBe(true);
    expect(isLate(440, true)).toBe(false);
    expect(isLate(null, true)).toBe(false);
  });
});

describe('the clock of a picture', () => {
  it('shows a moment in the reader’s zone, with tenths where they are asked for', () => {
    const at = new Date(2026, 10, 29, 4, 3, 2, 987).getTime();
    expect(sayClock(at, true)).toBe('04:03:02.9');
    expect(sayClock(at, false)).toBe('04:03:02');
  });
});
