/** Whose marks are shown: each expert's on, off, or alone. */
import type { ParticipantId } from '../signalling/protocol';

export class ShownAuthors {
  readonly #off = new Set<ParticipantId>();
  readonly #solo = new Set<ParticipantId>();

  constructor(private readonly authors: readonly ParticipantId[]) {}

  isOff(author: ParticipantId): boolean {
    return this.#off.has(author);
  }

  isSolo(author: ParticipantId): boolean {
    return this.#solo.has(author);
  }

  get soloed(): boolean {
    return this.#solo.size > 0;
  }

  /** As long as somebody stands alone, nobody else is shown, whatever was said of him before. */
  isShown(author: ParticipantId): boolean {
    return this.#solo.size > 0 ? this.#solo.has(author) : !this.#off.has(author);
  }

  get hidden(): Set<ParticipantId> {
    return new Set(this.authors.filter((author) => !this.isShown(author)));
  }

  /** Show or hide one's marks. Whoever is switched while others stand alone joins them, or leaves them. */
  setOff(author: ParticipantId, off: boolean): void {
    if (off) {
      this.#off.add(author);
      this.#solo.delete(author);
    } else {
      this.#off.delete(author);
      if (this.#solo.size > 0) this.#solo.add(author);
    }
  }

  toggleSolo(author: ParticipantId): void {
    if (!this.#solo.delete(author)) this.#solo.add(author);
  }

  /** The next one alone; after the last all of them again. */
  nextSolo(): ParticipantId | null {
    const at = this.authors.findIndex((author) => this.#solo.has(author));
    const next = this.authors[at + 1] ?? null;
    this.#solo.clear();
    if (next !== null) this.#solo.add(next);
    return next;
  }

  showAll(): void {
    this.#off.clear();
    this.#solo.clear();
  }
}
