/**
 * What one has drawn and written and the server has not taken yet: said as soon as that lasts, since until then nobody
 * else sees it, and a broken line is noticed only after seconds.
 */
import { Emitter } from './emitter';
import type { Timers } from './timers';

/** Longer than a slow line takes to answer. */
const LATE_MS = 1500;

export interface Waiting {
  marks: number;
  messages: number;
}

export class Unsent extends Emitter<{ changed: undefined }> {
  /** What has waited for long. */
  late: Waiting = { marks: 0, messages: 0 };
  #marks: ReadonlySet<string> = new Set();
  readonly #messages = new Set<string>();
  readonly #since = new Map<string, number>();
  #cancelTimer: () => void = () => undefined;
  #count = 0;

  constructor(private readonly timers: Timers) {
    super();
  }

  /** All that waits, also that which has not waited for long. */
  get waiting(): Waiting {
    return { marks: this.#marks.size, messages: this.#messages.size };
  }

  /** Marks that wait, by their identifiers. */
  handleMarks(marks: Iterable<string>): void {
    this.#marks = new Set(marks);
    this.#look();
  }

  /** A message is on its way until the function returned is called. */
  beginMessage(): () => void {
    // no mark is called so
    const name = `message ${++this.#count}`;
    this.#messages.add(name);
    this.#look();
    return () => {
      this.#messages.delete(name);
      this.#look();
    };
  }

  #look(): void {
    this.#cancelTimer();
    const now = this.timers.now();
    const waits = (name: string): boolean => this.#marks.has(name) || this.#messages.has(name);
    for (const name of this.#since.keys()) if (!waits(name)) this.#since.delete(name);
    for (const name of [...this.#marks, ...this.#messages]) if (!this.#since.has(name)) this.#since.set(name, now);
    const isLate = (name: string): boolean => now - (this.#since.get(name) ?? now) >= LATE_MS;
    const next = [...this.#since].filter(([name]) => !isLate(name)).map(([, since]) => since + LATE_MS - now);
    if (next.length > 0) this.#cancelTimer = this.timers.after(Math.min(...next), () => this.#look());
    const late = { marks: [...this.#marks].filter(isLate).length, messages: [...this.#messages].filter(isLate).length };
    if (late.marks === this.late.marks && late.messages === this.late.messages) return;
    this.late = late;
    this.emit('changed', undefined);
  }
}
