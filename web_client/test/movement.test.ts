import { describe, expect, it } from 'vitest';
import { IDENTITY } from '../src/annotation/matrix';
import { Followed, Movement, UNSEEN_MS } from '../src/annotation/movement';
import type { Mark, Track } from '../src/signalling/marks';

function mark(follow: boolean): Mark {
  const anchor = { producer: 7, rtp_timestamp: 1 };
  return { mark: 'm-1', shape: 'arrow', anchor, points: [[0.1, 0.1], [0.2, 0.2]], width: 0.004, text: '', follow } as Mark;
}

function track(state: Track['state'], x = 0.1): Track {
  return { mark: 'm-1', state, matrix: [1, 0, 0, 1, x, 0], confidence: 0.9 };
}

describe('a mark that follows', () => {
  it('goes where its newest track says, in the state that it says', () => {
    const movement = new Movement(new Followed());
    expect(movement.of(mark(true), track('good'), 0)).toEqual({ transform: [1, 0, 0, 1, 0.1, 0], state: 'good' });
    expect(movement.of(mark(true), track('lost'), 10)?.state).toBe('lost');
    expect(movement.of(mark(true), track('stale'), 20)?.state).toBe('stale');
  });

  it('is no longer believed when nothing is heard of it, and stays where it was last right', () => {
    const movement = new Movement(new Followed());
    const last = track('good', 0.2);
    movement.of(mark(true), last, 1000);
    expect(movement.of(mark(true), last, 1000 + UNSEEN_MS)?.state).toBe('good');
    expect(movement.of(mark(true), last, 1001 + UNSEEN_MS)).toEqual({ transform: [1, 0, 0, 1, 0.2, 0], state: 'stale' });
  });

  it('is good no longer than 200 ms beyond the frame that was looked at last, by the frames themselves', () => {
    const followed = new Followed();
    const movement = new Movement(followed);
    const last = track('good');
    movement.of(mark(true), last, 1000);
    // the picture on the glass is 150 ms beyond it
    followed.handle(7, 150, 1100);
    expect(movement.of(mark(true), last, 1150)?.state).toBe('good');
    expect(movement.nextDoubt(1100)).toBe(51);
    expect(movement.of(mark(true), last, 1151)?.state).toBe('stale');
    expect(followed.handle(7, 150, 1160)).toBe(true);
    expect(movement.of(mark(true), last, 1170)?.state).toBe('good');
    // too late when it comes
    expect(followed.handle(7, 201, 1220)).toBe(false);
    expect(movement.of(mark(true), last, 1220)?.state).toBe('stale');
    // another picture's frames are nothing to it
    followed.handle(8, 0, 1300);
    expect(movement.of(mark(true), last, 1300)?.state).toBe('stale');
    // a page that plays late has seen less than the tracker; one that shows nothing is not believed for ever
    followed.handle(7, -60_000, 2000);
    expect(movement.of(mark(true), last, 2700)?.state).toBe('good');
    expect(movement.of(mark(true), last, 2701)?.state).toBe('stale');
  });

  it('may wait a while for its first track, and no longer', () => {
    const followed = new Followed();
    const movement = new Movement(followed);
    expect(movement.of(mark(true), null, 0)).toEqual({ transform: IDENTITY, state: 'good' });
    // what is said of the others is not said of this one
    followed.handle(7, 0, UNSEEN_MS);
    expect(movement.of(mark(true), null, UNSEEN_MS)?.state).toBe('good');
    expect(movement.of(mark(true), null, UNSEEN_MS + 1)?.state).toBe('stale');
  });

  it('says when it will be doubted, so that it is painted then', () => {
    const movement = new Movement(new Followed());
    expect(movement.nextDoubt(0)).toBeNull();
    const last = track('good');
    movement.of(mark(true), last, 0);
    const wait = movement.nextDoubt(100);
    expect(wait).toBe(UNSEEN_MS - 99);
    expect(movement.of(mark(true), last, 100 + (wait ?? 0))?.state).toBe('stale');
    movement.of(mark(true), track('lost'), 700);
    expect(movement.nextDoubt(700)).toBeNull();
  });
});

describe('a mark that does not follow', () => {
  it('is where it was drawn while nobody says otherwise, however long', () => {
    const movement = new Movement(new Followed());
    expect(movement.of(mark(false), null, 0)).toBeNull();
    expect(movement.of(mark(false), null, 1e6)).toBeNull();
    const again = track('good', 0);
    expect(movement.of(mark(false), again, 1e6)?.state).toBe('good');
    expect(movement.of(mark(false), again, 2e6)?.state).toBe('good');
  });

  it('is stale when the camera moved', () => {
    expect(new Movement(new Followed()).of(mark(false), track('stale', 0), 0)?.state).toBe('stale');
  });
});

describe('a mark that was moved by an edit', () => {
  it('is not tracked yet, and never shown as right, until the tracker has looked at where it lies now', () => {
    for (const follow of [true, false]) {
      const movement = new Movement(new Followed());
      movement.of(mark(follow), track('stale'), 0);
      for (const now of [1, 2, 5000]) expect(movement.of(mark(follow), null, now)).toEqual({ transform: IDENTITY, state: 'pending' });
      expect(movement.nextDoubt(5000)).toBeNull();
      expect(movement.of(mark(follow), track('good', 0), 5001)?.state).toBe('good');
    }
  });

  it('is so for who came after the edit as well, if it follows', () => {
    expect(new Movement(new Followed()).of(mark(true), null, 0, true)?.state).toBe('pending');
  });
});
