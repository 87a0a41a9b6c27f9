/** Which part of a recording the time line shows, and what of it can be told apart there. */
import type { Item } from './study_rows';

export interface Span {
  from: number;
  until: number;
}

/** No less than this is shown: a few frames each as wide as a finger. */
const SHORTEST_S = 2;
/** Points nearer than this to each other are drawn as one, px. */
const APART_PX = 9;
/** What lasts a while is drawn no narrower, px. */
const NARROWEST_PX = 5;
/** From this far an event is hit, px. */
const REACH_PX = 16;
/** A tick so far from the next is wide enough for its words, px. */
const TICK_PX = 90;
const TICKS_S = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400] as const;

/** Grow or shrink what is shown about a position, which keeps its place. */
export function zoomed({ from, until }: Span, factor: number, around: number, seconds: number): Span {
  const length = Math.min(seconds, Math.max(Math.min(SHORTEST_S, seconds), (until - from) / factor));
  const place = until > from ? Math.min(1, Math.max(0, (around - from) / (until - from))) : 0.5;
  return within({ from: around - place * length, until: around + (1 - place) * length }, seconds);
}

export function panned({ from, until }: Span, by: number, seconds: number): Span {
  return within({ from: from + by, until: until + by }, seconds);
}

/** The same, turned on like a page where the position has left it. */
export function following(span: Span, position: number, seconds: number): Span {
  const { from, until } = span;
  if (position >= from && position <= until) return span;
  const length = until - from;
  // going on it stands a little behind the edge, so that one sees what comes
  return within({ from: position - 0.1 * length, until: position + 0.9 * length }, seconds);
}

export function isWhole({ from, until }: Span, seconds: number): boolean {
  return from <= 0 && until >= seconds;
}

function within({ from, until }: Span, seconds: number): Span {
  const length = Math.min(seconds, until - from);
  const begin = Math.min(seconds - length, Math.max(0, from));
  return { from: begin, until: begin + length };
}

/** Where the clock is written, and how far one is from the next. */
export function ticksOf({ from, until }: Span, width: number): { step: number; at: number[] } {
  const most = Math.max(1, width / TICK_PX);
  const step = TICKS_S.find((one) => (until - from) / one <= most) ?? (until - from) / most;
  const first = Math.ceil(from / step - 1e-9);
  const count = Math.max(0, Math.floor(until / step + 1e-9) - first + 1);
  return { step, at: Array.from({ length: count }, (_, index) => (first + index) * step) };
}

/** Something on the glass: one event, or several that cannot be told apart. */
export interface Drawn {
  /** px from the left. */
  x: number;
  width: number;
  items: readonly Item[];
}

/** What a row shows of its items, from the left. */
export function drawnOf(items: readonly Item[], { from, until }: Span, width: number): Drawn[] {
  const scale = width / Math.max(1e-6, until - from);
  const found: Drawn[] = [];
  // what lasts is told from the points that stand within it
  const newest = { point: -1, span: -1 };
  for (const item of items) {
    const end = item.until ?? item.at;
    if (end < from || item.at > until) continue;
    const x = (item.at - from) * scale;
    const length = item.until === null ? 0 : Math.max(NARROWEST_PX, (item.until - item.at) * scale);
    const form = item.until === null ? 'point' : 'span';
    const last = found[newest[form]];
    if (last !== undefined && isOne(last, item, x)) {
      found[newest[form]] = { x: last.x, width: item.until === null ? 0 : Math.max(last.width, x + length - last.x), items: [...last.items, item] };
      continue;
    }
    newest[form] = found.length;
    found.push({ x, width: length, items: [item] });
  }
  return found;
}

function isOne(last: Drawn, item: Item, x: number): boolean {
  // speeches stand side by side; only what is too short to be seen goes with the one before
  if (item.kind === 'speaker') return x < last.x + 1 || (last.items[0]?.person === item.person && x - (last.x + last.width) < 1);
  return x - last.x < (item.until === null ? APART_PX : NARROWEST_PX);
}

/** The event nearest to a place, within reach of a finger; null: there is none. */
export function nearest(drawn: readonly Drawn[], x: number): Drawn | null {
  let [best, distance] = [null as Drawn | null, REACH_PX];
  for (const one of drawn) {
    const away = x < one.x ? one.x - x : Math.max(0, x - one.x - one.width);
    // what is on top is the later and the shorter one
    if (away < distance || (away === distance && best !== null && one.width <= best.width)) [best, distance] = [one, away];
  }
  return best;
}
