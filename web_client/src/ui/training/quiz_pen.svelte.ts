/** One mark on a frozen frame, drawn with the live page's own tools: what a question is answered with. */
import type { Sheet } from '../../annotation/sheet';
import { Replica } from '../../annotation/document';
import { Tools } from '../../annotation/tools';
import { Emitter } from '../../emitter';
import { Pens } from '../../pens';
import type { VideoAnchor } from '../../signalling/marks';
import type { Mark, Point } from '../../signalling/protocol';
import { pageTimers } from '../../timers';
import type { Drawing, OverlayMark, OverlaySource } from '../overlay_source';

export interface Shown {
  mark: Mark;
  name: string;
  colour: string;
}

/** Who draws here is nobody in the room. */
const SELF = 'quiz';
export const OWN_COLOUR = '#00c3ff';
export const ANSWER_COLOUR = '#00ff87';

export class QuizPen extends Emitter<{ changed: undefined }> implements OverlaySource {
  readonly tools = new Tools('quiz');
  readonly #replica = new Replica();
  readonly pens = new Pens(this.tools, this.#replica, pageTimers);
  readonly drawing: Drawing;
  /** Where others marked, as places of the picture. */
  heat = $state.raw<readonly Point[]>([]);
  /** What else is on the frame: the expert's mark, what others answered. */
  #shown: readonly Shown[] = [];
  /** Nothing may be drawn any more. */
  #closed = false;

  constructor(
    readonly anchor: VideoAnchor,
    private readonly name: () => string,
  ) {
    super();
    const give = (): VideoAnchor => ({ ...anchor });
    this.drawing = { pens: this.pens, tools: this.tools, self: SELF, mayDeleteAll: false, anchor: give, newest: give, permit: () => !this.#closed, permitMove: () => !this.#closed };
    this.tools.choose('pin');
    this.tools.on('mark', (mark) => {
      // one answer: a new mark takes the place of the one before
      this.#replica.reset();
      this.#replica.addPending([mark], SELF, this.name(), OWN_COLOUR);
    });
    this.pens.on('edit', (marks) => this.#replica.addPending(marks, SELF, this.name(), OWN_COLOUR, 'edit'));
    this.pens.on('operation', ({ kind }) => {
      if (kind === 'delete') this.clear();
    });
    const say = (): void => this.emit('changed', undefined);
    this.tools.on('changed', say);
    this.#replica.on('changed', say);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** The log's name of the one mark that is shown and not drawn here; null: there is none. */
  get shownMark(): string | null {
    return this.#closed ? (this.#shown[0]?.mark.mark ?? null) : null;
  }

  get mark(): Mark | null {
    return this.#replica.visible[0]?.mark ?? null;
  }

  clear(): void {
    this.tools.handleCancel();
    this.pens.selection.clear();
    this.#replica.reset();
  }

  close(shown: readonly Shown[]): void {
    this.#closed = true;
    this.tools.handleCancel();
    this.pens.selection.clear();
    this.show(shown);
  }

  show(shown: readonly Shown[]): void {
    this.#shown = shown;
    this.emit('changed', undefined);
  }

  marks(sheet: Sheet): OverlayMark[] {
    if (sheet !== this.anchor.producer) return [];
    const marks: OverlayMark[] = this.#shown.map(({ mark, name, colour }, index) => ({ mark: { ...mark, mark: `shown-${index}` }, author: `shown-${index}`, name, colour, draft: false }));
    for (const { mark, author, name, colour } of this.#replica.visible) marks.push({ mark: this.pens.selection.shown(mark), author, name, colour, draft: false });
    const { inProgress } = this.tools;
    // its points are changed in place: a copy has an outline of its own
    if (inProgress !== null) marks.push({ mark: { ...inProgress }, author: SELF, name: this.name(), colour: OWN_COLOUR, draft: true });
    return marks;
  }

  pointers(): [] {
    return [];
  }

  hiddenLayers(): number {
    return 0;
  }

  showAllLayers(): void {}

  onChanged(listener: () => void): () => void {
    return this.on('changed', listener);
  }
}
