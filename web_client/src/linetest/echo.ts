/** Delay, loss and jitter of a way, from small numbered messages and when they came back. */
import type { Quality } from './verdict';

export class EchoCounter {
  readonly #sent: number[] = [];
  readonly #delays: number[] = [];
  readonly #seen = new Set<number>();

  /** The number of the next message, sent now. */
  handleSend(now: number): number {
    this.#sent.push(now);
    return this.#sent.length - 1;
  }

  /** A message that came back; what was never sent, or came before, is not counted. */
  handleEcho(number: number, now: number): void {
    const sent = this.#sent[number];
    if (sent === undefined || this.#seen.has(number)) return;
    this.#seen.add(number);
    this.#delays.push(now - sent);
  }

  /** Null: nothing came back at all. */
  get quality(): Quality | null {
    const delays = this.#delays;
    if (delays.length === 0) return null;
    const sorted = [...delays].sort((a, b) => a - b);
    const changes = delays.slice(1).map((delay, at) => Math.abs(delay - (delays[at] ?? delay)));
    return {
      delay: sorted[Math.floor(sorted.length / 2)] ?? 0,
      jitter: changes.length === 0 ? 0 : changes.reduce((sum, change) => sum + change, 0) / changes.length,
      loss: (1 - delays.length / this.#sent.length) * 100,
    };
  }
}
