/** The clock of the page, as an argument: the tests hand in one that they move themselves. */
export interface Timers {
  /** Milliseconds that only ever go forwards. */
  now(): number;
  /** Call once after some milliseconds; the function returned calls it off. */
  after(milliseconds: number, call: () => void): () => void;
}

export const pageTimers: Timers = {
  now: () => performance.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  },
};
