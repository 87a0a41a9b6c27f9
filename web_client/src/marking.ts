/**
 * What one adds to the room's log, and what one lacks of it: marks are shown at once and asked for, and asked for again
 * where a broken connection took the answer.
 */
import type { Replica } from './annotation/document';
import { together } from './annotation/together';
import { RequestError, isDisconnection, type ClientOperation, type Mark, type Participant, type Reply, type Request } from './signalling/protocol';

export class Marking {
  #asking = false;

  constructor(
    private readonly replica: Replica,
    private readonly self: () => Participant | null,
    /** Rejects with a RequestError. */
    private readonly request: (request: Request) => Promise<Reply>,
    private readonly refused: (kind: 'mark_refused' | 'request_refused', error: unknown) => void,
  ) {
    replica.on('gap', ({ after }) => void this.#askForAll(after));
  }

  add(mark: Mark): void {
    void this.#put('add', [mark]);
  }

  /** Put changed marks of one's own in the place of those of the same identifiers: one undo takes all of them back. */
  edit(marks: readonly Mark[]): void {
    for (const part of together(marks)) void this.#put('edit', part);
  }

  /** What was under way when the connection broke: `duplicate_mark` will say if it had arrived. */
  resume(): void {
    for (const { kind, marks } of this.replica.resumePending()) void this.#put(kind, marks, true);
  }

  async #put(kind: 'add' | 'edit', marks: Mark[], again = false): Promise<void> {
    const [self, [mark]] = [this.self(), marks];
    if (self === null || mark === undefined) return;
    if (!again) this.replica.addPending(marks, self.participant, self.name, self.colour, kind);
    const operation: ClientOperation = kind === 'edit' && marks.length > 1 ? { kind, marks } : { kind, mark };
    try {
      const { sequence } = await this.request({ type: 'mark', operation });
      if (sequence !== undefined) this.replica.handleAnswer(sequence, marks);
    } catch (error) {
      if (isDisconnection(error)) return;
      this.replica.removePending(marks);
      if (!(error instanceof RequestError && error.code === 'duplicate_mark')) this.refused('mark_refused', error);
    }
  }

  /** Ask for all entries after a number. */
  async #askForAll(after: number): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      const { sequence, operations, after: from } = await this.request({ type: 'marks', after });
      this.#asking = false;
      if (sequence === undefined || operations === undefined) return;
      this.replica.handleSnapshot({ sequence, operations, ...(from === undefined ? {} : { after: from }) });
    } catch (error) {
      this.#asking = false;
      // after a break the welcome brings what is lacking
      if (!isDisconnection(error)) this.refused('request_refused', error);
    }
  }
}
