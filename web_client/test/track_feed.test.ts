import { describe, expect, it } from 'vitest';
import { GoneError, TrackFeed, type FeedEvents, type SegmentList, type Sink } from '../src/replay/track_feed';

/** One segment a second, a key frame every `every` of them. */
function list(count: number, every: number, start = 0): SegmentList {
  const segments = Array.from({ length: count }, (_, n): [number, number, 0 | 1] => [(start + n) * 90_000, 90_000, n % every === 0 ? 1 : 0]);
  return { type: 'video/mp4', timescale: 90_000, init: 'init.mp4', segments };
}

class Bench implements Sink, FeedEvents {
  /** Everything that happened to the sink, in words. */
  readonly log: string[] = [];
  readonly fetched: string[] = [];
  failed: unknown = null;
  complete = 0;
  readonly waiting: boolean[] = [];
  /** What the next requests of a name are answered with instead. */
  readonly broken = new Map<string, Error[]>();
  /** The name that does not come until it is let go. */
  stuck = '';
  held = '';
  /** So many times the sink has no room. */
  full = 0;
  /** Bytes of each segment. */
  size = 0;
  /** Moments that the browser let go of by itself. */
  readonly lost = new Set<number>();
  /** How long a wait for a server that is away takes. */
  wait = (): Promise<void> => Promise.resolve();

  feed(segments: SegmentList): TrackFeed {
    return new TrackFeed(segments, this, (name, signal) => this.#fetch(name, signal), this, () => this.wait());
  }

  append(data: ArrayBuffer, shift: number): Promise<void> {
    if (this.full > 0) {
      this.full -= 1;
      return Promise.reject(new DOMException('full', 'QuotaExceededError'));
    }
    const name = new TextDecoder().decode(data.slice(0, 12)).replace(/\0+$/, '');
    this.log.push(shift === 0 ? name : `${name} at ${shift.toFixed(1)}`);
    return Promise.resolve();
  }
  remove(from: number, to: number): Promise<void> {
    this.log.push(`-${from}..${to}`);
    return Promise.resolve();
  }
  holds(moment: number): boolean {
    return !this.lost.has(Math.floor(moment));
  }
  onwaiting = (waiting: boolean): void => void this.waiting.push(waiting);
  onfailed = (error: unknown): void => void (this.failed = error);
  oncomplete = (): void => void (this.complete += 1);

  get numbers(): number[] {
    return this.log.filter((word) => /^\d+$/.test(word)).map(Number);
  }

  async #fetch(name: string, signal: AbortSignal): Promise<ArrayBuffer> {
    this.fetched.push(name);
    const error = this.broken.get(name)?.shift();
    if (error !== undefined) throw error;
    if (name === this.stuck) {
      this.held = name;
      await new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError'))));
    }
    const data = new Uint8Array(Math.max(this.size, name.length));
    data.set(new TextEncoder().encode(name.replace('.m4s', '')));
    return data.buffer;
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 400; turn += 1) await Promise.resolve();
}

describe('TrackFeed', () => {
  it('begins at the key frame before the position and reads nothing that lies before', async () => {
    const bench = new Bench();
    bench.feed(list(7200, 5)).handlePosition(3602.5);
    await settle();
    expect(bench.log[0]).toBe('init.mp4');
    expect(bench.numbers.slice(0, 3)).toEqual([3600, 3601, 3602]);
    expect(bench.numbers.at(-1)).toBe(3610);
    expect(bench.fetched).not.toContain('3599.m4s');
  });

  it('goes on as the position does, each segment once, and gives up what lies behind', async () => {
    const bench = new Bench();
    const feed = bench.feed(list(40, 2));
    for (let at = 0; at < 39; at += 0.25) {
      feed.handlePosition(at);
      await settle();
    }
    expect(bench.numbers).toEqual(Array.from({ length: 40 }, (_, n) => n));
    expect(bench.log.filter((word) => word.startsWith('-')).at(-1)).toMatch(/^-0\.\.2\d$/);
    expect(bench.complete).toBeGreaterThan(0);
  });

  it('takes up again from a key frame where the pictures before are missing', async () => {
    const bench = new Bench();
    const feed = bench.feed(list(100, 10));
    for (const at of [20, 60, 25]) {
      bench.log.length = 0;
      feed.handlePosition(at);
      await settle();
    }
    // 20-28 were given up when 60 was looked at
    expect(bench.numbers.slice(0, 6)).toEqual([20, 21, 22, 23, 24, 25]);
  });

  it('lets a segment go that is not wanted any more', async () => {
    const bench = new Bench();
    bench.stuck = '10.m4s';
    const feed = bench.feed(list(100, 10));
    feed.handlePosition(10);
    await settle();
    expect(bench.held).toBe('10.m4s');
    feed.handlePosition(70);
    await settle();
    expect(bench.numbers).not.toContain(10);
    expect(bench.numbers).toContain(70);
    expect(bench.waiting).toEqual([]);
    expect(bench.failed).toBeNull();
  });

  it('that is held asks for nothing, and takes nothing away from under the player', async () => {
    const bench = new Bench();
    const feed = bench.feed(list(100, 10));
    feed.handlePosition(15);
    await settle();
    // one is on its way, another is taken in just now
    bench.stuck = '26.m4s';
    feed.handlePosition(18);
    await settle();
    bench.log.length = bench.fetched.length = 0;
    const held = { speed: 1, hurried: true, held: true };
    feed.handlePosition(72.3, held);
    await settle();
    feed.handlePosition(72.3, held);
    await settle();
    expect([bench.log, bench.fetched, bench.failed, bench.waiting]).toEqual([[], [], null, []]);
    bench.stuck = '';
    feed.handlePosition(72.3, { speed: 1, hurried: true });
    await settle();
    expect(bench.numbers).toEqual([70, 71, 72]);
    expect(bench.log.some((word) => word.startsWith('-'))).toBe(true);
  });

  it('that is held while it takes one in gives up nothing yet', async () => {
    const bench = new Bench();
    const feed = bench.feed(list(100, 10));
    feed.handlePosition(15);
    // in the middle of it
    for (let turn = 0; turn < 12; turn += 1) await Promise.resolve();
    feed.handlePosition(72.5, { speed: 1, hurried: true, held: true });
    await settle();
    expect(bench.log.filter((word) => word.startsWith('-'))).toEqual([]);
    feed.handlePosition(72.5);
    await settle();
    expect(bench.numbers.filter((number) => number >= 70).slice(0, 3)).toEqual([70, 71, 72]);
  });

  it('fills the time before the first picture and never gives that up', async () => {
    const bench = new Bench();
    const feed = bench.feed(list(60, 1, 2.5));
    feed.handlePosition(0);
    await settle();
    expect(bench.log.slice(0, 6)).toEqual(['init.mp4', '0 at -2.5', '0 at -1.5', '0 at -0.5', '-2.5..Infinity', '0']);
    feed.handlePosition(40);
    await settle();
    expect(bench.log.filter((word) => word.startsWith('-')).at(-1)).toMatch(/^-2\.5\.\./);
  });

  it('asks again where the server is away, and says so', async () => {
    const bench = new Bench();
    bench.broken.set('0.m4s', [new Error('503'), new Error('503')]);
    bench.feed(list(3, 1)).handlePosition(0);
    await settle();
    expect(bench.waiting).toEqual([true, true, false]);
    expect(bench.log).toEqual(['init.mp4', '0', '1', '2']);
    expect(bench.complete).toBe(1);
    expect(bench.failed).toBeNull();
  });

  it('ends with what will never come', async () => {
    const bench = new Bench();
    bench.broken.set('1.m4s', [new GoneError('404')]);
    bench.feed(list(3, 1)).handlePosition(0);
    await settle();
    expect(bench.failed).toBeInstanceOf(GoneError);
    expect(bench.log).toEqual(['init.mp4', '0']);
  });

  it('makes room where the player has none, and tries once more', async () => {
    const bench = new Bench();
    const feed = bench.feed(list(100, 1));
    feed.handlePosition(0);
    await settle();
    bench.log.length = 0;
    bench.full = 1;
    feed.handlePosition(5.5);
    await settle();
    expect(bench.log.slice(0, 2)).toEqual(['-0..5', '9']);
    expect(bench.failed).toBeNull();
    // twice is an error
    bench.full = 5;
    feed.handlePosition(50);
    await settle();
    expect(bench.failed).toBeInstanceOf(DOMException);
  });

  it('has eight seconds ready whatever the speed', async () => {
    const bench = new Bench();
    const feed = bench.feed(list(100, 1));
    feed.handlePosition(10, { speed: 4, hurried: false });
    await settle();
    expect(bench.numbers.at(-1)).toBe(42);
    bench.log.length = 0;
    feed.handlePosition(20, { speed: 0.25, hurried: false });
    await settle();
    expect(bench.numbers).toEqual([]);
  });

  it('asks for nothing behind a picture that is waited for', async () => {
    const bench = new Bench();
    const feed = bench.feed(list(100, 10));
    feed.handlePosition(13.2, { speed: 1, hurried: true });
    await settle();
    expect(bench.numbers).toEqual([10, 11, 12, 13]);
    expect(bench.fetched).not.toContain('14.m4s');
    feed.handlePosition(13.2, { speed: 1, hurried: false });
    await settle();
    expect(bench.numbers.at(-1)).toBe(21);
  });

  it('takes no more ahead than sixteen cameras have room for, but always the next', async () => {
    const bench = new Bench();
    bench.size = 20e6;
    const feed = bench.feed(list(100, 1));
    feed.handlePosition(0);
    await settle();
    // 60 MB ahead of the one that is looked at: the third makes it full
    expect(bench.numbers).toEqual([0, 1, 2, 3]);
    feed.handlePosition(1.5);
    await settle();
    expect(bench.numbers).toEqual([0, 1, 2, 3, 4]);
    bench.size = 50e6;
    feed.handlePosition(30);
    await settle();
    expect(bench.numbers.slice(5)).toEqual([30, 31]);
  });

  it('does with less where the player has no room for what may be looked at later', async () => {
    const bench = new Bench();
    bench.size = 1e6;
    const feed = bench.feed(list(100, 10));
    feed.handlePosition(3, { speed: 1, hurried: true });
    await settle();
    bench.full = 2;
    feed.handlePosition(3, { speed: 1, hurried: false });
    await settle();
    expect(bench.failed).toBeNull();
    expect(bench.numbers.at(-1)).toBe(3);
    // it is looked at: then it must come
    feed.handlePosition(4.1);
    await settle();
    expect(bench.numbers.at(-1)).toBe(4);
    for (let at = 4.1; at < 30; at += 0.5) {
      feed.handlePosition(at);
      await settle();
    }
    // nothing twice, nothing left out: each when it is looked at
    expect(bench.numbers).toEqual(Array.from({ length: 30 }, (_, n) => n));
  });

  it('fetches again what the browser let go of, and believes it the second time', async () => {
    const bench = new Bench();
    const feed = bench.feed(list(60, 2));
    feed.handlePosition(10);
    await settle();
    bench.log.length = 0;
    bench.lost.add(13);
    feed.handlePosition(11.5);
    await settle();
    expect(bench.numbers).toEqual([19]);
    feed.handlePosition(12.5);
    await settle();
    // from its key frame on
    expect(bench.numbers.slice(1, 3)).toEqual([12, 13]);
    const before = bench.numbers.length;
    for (let look = 0; look < 5; look += 1) {
      feed.handlePosition(12.5);
      await settle();
    }
    expect(bench.numbers.length).toBe(before);
  });

  it('does not wait for a server that is away where another moment is looked at', async () => {
    const bench = new Bench();
    bench.wait = () => new Promise<void>(() => undefined);
    bench.broken.set('10.m4s', [new Error('503')]);
    const feed = bench.feed(list(100, 10));
    feed.handlePosition(10);
    await settle();
    expect(bench.waiting).toEqual([true]);
    feed.handlePosition(70);
    await settle();
    expect(bench.waiting).toEqual([true, false]);
    expect(bench.numbers[0]).toBe(70);
    expect(bench.fetched.filter((name) => name === '10.m4s').length).toBe(1);
  });

  it('is complete as long as its end is there', async () => {
    const bench = new Bench();
    const feed = bench.feed(list(60, 1));
    feed.handlePosition(58);
    await settle();
    expect(feed.isComplete).toBe(true);
    feed.handlePosition(5);
    await settle();
    expect(feed.isComplete).toBe(false);
  });

  it('tells where a decoder begins', () => {
    const feed = new Bench().feed(list(60, 10, 2));
    expect([2, 5, 11.9, 12, 61].map((at) => feed.keyTime(at))).toEqual([2, 2, 2, 12, 52]);
  });

  it('has a sound where the picture stands on its way, and keeps it', async () => {
    const bench = new Bench();
    const feed = bench.feed(list(100, 1));
    // the picture's key frame is ten seconds back: of the sound between nothing is wanted
    for (let look = 0; look < 3; look += 1) {
      feed.handlePosition(59.3, { speed: 1, hurried: true, via: 49.8 });
      await settle();
    }
    expect(bench.numbers).toEqual([49, 50, 59]);
    expect(bench.fetched).toEqual(['init.mp4', '49.m4s', '50.m4s', '59.m4s']);
    expect(bench.log.filter((word) => word.startsWith('-'))).toEqual([]);
    feed.handlePosition(59.3);
    await settle();
    expect(bench.numbers.slice(3)).toEqual([60, 61, 62, 63, 64, 65, 66, 67]);
  });

  it('brings the segment of the key frame first', async () => {
    const bench = new Bench();
    const feed = bench.feed(list(100, 10));
    feed.handlePosition(59.3, { speed: 1, hurried: true, via: 50 });
    await settle();
    expect(bench.numbers).toEqual([50, 51, 52, 53, 54, 55, 56, 57, 58, 59]);
  });

  it('asks for the next while one comes, but not while what is shown first does', async () => {
    const bench = new Bench();
    const feed = bench.feed(list(100, 10));
    bench.stuck = '50.m4s';
    feed.handlePosition(59.3, { speed: 1, hurried: true, via: 50 });
    await settle();
    // the first of all is asked for together with what stands before it
    expect(bench.fetched).toEqual(['init.mp4', '50.m4s']);
    bench.stuck = '30.m4s';
    feed.handlePosition(33.3, { speed: 1, hurried: true });
    await settle();
    expect(bench.fetched.slice(2)).toEqual(['30.m4s', '31.m4s']);
    bench.stuck = '';
    feed.handlePosition(80.3, { speed: 1, hurried: true });
    await settle();
    expect(bench.numbers).toEqual([80]);
  });

  it('holds less of a smaller picture', async () => {
    const bench = new Bench();
    bench.size = 9e6;
    const feed = bench.feed(list(100, 1));
    feed.handlePosition(20, { speed: 1, hurried: false, beside: true });
    await settle();
    expect(bench.numbers).toEqual([20, 21, 22]);
    feed.handlePosition(22, { speed: 1, hurried: false, beside: true });
    await settle();
    expect(bench.log.filter((word) => word.startsWith('-')).at(-1)).toBe('-0..22');
    // it is made the large one
    feed.handlePosition(22);
    await settle();
    expect(bench.numbers.at(-1)).toBe(28);
  });
});
