/**
 * Which touches draw. A hand that rests, a second finger, a palm beside the pen: none of them leaves a mark.
 * Times are the page's clock, ms; sizes are those of the contact, px.
 */

export interface Contact {
  pointer: number;
  kind: 'mouse' | 'pen' | 'touch';
  width: number;
  height: number;
}

export type Verdict =
  /** It draws. */
  | 'draw'
  | 'ignore'
  /** It does not, and what is being drawn is given up: a second finger, or the pen after its hand. */
  | 'cancel'
  /** What is being drawn is given up, and this one draws instead. */
  | 'replace';

/** As large as this is a palm, not a fingertip (a thumb in a glove measures about 50 px). */
const PALM_PX = 80;
/** After the pen was seen, touches are the hand that holds it. */
const PEN_REIGNS_MS = 1500;

export class Contacts {
  #drawing: Contact | null = null;
  readonly #touches = new Set<number>();
  /** Two fingers were down: until all are up, none draws. */
  #many = false;
  #penSeen = -Infinity;

  /** The contact that draws. */
  isDrawing(pointer: number): boolean {
    return this.#drawing?.pointer === pointer;
  }

  get active(): boolean {
    return this.#drawing !== null;
  }

  handleDown(contact: Contact, now: number): Verdict {
    if (contact.kind === 'pen') {
      this.#penSeen = now;
      const before = this.#drawing;
      this.#drawing = contact;
      // the hand was quicker than the pen
      return before === null ? 'draw' : 'replace';
    }
    if (contact.kind === 'mouse') {
      if (this.#drawing !== null) return 'ignore';
      this.#drawing = contact;
      return 'draw';
    }
    this.#touches.add(contact.pointer);
    if (this.#drawing?.kind === 'pen' || now - this.#penSeen < PEN_REIGNS_MS) return 'ignore';
    if (this.#touches.size > 1) {
      this.#many = true;
      const drew = this.#drawing !== null;
      this.#drawing = null;
      return drew ? 'cancel' : 'ignore';
    }
    if (this.#many || this.#drawing !== null || Math.max(contact.width, contact.height) > PALM_PX) return 'ignore';
    this.#drawing = contact;
    return 'draw';
  }

  /** A contact moved: one that has grown to a palm is given up. */
  handleMove(contact: Contact, now: number): Verdict {
    if (contact.kind === 'pen') this.#penSeen = now;
    if (!this.isDrawing(contact.pointer)) return 'ignore';
    if (contact.kind === 'touch' && Math.max(contact.width, contact.height) > PALM_PX) {
      this.#drawing = null;
      this.#many = true;
      return 'cancel';
    }
    return 'draw';
  }

  /** A contact ended. True: it was the one that draws. */
  handleUp(pointer: number): boolean {
    this.#touches.delete(pointer);
    if (this.#touches.size === 0) this.#many = false;
    if (!this.isDrawing(pointer)) return false;
    this.#drawing = null;
    return true;
  }
}
