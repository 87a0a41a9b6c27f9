/**
 * Keeps one track of a recording fed with segments round the position that is looked at.
 *
 * A decoder begins at a key frame: so a seek asks for the segments from the key frame before it on, and for nothing that lies
 * before. What lies far behind is given up again, so that hours of 4K stay some tens of megabytes.
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
}

/** Fetches one file of the track. Rejects with `GoneError` what will never come, with anything else what may. */
export type FetchPart = (name: string, signal: AbortSignal) => Promise<ArrayBuffer>;

/** There is no such file, or it was tampered with: nothing is gained by asking again. */
export class GoneError extends Error {}

const AHEAD_S = 8;
const BEHIND_S = 8;
/** Asked for at once: one comes while the one before it is taken in. */
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
  readonly #present = new Set<number>();
  readonly #coming = new Map<number, { data: Promise<ArrayBuffer>; abort: AbortController }>();
  #position = 0;
  #last = -2;
  #awaited: number | null = null;
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
  handlePosition(position: number): void {
    this.#position = position;
    if (this.#awaited !== null) {
      const [first, last] = this.#wanted;
      // on a thin line a segment that nobody wants any more would hold up the one that is wanted
      if (this.#awaited < first || this.#awaited > last) this.#coming.get(this.#awaited)?.abort.abort();
    }
    if (!this.#running && !this.#closed && this.#next() !== null) void this.#run();
  }

  close(): void {
    this.#closed = true;
    for (const { abort } of this.#coming.values()) abort.abort();
    this.#coming.clear();
  }

  /** The segments that are wanted now, first and last: from the key frame before the position on. */
  get #wanted(): [number, number] {
    const starts = this.#starts;
    const at = Math.max(0, countUpTo(starts, this.#position) - 1);
    return [this.#keyBefore(at), Math.max(at, countUpTo(starts, this.#position + AHEAD_S) - 1)];
  }

  #keyBefore(number: number): number {
    let key = number;
    while (key > 0 && this.list.segments[key]?.[2] !== 1) key -= 1;
    return key;
  }

  /** The segment to append next; null: what is wanted is there. */
  #next(): number | null {
    const [first, last] = this.#wanted;
    for (let number = first; number <= last && number < this.#starts.length; number += 1) {
      if (this.#present.has(number)) continue;
      if (number === this.#last + 1 || this.list.segments[number]?.[2] === 1) return number;
      // a decoder would not take it up in the middle: once more from its key frame on
      const key = this.#keyBefore(number);
      for (let again = key; again < number; again += 1) this.#present.delete(again);
      return key;
    }
    return null;
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      if (!this.#begun) {
        await this.#begin();
        this.#begun = true;
      }
      for (let number = this.#next(); number !== null && !this.#closed; number = this.#next()) await this.#take(number);
      if (!this.#closed && this.#present.has(this.#starts.length - 1)) this.events.oncomplete();
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
    await this.sink.append(await this.#patiently(() => this.fetchPart(this.list.init, new AbortController().signal)), 0);
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
    const data = await this.#patiently(() => this.#fetch(number).data, number);
    this.#awaited = null;
    if (data === null || this.#closed) return;
    const [, last] = this.#wanted;
    if (number < last && this.#coming.size < AT_ONCE) this.#fetch(number + 1);
    try {
      await this.sink.append(data, 0);
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'QuotaExceededError') throw error;
      await this.#giveUp(0, 1);
      await this.sink.append(data, 0);
    }
    this.#coming.delete(number);
    this.#present.add(number);
    this.#last = number;
    await this.#giveUp(BEHIND_S, AHEAD_S);
  }

  #fetch(number: number): { data: Promise<ArrayBuffer>; abort: AbortController } {
    const known = this.#coming.get(number);
    if (known !== undefined) return known;
    const abort = new AbortController();
    const data = this.fetchPart(`${number}.${this.list.init.endsWith('.webm') ? 'webm' : 'm4s'}`, abort.signal);
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
    for (let waiting = false; ; waiting = true) {
      try {
        const data = await ask();
        if (waiting) this.events.onwaiting(false);
        return data;
      } catch (error) {
        if (error instanceof GoneError || this.#closed) throw error;
        if (number !== undefined) {
          this.#coming.delete(number);
          // the one who watches has gone elsewhere meanwhile
          if (this.#next() !== number) {
            if (waiting) this.events.onwaiting(false);
            return null;
          }
        }
        this.events.onwaiting(true);
        await this.wait(RETRY_MS);
      }
    }
  }

  /** Drop what lies further away: before, up to a key frame, since what follows refers to it. */
  async #giveUp(behind: number, ahead: number): Promise<void> {
    const starts = this.#starts;
    const first = this.#keyBefore(Math.max(0, countUpTo(starts, this.#position - behind) - 1));
    const after = countUpTo(starts, this.#position + ahead + BEHIND_S);
    const before = [...this.#present].some((number) => number < first);
    const beyond = [...this.#present].some((number) => number >= after);
    // what fills the time before the first picture stays
    if (before) await this.sink.remove(starts[0] ?? 0, starts[first] ?? 0);
    if (beyond) await this.sink.remove(starts[after] ?? this.#end, Infinity);
    if (before || beyond) for (const number of [...this.#present]) if (number < first || number >= after) this.#present.delete(number);
  }
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
