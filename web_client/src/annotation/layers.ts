/**
 * A layer an expert: shown, hidden, or alone. It holds for this page only and as long as it lives; whoever joins or
 * comes back is shown. What is hidden is said on the picture, since a mark that is not seen is a hazard.
 */
import { Emitter } from '../emitter';
import type { ParticipantId } from '../signalling/protocol';

export class Layers extends Emitter<{ changed: undefined }> {
  #hidden = new Set<ParticipantId>();
  #solo: ParticipantId | null = null;
  #ghosts = true;

  /** The only one shown; null: nobody is alone. */
  get solo(): ParticipantId | null {
    return this.#solo;
  }

  /** Whether others' hovering pens are shown. */
  get ghosts(): boolean {
    return this.#ghosts;
  }

  isShown(author: ParticipantId): boolean {
    return this.#solo === null ? !this.#hidden.has(author) : this.#solo === author;
  }

  /** How many of these layers are not shown. */
  hiddenOf(authors: Iterable<ParticipantId>): number {
    return new Set([...authors].filter((author) => !this.isShown(author))).size;
  }

  /** Show or hide one; whoever was alone is so no longer. */
  setShown(author: ParticipantId, shown: boolean): void {
    if (shown) this.#hidden.delete(author);
    else this.#hidden.add(author);
    this.#solo = null;
    this.emit('changed', undefined);
  }

  /** Show one alone, or again all that were shown before. */
  toggleSolo(author: ParticipantId): void {
    this.#solo = this.#solo === author ? null : author;
    this.emit('changed', undefined);
  }

  setGhosts(shown: boolean): void {
    this.#ghosts = shown;
    this.emit('changed', undefined);
  }

  showAll(): void {
    if (this.#hidden.size === 0 && this.#solo === null) return;
    this.#hidden.clear();
    this.#solo = null;
    this.emit('changed', undefined);
  }
}
