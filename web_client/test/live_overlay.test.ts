import { describe, expect, it } from 'vitest';
import { Layers } from '../src/annotation/layers';
import { Followed } from '../src/annotation/movement';
import type { Session } from '../src/session';
import { LiveOverlay } from '../src/ui/live_overlay';

const FIELD = 7;

function mark(name: string, rtp_timestamp: number): object {
  const anchor = { producer: FIELD, rtp_timestamp };
  return { mark: { mark: name, shape: 'text', anchor, points: [[0.5, 0.5]], width: 0.004, text: 'x' }, author: 'pt-1', name: 'A', colour: '#fff', sequence: 1 };
}

/** As much of a session as marks are taken from. */
function overlay(since: number | null, ...visible: object[]): LiveOverlay {
  const room = { participants: new Map(), producers: new Map([[FIELD, { producer: FIELD, since: since === null ? null : since >>> 0, since_time: since === null ? null : since / 90 }]]) };
  const nothing = { strokes: () => [], pointers: () => [] };
  const pens = { selection: { shown: <Mark>(mark: Mark): Mark => mark }, layers: { isShown: () => true }, tools: { inProgress: null, waiting: [] } };
  const session = { followed: new Followed(), replica: { visible, trackOf: () => null }, ephemeral: nothing, pens, self: null, room };
  return new LiveOverlay(session as unknown as Session);
}

function outdated(since: number | null, ...marks: object[]): (boolean | undefined)[] {
  return overlay(since, ...marks)
    .marks(FIELD, 0)
    .map((one) => one.outdated);
}

describe('marks of a picture that was interrupted', () => {
  it('are outdated where they were drawn before', () => {
    expect(outdated(90_000, mark('a', 80_000), mark('b', 90_000), mark('c', 100_000))).toEqual([true, false, false]);
  });
  it('are compared over the wrap of the timestamps', () => {
    expect(outdated(5, mark('a', 0xffffff00), mark('b', 6))).toEqual([true, false]);
  });
  it('stay outdated in an operation of twelve hours', () => {
    // drawn one second into the operation, and an interruption after each of its hours
    const drawn = { ...mark('a', 90_000), anchored: 1000 };
    for (let hours = 1; hours <= 12; hours += 1) {
      const ticks = hours * 3600 * 90_000;
      const later = { ...mark('b', (ticks + 90_000) >>> 0), anchored: ticks / 90 + 1000 };
      const [before, after] = overlay(ticks, drawn, later).marks(FIELD, 0);
      expect([before?.outdated, after?.outdated], `${hours} h`).toEqual([true, false]);
    }
  });
  it('are as they were while there was no interruption', () => {
    expect(outdated(null, mark('a', 0))).toEqual([false]);
  });
});

describe('layers', () => {
  const room = { participants: new Map(), producers: new Map() };
  const nothing = { strokes: () => [], pointers: () => [] };
  const tools = { inProgress: null, waiting: [] };

  function seen(hide: (layers: Layers) => void, ...visible: object[]): { marks: string[]; hidden: number } {
    const layers = new Layers();
    hide(layers);
    const pens = { selection: { shown: <Mark>(mark: Mark): Mark => mark }, layers, tools };
    const live = new LiveOverlay({ followed: new Followed(), replica: { visible, trackOf: () => null }, ephemeral: nothing, pens, self: null, room } as unknown as Session);
    return { marks: live.marks(FIELD, 0).map((one) => one.mark.mark), hidden: live.hiddenLayers(FIELD) };
  }
  const of = (name: string, author: string): object => ({ ...mark(name, 1), author });

  it('that are hidden are not drawn, and counted where their marks would be', () => {
    const marks = [of('a', 'pt-1'), of('b', 'pt-2'), of('c', 'pt-2')];
    expect(seen((layers) => layers.setShown('pt-2', false), ...marks)).toEqual({ marks: ['a'], hidden: 1 });
    expect(seen((layers) => layers.toggleSolo('pt-3'), ...marks)).toEqual({ marks: [], hidden: 2 });
    expect(seen((layers) => layers.setShown('pt-3', false), ...marks)).toEqual({ marks: ['a', 'b', 'c'], hidden: 0 });
  });

  it('of another picture are not counted on this one', () => {
    const still = { ...(mark('s', 1) as { mark: object }).mark, anchor: { producer: FIELD, rtp_timestamp: 1, still: true } };
    const elsewhere = { ...mark('s', 1), mark: still, author: 'pt-2' };
    expect(seen((layers) => layers.setShown('pt-2', false), of('a', 'pt-1'), elsewhere)).toEqual({ marks: ['a'], hidden: 0 });
  });
});
