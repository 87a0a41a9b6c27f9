/** What the picture of the disk shows: how full it was at the end of each month, and how it goes on. */
import type { Usage } from './api';

export interface Point {
  /** Unix milliseconds. */
  at: number;
  bytes: number;
}

export interface Chart {
  from: number;
  to: number;
  /** Bytes at the top of the picture. */
  top: number;
  /** Bytes that recordings may take before the disk is full. */
  limit: number;
  past: Point[];
  /** From now on, to the limit or the picture's right end. */
  ahead: Point[];
  /** Beginnings of months, for the axis. */
  months: number[];
}

const DAY = 86_400_000;
const MONTHS_BACK = 12;
/** The picture goes as far ahead as the disk lasts, within these bounds. */
const AHEAD = { least: 90 * DAY, most: 730 * DAY };

const beginning = (month: string): number => Date.parse(`${month}-01T00:00:00Z`);

export function monthAfter(at: number, count = 1): number {
  const date = new Date(at);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + count, 1);
}

/** `now` is Unix milliseconds. */
export function chartOf(usage: Usage, now: number): Chart {
  const used = usage.months.reduce((sum, { here }) => sum + here, 0);
  const limit = used + Math.max(0, usage.disk.free - usage.disk.reserve);
  const first = usage.months.length === 0 ? now : beginning(usage.months[0]?.month ?? '');
  const from = Math.max(monthAfter(now, 1 - MONTHS_BACK), Math.min(first, monthAfter(now, -1)));
  const lasts = usage.full === null ? AHEAD.most : usage.full - now;
  const to = now + Math.min(AHEAD.most, Math.max(AHEAD.least, lasts * 1.15));
  let sum = 0;
  const past: Point[] = [{ at: from, bytes: 0 }];
  for (const { month, here } of usage.months) {
    sum += here;
    const at = Math.min(now, monthAfter(beginning(month)));
    if (at <= from) past[0] = { at: from, bytes: sum };
    else past.push({ at, bytes: sum });
  }
  past.push({ at: now, bytes: used });
  const full = usage.growth > 0 ? now + ((limit - used) / usage.growth) * DAY : Infinity;
  const end = Math.min(to, full);
  const ahead = [{ at: now, bytes: used }, { at: end, bytes: used + (usage.growth * (end - now)) / DAY }];
  const months = [];
  for (let at = monthAfter(from, 0) < from ? monthAfter(from) : from; at <= to; at = monthAfter(at)) months.push(at);
  const reached = ahead[1]?.bytes ?? used;
  // a limit far above all that will be is said in words: the picture shows what grows
  const top = Math.max(1, limit <= 4 * reached ? limit * 1.12 : reached * 1.25);
  return { from, to, top, limit, past, ahead, months };
}
