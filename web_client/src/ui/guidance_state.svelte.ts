/** What the components show of instructions: follows the room's log, and keeps the time. */
import { freshMark, isOpen, lingering, openFirst, type DrawnOnField, type InstructionView } from '../guidance';
import type { Mark, Reaction } from '../signalling/marks';
import type { Session } from '../session';

/** A mark that an open instruction means, and the number on both. */
export interface Ring {
  mark: string;
  /** One, or several that mean the same mark. */
  numbers: string;
  colour: string;
  /** Pointed at on its card, or the one that is to be answered next. */
  strong: boolean;
}

const ANSWERS: Readonly<Record<string, Reaction>> = { y: 'seen', d: 'done', n: 'no' };

export class GuidanceState {
  all = $state.raw<InstructionView[]>([]);
  mayAnswer = $state(false);
  composing = $state(false);
  /** A mark goes with what is composed. */
  withMark = $state(true);
  /** The history is looked at. */
  looking = $state(false);
  /** The instruction whose card is pointed at. */
  pointedAt = $state<string | null>(null);
  /** By the server's clock, ticking while something is open. */
  now = $state(0);
  /** What an instruction would mean that is sent now: what is selected, else one's own fresh mark on the live field. */
  meant = $state.raw<Mark | null>(null);

  constructor(
    private readonly session: Session,
    /** What is drawn on the live fields. */
    private readonly field: () => DrawnOnField[],
  ) {
    const read = (): void => {
      this.all = session.guidance.instructions;
      this.mayAnswer = session.guidance.mayAnswer;
      this.tick();
    };
    session.on('marks', read);
    session.on('room', read);
  }

  get open(): InstructionView[] {
    return openFirst(this.all);
  }

  /** What stands over the picture: what is open, then what was closed just now. */
  get cards(): InstructionView[] {
    return [...this.open, ...lingering(this.all, this.now)];
  }

  get rings(): Ring[] {
    const open = this.open;
    const strong = this.pointedAt ?? open[0]?.instruction ?? null;
    const rings = new Map<string, Ring>();
    for (const { instruction, number, mark, colour } of open) {
      if (mark === null) continue;
      const before = rings.get(mark);
      const numbers = [...(before === undefined ? [] : [before.numbers]), number].join('·');
      rings.set(mark, { mark, numbers, colour, strong: before?.strong === true || instruction === strong });
    }
    const { meant } = this;
    // before it is sent: which mark goes with it, and the number that both will bear
    if (meant !== null && this.withMark && !rings.has(meant.mark)) {
      rings.set(meant.mark, { mark: meant.mark, numbers: `${this.nextNumber}?`, colour: this.session.self?.colour ?? '#ffffff', strong: true });
    }
    return [...rings.values()];
  }

  /** What the next instruction will probably be called: another one may be quicker. */
  get nextNumber(): number {
    return (this.all.at(-1)?.number ?? 0) + 1;
  }

  tick(): void {
    const now = this.session.serverNow();
    if (now !== null) this.now = now;
    this.meant = this.composing ? this.#whatIsMeant() : null;
  }

  /** Open the composer, or close it. */
  compose(composing: boolean): void {
    this.composing = composing;
    this.tick();
  }

  #whatIsMeant(): Mark | null {
    const { pens, replica, self } = this.session;
    const [selected] = pens.selection.selected;
    if (selected !== undefined) return replica.find(selected)?.mark ?? null;
    return freshMark(this.field(), self?.participant ?? null, this.now);
  }

  /** Whether something changes with time. */
  get ticking(): boolean {
    return this.composing || this.all.some(isOpen) || lingering(this.all, this.now).length > 0;
  }

  handleKey(key: string): boolean {
    if (key === 'i' && this.session.room.may('mark')) {
      this.compose(!this.composing);
      return true;
    }
    const answer = ANSWERS[key];
    return answer !== undefined && this.session.guidance.answerFirst(answer);
  }
}
