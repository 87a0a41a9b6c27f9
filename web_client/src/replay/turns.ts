/**
 * Who may fetch next, of all that want to: the most urgent. Sixteen cameras and their sounds would otherwise share a line
 * evenly, and the picture that is looked at would come after the seconds to come of fifteen small ones.
 */
export class Turns {
  #running = 0;
  readonly #waiting: { urgency: () => number; begin: () => void }[] = [];

  /** `most` at once: a browser has six connections to a server, and others than pictures need one. */
  constructor(private readonly most = 4) {}

  /** Do `work` when it is its turn; `urgency` is asked then, the smallest comes first. Rejects as `work`, and when let go. */
  async take<Result>(urgency: () => number, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    signal.throwIfAborted();
    if (this.#running < this.most) this.#running += 1;
    else await this.#turn(urgency, signal);
    try {
      return await work();
    } finally {
      this.#pass();
    }
  }

  #turn(urgency: () => number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(signal.reason as Error);
      };
      const entry = {
        urgency,
        begin: (): void => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(entry);
    });
  }

  /** Hand a place on to the most urgent, or have it free. */
  #pass(): void {
    const next = this.#waiting.map((entry) => ({ entry, urgency: entry.urgency() })).sort((a, b) => a.urgency - b.urgency)[0]?.entry;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    next.begin();
  }
}
