/**
 * Keeps one track of a recording fed with segments round the position that is looked at.
 *
 * A decoder begins at a key frame: so a seek asks for the segments from the key frame before it on, and for nothing that lies
 * before. What lies far behind is given up again, so that hours of 4K stay some tens of megabytes. The player may give up more
 * than it was told to, and tells nobody: what is about to be looked at is held against what it says it has.
 */

/** What a server lists of a track (PROTOCOL.md §8): ticks, and whether a decoder may begin with the segment. */
export interface SegmentList {
  type: string;
  timescale: number;
  init: string;
  segments: [start: number, duration: number, key: 0 | 1][];
}

/** Where segments go: a SourceBuffer. Times are seconds of the track. */
export interface Sink {
  append(data: ArrayBuffer, shift: number): Promise<void>;
  remove(from: number, to: number): Promise<void>;
  /** Whether it has what belongs to this moment. */
  holds(moment: number): boolean;
}

/**
 * Fetches one file of the track, which is looked at from `start` on (seconds of the track). Rejects with `GoneError` what will
 * never come, with anything else what may.
 */
export type FetchPart = (name: string, signal: AbortSignal, start: number) => Promise<ArrayBuffer>;

/** There is no such file, or it was tampered with: nothing is gained by asking again. */
export class GoneError extends Error {}

/** How a position is looked at. */
export interface Look {
  /** Played at four times the speed eight seconds last two. */
  speed: number;
  /** Its picture is waited for: nothing that lies behind it is to be in its way. */
  hurried: boolean;
  /** It is one of the smaller pictures: four fields of 4K would otherwise hold four times as much. */
  beside?: boolean;
  /** It waits for a picture that is to have the line for itself. */
  held?: boolean;
  /** Where the player stands on its way there: it takes up nothing where one of its tracks has nothing. */
  via?: number | undefined;
}

const CALMLY: Look = { speed: 1, hurried: false };

const AHEAD_S = 8;
/** A player takes a picture up when it has a little more than it. */
const HURRIED_S = 0.5;
const BEHIND_S = 8;
/** Browsers hold 150 MB of pictures, the ten seconds from a key frame on among them; sixteen cameras want their part. */
const AHEAD_BYTES = 48e6;
const BESIDE_BYTES = 16e6;
/** Asked for at once: one is made while the one before it comes, or is taken in. */
const AT_ONCE = 2;
const RETRY_MS = 1000;

export interface FeedEvents {
  /** Nothing comes from the server for the time being. */
  onwaiting: (waiting: boolean) => void;
  /** The track cannot be gone on with. */
  onfailed: (error: unknown) => void;
  /** Everything to the end is in the sink. */
  oncomplete: () => void;
}

export class TrackFeed {
  readonly #starts: number[];
  readonly #end: number;
  /** What is in the sink, and how large it is. */
  readonly #present = new Map<number, number>();
  /** What was not found in the sink once, and is believed to be there the next time. */
  readonly #doubted = new Set<number>();
  readonly #coming = new Map<number, { data: Promise<ArrayBuffer>; abort: AbortController }>();
  #position = 0;
  #look = CALMLY;
  #behind = BEHIND_S;
  #aheadBytes = AHEAD_BYTES;
  #last = -2;
  #awaited: number | null = null;
  #wake: () => void = () => undefined;
  #running = false;
  #closed = false;
  #begun = false;

  constructor(
    readonly list: SegmentList,
    private readonly sink: Sink,
    private readonly fetchPart: FetchPart,
    private readonly events: FeedEvents,
    private readonly wait: (ms: number) => Promise<void> = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  ) {
    this.#starts = list.segments.map(([start]) => start / list.timescale);
    const last = list.segments.at(-1);
    this.#end = last === undefined ? 0 : (last[0] + last[1]) / list.timescale;
  }

  /** Look at this position (seconds of the track) from now on; cheap: call it for every frame of the screen. */
  handlePosition(position: number, look: Look = CALMLY): void {
    this.#position = position;
    this.#look = look;
    if (this.#closed) return;
    if (look.held === true) return this.#hold();
    if (this.#awaited !== null && this.#next() !== this.#awaited) {
      // on a thin line a segment that nobody wants now would hold up the one that is wanted
      this.#coming.get(this.#awaited)?.abort.abort();
      this.#wake();
    }
    if (this.#running) return;
    this.#doubt();
    if (this.#next() !== null) void this.#run();
  }

  /** Nothing more is asked for; what is on its way comes only if it is wanted at the position. */
  #hold(): void {
    const [first, last] = this.#around(this.#position, HURRIED_S);
    for (const [number, { abort }] of this.#coming) {
      if (first <= number && number <= last) continue;
      abort.abort();
      this.#coming.delete(number);
    }
    this.#wake();
  }

  /** Where a decoder begins for the picture at a position, seconds of the track. */
  keyTime(position: number): number {
    return this.#starts[this.#keyBefore(this.#at(position))] ?? 0;
  }

  /** Whether its end is in the sink. */
  get isComplete(): boolean {
    return this.#present.has(this.#starts.length - 1);
  }

  close(): void {
    this.#closed = true;
    this.#wake();
    for (const { abort } of this.#coming.values()) abort.abort();
    this.#coming.clear();
  }

  /** The segment of a position. */
  #at(position: number): number {
    return Math.max(0, countUpTo(this.#starts, position) - 1);
  }

  get #isHeld(): boolean {
    return this.#look.held === true;
  }

  get #ahead(): number {
    return this.#look.hurried ? HURRIED_S : AHEAD_S * Math.max(1, this.#look.speed);
  }

  /** The segments that are wanted now, first and last: from the key frame before the position on. */
  get #wanted(): [number, number] {
    return this.#around(this.#position, this.#ahead);
  }

  #around(position: number, ahead: number): [number, number] {
    return [this.#keyBefore(this.#at(position)), this.#at(position + ahead)];
  }

  #keyBefore(number: number): number {
    let key = number;
    while (key > 0 && this.list.segments[key]?.[2] !== 1) key -= 1;
    return key;
  }

  /** The segment to append next; null: what is wanted is there. */
  #next(): number | null {
    if (this.#isHeld) return null;
    const onTheWay = this.#look.via === undefined ? null : this.#missing(...this.#around(this.#look.via, HURRIED_S));
    return onTheWay ?? this.#missing(...this.#wanted);
  }

  #isOnTheWay(number: number): boolean {
    if (this.#look.via === undefined) return false;
    const [first, last] = this.#around(this.#look.via, HURRIED_S);
    return first <= number && number <= last;
  }

  #missing(first: number, last: number): number | null {
    const at = this.#at(this.#position);
    const most = this.#look.beside === true ? Math.min(this.#aheadBytes, BESIDE_BYTES) : this.#aheadBytes;
    let ahead = 0;
    for (let number = first; number <= last && number < this.#starts.length; number += 1) {
      const size = this.#present.get(number);
      if (size !== undefined) {
        if (number > at) ahead += size;
        continue;
      }
      if (number > at && ahead >= most) return null;
      if (number === this.#last + 1 || this.list.segments[number]?.[2] === 1) return number;
      // a decoder would not take it up in the middle: once more from its key frame on
      const key = this.#keyBefore(number);
      for (let again = key; again < number; again += 1) this.#present.delete(again);
      return key;
    }
    return null;
  }

  /** A browser that is short of memory lets pictures go, and a player that waits for them would wait for ever. */
  #doubt(): void {
    const at = this.#at(this.#position);
    for (const number of [at, at + 1]) {
      const [start, duration] = this.list.segments[number] ?? [0, 0];
      if (!this.#present.has(number) || this.#doubted.has(number) || this.sink.holds((start + duration / 2) / this.list.timescale)) continue;
      this.#present.delete(number);
      this.#doubted.add(number);
    }
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      if (!this.#begun) {
        const begun = this.#begin();
        // the server makes it while what stands before it is on its way
        const first = this.#next();
        if (first !== null) this.#fetch(first);
        await begun;
        this.#begun = true;
      }
      for (let number = this.#next(); number !== null && !this.#closed; number = this.#next()) await this.#take(number);
      if (!this.#closed && this.isComplete) this.events.oncomplete();
    } catch (error) {
      if (!this.#closed) {
        this.close();
        this.events.onfailed(error);
      }
    } finally {
      this.#running = false;
    }
  }

  /** What stands before all segments; and where the picture begins after its sound, its first second in place of none. */
  async #begin(): Promise<void> {
    await this.sink.append(await this.#patiently(() => this.fetchPart(this.list.init, new AbortController().signal, 0)), 0);
    const lead = this.#starts[0] ?? 0;
    if (lead <= 0) return;
    // a player stands still where one of its tracks has nothing; what it shows there is covered (`picture_at`)
    const first = await this.#patiently(() => this.#fetch(0).data);
    const length = Math.max((this.#starts[1] ?? this.#end) - lead, 0.01);
    for (let at = 0; at < lead; at += length) await this.sink.append(first, at - lead);
    await this.sink.remove(lead, Infinity);
  }

  async #take(number: number): Promise<void> {
    this.#forget(number);
    this.#awaited = number;
    const coming = this.#patiently(() => this.#fetch(number).data, number);
    // what is shown first has the line for itself
    if (!this.#isOnTheWay(number)) this.#fetchAfter(number);
    const data = await coming;
    this.#awaited = null;
    // what has come for the position that it is held for is taken in then
    if (data === null || this.#closed || this.#isHeld) return;
    this.#fetchAfter(number);
    const size = data.byteLength;
    if (!(await this.#append(number, data))) return;
    this.#coming.delete(number);
    this.#present.set(number, size);
    this.#last = number;
    // the player stands where it was: a seek that begins where nothing is any more never ends in Chromium
    if (this.#isHeld) return;
    await this.#giveUp(this.#look.beside === true ? 0 : this.#behind, this.#at(this.#position + AHEAD_S * Math.max(1, this.#look.speed) + BEHIND_S) + 1);
  }

  /** Whether there was room for it; where there is none what is looked at now goes before what may be looked at later. */
  async #append(number: number, data: ArrayBuffer): Promise<boolean> {
    try {
      await this.sink.append(data, 0);
      return true;
    } catch (error) {
      if (!isFull(error)) throw error;
    }
    if (this.#isHeld) return false;
    this.#behind = 0;
    await this.#giveUp(0, number + 1);
    try {
      await this.sink.append(data, 0);
      return true;
    } catch (error) {
      const at = this.#at(this.#position);
      if (!isFull(error) || number <= at) throw error;
      // there is time: it is asked for again when some of what lies before it has been seen
      let ahead = 0;
      for (const [other, size] of this.#present) if (other > at && other < number) ahead += size;
      this.#aheadBytes = ahead * 0.75;
      this.#coming.delete(number);
      return false;
    }
  }

  /** The server makes the next one while this one comes, or is taken in. */
  #fetchAfter(number: number): void {
    const [after, [first, last]] = [number + 1, this.#wanted];
    const isWanted = (first <= after && after <= last) || this.#isOnTheWay(after);
    if (isWanted && !this.#present.has(after) && this.#coming.size < AT_ONCE) this.#fetch(after);
  }

  #fetch(number: number): { data: Promise<ArrayBuffer>; abort: AbortController } {
    const known = this.#coming.get(number);
    if (known !== undefined) return known;
    const abort = new AbortController();
    const data = this.fetchPart(`${number}.${this.list.init.endsWith('.webm') ? 'webm' : 'm4s'}`, abort.signal, this.#starts[number] ?? 0);
    // whoever awaits it hears of it; nobody may
    data.catch(() => undefined);
    const coming = { data, abort };
    this.#coming.set(number, coming);
    return coming;
  }

  /** Let go what was asked for before a seek. */
  #forget(number: number): void {
    for (const [other, { abort }] of this.#coming) {
      if (other === number || other === number + 1) continue;
      abort.abort();
      this.#coming.delete(other);
    }
  }

  async #patiently(ask: () => Promise<ArrayBuffer>): Promise<ArrayBuffer>;
  async #patiently(ask: () => Promise<ArrayBuffer>, number: number): Promise<ArrayBuffer | null>;
  async #patiently(ask: () => Promise<ArrayBuffer>, number?: number): Promise<ArrayBuffer | null> {
    // the one who watches may have gone elsewhere meanwhile
    const isWanted = (): boolean => number === undefined || this.#next() === number;
    for (let waiting = false; ; waiting = true) {
      try {
        const data = await ask();
        if (waiting) this.events.onwaiting(false);
        return data;
      } catch (error) {
        if (error instanceof GoneError || this.#closed) throw error;
        if (number !== undefined) this.#coming.delete(number);
        if (isWanted()) {
          this.events.onwaiting(true);
          waiting = true;
          await Promise.race([this.wait(RETRY_MS), new Promise<void>((resolve) => (this.#wake = resolve))]);
          if (this.#closed) throw error;
          if (isWanted()) continue;
        }
        if (waiting) this.events.onwaiting(false);
        return null;
      }
    }
  }

  /** Drop what lies further away, from segment `after` on and before what is kept: up to a key frame, since what follows refers to it. */
  async #giveUp(behind: number, after: number): Promise<void> {
    const starts = this.#starts;
    const first = this.#keyBefore(this.#at(Math.min(this.#position - behind, this.#look.via ?? Infinity)));
    const gone = [...this.#present.keys()].filter((number) => number < first || number >= after);
    // what fills the time before the first picture stays
    if (gone.some((number) => number < first)) await this.sink.remove(starts[0] ?? 0, starts[first] ?? 0);
    if (gone.some((number) => number >= after)) await this.sink.remove(starts[after] ?? this.#end, Infinity);
    for (const number of gone) {
      this.#present.delete(number);
      this.#doubted.delete(number);
    }
  }
}

function isFull(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'QuotaExceededError';
}

function countUpTo(sorted: readonly number[], limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? Infinity) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
