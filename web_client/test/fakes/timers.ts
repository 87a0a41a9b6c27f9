import type { Timers } from '../../src/timers';

/** A clock that only the test moves. */
export class FakeTimers implements Timers {
  #now = 1000;
  #waiting: { at: number; call: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  /** How many timers run. */
  get waiting(): number {
    return this.#waiting.length;
  }

  after(milliseconds: number, call: () => void): () => void {
    const entry = { at: this.#now + milliseconds, call };
    this.#waiting.push(entry);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== entry);
    };
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = this.#waiting.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#waiting = this.#waiting.filter((other) => other !== next);
      this.#now = next.at;
      next.call();
    }
    this.#now = end;
  }

  /** As in a page that nobody looks at: what is due meanwhile is called once, at the end. */
  advanceLate(milliseconds: number): void {
    this.#now += milliseconds;
    const due = this.#waiting.filter(({ at }) => at <= this.#now).sort((a, b) => a.at - b.at);
    this.#waiting = this.#waiting.filter((entry) => !due.includes(entry));
    for (const { call } of due) call();
  }
}
