/**
 * What of a recording was really watched: parts that were played at their speed, on a page that was seen. Told to the
 * server every few seconds; what could not be told waits.
 */
export interface PlayedPart {
  from: number;
  to: number;
  speed: number;
}

/** Between two calls at most so much more may have been played than time went by: else it was a jump. */
const JITTER_S = 0.35;
/** What is shorter was passed by, not watched. */
const SHORTEST_S = 0.2;
/** So often it is told (ms). */
const EVERY_MS = 15_000;
/** As many parts as the server takes at once. */
const MOST = 100;

/** What is being told just now: whoever shows hours waits for it. */
export const underWay = new Set<Promise<unknown>>();

export class Heartbeat {
  #parts: PlayedPart[] = [];
  #open: PlayedPart | null = null;
  #last: { position: number; now: number } | null = null;
  #told = 0;

  /** `send` tells the server, and says whether it was taken (`gone`: it never will be). */
  constructor(private readonly send: (parts: PlayedPart[], leaving: boolean) => Promise<'taken' | 'gone' | 'later'>) {}

  /** To be called for every frame of the screen; `now` in ms. */
  handleTick(position: number, playing: boolean, speed: number, seen: boolean, now: number): void {
    const last = this.#last;
    this.#last = { position, now };
    if (this.#told === 0) this.#told = now;
    const [moved, elapsed] = last === null ? [0, 0] : [position - last.position, (now - last.now) / 1000];
    const isPlayed = last !== null && playing && seen && moved >= 0 && moved <= elapsed * speed + JITTER_S;
    if (!isPlayed) this.#close();
    else if (moved > 0) {
      if (this.#open === null || this.#open.speed !== speed) {
        this.#close();
        this.#open = { from: last.position, to: position, speed };
      } else this.#open.to = position;
    }
    if (now - this.#told >= EVERY_MS) void this.tell(now, false);
  }

  /** Tell what there is; `leaving`: the page goes away. */
  async tell(now: number, leaving: boolean): Promise<void> {
    this.#told = now;
    this.#close();
    const parts = this.#parts.splice(0, MOST);
    if (parts.length === 0) return;
    const telling = this.send(parts, leaving);
    underWay.add(telling);
    const answer = await telling.finally(() => underWay.delete(telling));
    if (answer === 'later') this.#parts.unshift(...parts);
  }

  #close(): void {
    const part = this.#open;
    this.#open = null;
    if (part !== null && part.to - part.from >= SHORTEST_S) this.#parts.push(part);
  }
}
