/**
 * How large each picture is shown, told to the server so that it sends no more than can be seen (PROTOCOL.md §3, `view`).
 *
 * Sizes are in pixels of the screen; 0 and 0 stands for a picture that nobody sees. A window that is being resized says
 * so once it rests.
 */
import { Emitter } from '../emitter';
import type { ProducerId } from '../signalling/protocol';
import type { Timers } from '../timers';

export interface ViewSize {
  width: number;
  height: number;
}

interface ViewEvents {
  view: ViewSize & { producer: ProducerId };
}

/** A size that has not changed for so long is told. */
const SETTLED_MS = 150;
const HIDDEN: ViewSize = { width: 0, height: 0 };

export class Views extends Emitter<ViewEvents> {
  readonly #shown = new Map<ProducerId, ViewSize & { by: object }>();
  readonly #told = new Map<ProducerId, ViewSize>();
  #pageHidden = false;
  #cancel: () => void = () => undefined;

  constructor(private readonly timers: Timers) {
    super();
  }

  /** A picture is shown at this size now; `by` whom, as it may move from one element to another. */
  handleSize(producer: ProducerId, by: object, width: number, height: number): void {
    this.#shown.set(producer, { by, width: Math.round(width), height: Math.round(height) });
    this.#schedule();
  }

  /** That element is no longer on the page. */
  handleGone(producer: ProducerId, by: object): void {
    if (this.#shown.get(producer)?.by !== by) return;
    this.#shown.set(producer, { by, ...HIDDEN });
    this.#schedule();
  }

  /** The whole page is hidden, or seen again. */
  handlePageHidden(hidden: boolean): void {
    this.#pageHidden = hidden;
    this.#schedule();
  }

  /** A producer has ended. */
  handleRemoved(producer: ProducerId): void {
    this.#shown.delete(producer);
    this.#told.delete(producer);
  }

  /** The server offers anew, or there was a break: it may know nothing of what it was told. */
  tellAnew(): void {
    this.#told.clear();
    this.#schedule();
  }

  stop(): void {
    this.#cancel();
  }

  #schedule(): void {
    this.#cancel();
    this.#cancel = this.timers.after(SETTLED_MS, () => this.#tell());
  }

  #tell(): void {
    for (const [producer, shown] of this.#shown) {
      const size = this.#pageHidden ? HIDDEN : shown;
      const told = this.#told.get(producer);
      if (told?.width === size.width && told.height === size.height) continue;
      const { width, height } = size;
      this.#told.set(producer, { width, height });
      this.emit('view', { producer, width, height });
    }
  }
}
