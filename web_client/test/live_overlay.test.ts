import { describe, expect, it } from 'vitest';
import type { Session } from '../src/session';
import { LiveOverlay } from '../src/ui/live_overlay';

const FIELD = 7;

function mark(name: string, rtp_timestamp: number): object {
  const anchor = { producer: FIELD, rtp_timestamp };
  return { mark: { mark: name, shape: 'text', anchor, points: [[0.5, 0.5]], width: 0.004, text: 'x' }, author: 'pt-1', name: 'A', colour: '#fff', sequence: 1 };
}

/** As much of a session as marks are taken from. */
function overlay(since: number | null, ...visible: object[]): LiveOverlay {
  const room = { participants: new Map(), producers: new Map([[FIELD, { producer: FIELD, since }]]) };
  const nothing = { strokes: () => [], pointers: () => [] };
  const pens = { selection: { shown: <Mark>(mark: Mark): Mark => mark }, layers: { isShown: () => true }, tools: { inProgress: null, waiting: [] } };
  const session = { replica: { visible }, ephemeral: nothing, pens, self: null, room };
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
  it('are as they were while there was no interruption', () => {
    expect(outdated(null, mark('a', 0))).toEqual([false]);
  });
});
