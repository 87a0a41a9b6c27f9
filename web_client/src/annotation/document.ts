/**
 * The room's log as this participant holds it: the twin of `annotation/document.py`'s Replica.
 *
 * The server numbers every operation; a replica applies them in that order and nothing else decides what is
 * seen. One's own marks are shown at once as "pending" and lose that name when their number comes.
 */
import { Emitter } from '../emitter';
import { editedBy, type Track } from '../signalling/marks';
import type { LoggedOperation, Mark, MarksSnapshot, ParticipantId } from '../signalling/protocol';
import { digest } from './digest';
import { Notebook } from './notebook';
import { isSameTissue, visibleMarks, type VisibleMark } from './sum';

export { visibleMarks, type VisibleMark } from './sum';

interface ReplicaEvents {
  changed: undefined;
  /** Numbers are missing: ask for all after this one, then `handleSnapshot`. */
  gap: { after: number };
}

interface Pending {
  visible: VisibleMark;
  kind: 'add' | 'edit';
  isEdited: boolean;
  /** What was edited together bears the same. */
  movement: number;
  /** Requests under way: an earlier edit's answer must not show what a later one has changed. */
  requests: number;
}

/** So many operations later the server's compacted log is fetched in place of the one held. */
const COMPACT_AFTER = 5000;

export class Replica extends Emitter<ReplicaEvents> {
  /** On marks, by sequence, in its order. */
  #operations = new Map<number, LoggedOperation>();
  #names = new Set<string>();
  /** The newest of each mark. */
  #tracks = new Map<string, { sequence: number; track: Track }>();
  #notebook = new Notebook();
  #early = new Map<number, LoggedOperation>();
  #pending = new Map<string, Pending>();
  #movement = 0;
  /** Edits of several marks that the server has numbered, until their entry is here. */
  #numbered = new Map<number, readonly Mark[]>();
  #sequence = 0;
  #compactAt = COMPACT_AFTER;
  #decided: VisibleMark[] | null = null;
  #visible: VisibleMark[] | null = null;
  #byName: Map<string, VisibleMark> | null = null;

  /** The number of the last operation applied. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Marks to be shown as they look now, the oldest first, one's own unconfirmed ones last. */
  get visible(): readonly VisibleMark[] {
    this.#visible ??= this.#pending.size === 0 ? this.#known() : this.#withPending();
    return this.#visible;
  }

  get pending(): readonly Mark[] {
    return [...this.#pending.values()].map(({ visible }) => visible.mark);
  }

  /** The adds and edits to be asked for once more after a broken connection, which lost their answers. */
  resumePending(): { kind: 'add' | 'edit'; marks: Mark[] }[] {
    const adds: Mark[] = [];
    const edits = new Map<number, Mark[]>();
    for (const pending of this.#pending.values()) {
      const { kind, isEdited, movement, visible } = pending;
      // of an add that was edited since nobody knows which of them arrived
      pending.requests = kind === 'add' && isEdited ? 2 : 1;
      if (kind === 'add') adds.push(visible.mark);
      if (kind === 'edit' || isEdited) edits.set(movement, [...(edits.get(movement) ?? []), visible.mark]);
    }
    return [...adds.map((mark) => ({ kind: 'add' as const, marks: [mark] })), ...[...edits.values()].map((marks) => ({ kind: 'edit' as const, marks }))];
  }

  find(mark: string): VisibleMark | null {
    this.#byName ??= new Map(this.visible.map((visible) => [visible.mark.mark, visible]));
    return this.#byName.get(mark) ?? null;
  }

  /** Where a mark's tissue was last seen, since the mark was last moved; null: nobody looked. */
  trackOf(mark: string): Track | null {
    const visible = this.#tracks.has(mark) ? this.find(mark) : null;
    return visible === null ? null : this.#trackSince(visible);
  }

  /** Instructions with their answers, the oldest first. */
  get instructions(): Notebook['instructions'] {
    return this.#notebook.instructions;
  }

  get chat(): Notebook['chat'] {
    return this.#notebook.chat;
  }

  get stills(): Notebook['stills'] {
    return this.#notebook.stills;
  }

  get files(): Notebook['files'] {
    return this.#notebook.files;
  }

  get boards(): Notebook['boards'] {
    return this.#notebook.boards;
  }

  get calibrations(): Notebook['calibrations'] {
    return this.#notebook.calibrations;
  }

  /** The hash of what the log shows, pending marks aside: equal at the server, on all pages and in replay. */
  digest(): Promise<string> {
    return digest(this.#known(), (visible) => this.#trackSince(visible), this.#notebook);
  }

  /** Begin anew, as a new participant. */
  reset(): void {
    this.#pending.clear();
    this.#numbered.clear();
    this.#forget();
    this.#changed();
  }

  /** What the server says is lacking: from `welcome`, or the answer to `marks`. */
  handleSnapshot(snapshot: MarksSnapshot): void {
    const { after } = snapshot;
    // from the beginning, compacted: it replaces what is held
    if (after === 0) this.#forget();
    if (after !== undefined && after > this.#sequence) {
      // it does not join on
      this.emit('gap', { after: this.#sequence });
      return;
    }
    for (const operation of snapshot.operations) {
      if (operation.sequence > this.#sequence && !this.#apply(operation)) return this.#askForAll();
    }
    this.#sequence = Math.max(this.#sequence, snapshot.sequence);
    this.#compactAt = this.#operations.size + COMPACT_AFTER;
    this.#applyEarly();
    this.#settleLeftOut();
    this.#changed();
  }

  /** One `operation` notice. */
  handleOperation(operation: LoggedOperation): void {
    if (operation.sequence <= this.#sequence) return;
    if (operation.sequence > this.#sequence + 1) {
      this.#early.set(operation.sequence, operation);
      this.emit('gap', { after: this.#sequence });
      return;
    }
    if (!this.#apply(operation)) return this.#askForAll();
    this.#applyEarly();
    this.#settleLeftOut();
    this.#changed();
    if (this.#operations.size > this.#compactAt) {
      this.#compactAt = this.#operations.size + COMPACT_AFTER;
      this.emit('gap', { after: 0 });
    }
  }

  /** Show one's own marks, or what one makes of them, before the server has numbered them: once for each request. */
  addPending(marks: readonly Mark[], author: ParticipantId, name: string, colour: string, kind: 'add' | 'edit' = 'add'): void {
    const movement = (this.#movement += 1);
    for (const mark of marks) {
      const before = this.#pending.get(mark.mark);
      const visible = { mark, author, name, colour, sequence: null, time: null, anchored: null, changed: 0 };
      const requests = (before?.requests ?? 0) + 1;
      this.#pending.set(mark.mark, { visible, kind: before?.kind ?? kind, isEdited: kind === 'edit', movement, requests });
    }
    this.#changed();
  }

  /** The server refused the marks, or they were never sent. */
  removePending(marks: readonly Mark[]): void {
    const settled = marks.filter(({ mark }) => this.#settlePending(mark));
    if (settled.length > 0) this.#changed();
  }

  /** The server has numbered what was asked for: it left out what was no longer there. */
  handleAnswer(sequence: number, marks: readonly Mark[]): void {
    if (marks.length > 1) this.#numbered.set(sequence, marks);
    if (this.#settleLeftOut()) this.#changed();
  }

  #settleLeftOut(): boolean {
    let settled = false;
    for (const [sequence, marks] of this.#numbered) {
      if (sequence > this.#sequence) continue;
      this.#numbered.delete(sequence);
      const operation = this.#operations.get(sequence)?.operation;
      const taken = new Set(operation?.kind === 'edit' ? editedBy(operation).map(({ mark }) => mark) : []);
      for (const { mark } of marks) if (!taken.has(mark)) settled = this.#settlePending(mark) || settled;
    }
    return settled;
  }

  #trackSince({ mark, changed }: VisibleMark): Track | null {
    const known = this.#tracks.get(mark.mark);
    return known !== undefined && known.sequence > changed ? known.track : null;
  }

  #known(): VisibleMark[] {
    this.#decided ??= visibleMarks(this.#operations);
    return this.#decided;
  }

  #withPending(): VisibleMark[] {
    const marks = this.#known().map((known) => {
      const pending = this.#pending.get(known.mark.mark);
      if (pending === undefined) return known;
      const { mark } = pending.visible;
      // where one has just put it nobody has looked yet
      const changed = isSameTissue(known.mark, mark) ? known.changed : Infinity;
      return { ...known, mark, changed, sequence: null };
    });
    const names = new Set(marks.map(({ mark }) => mark.mark));
    // an edit of what has gone meanwhile shows nothing
    const added = [...this.#pending.values()].filter(({ kind, visible }) => kind === 'add' && !names.has(visible.mark.mark));
    return [...marks, ...added.map(({ visible }) => visible)];
  }

  #settlePending(mark: string): boolean {
    const pending = this.#pending.get(mark);
    if (pending === undefined) return false;
    pending.requests -= 1;
    if (pending.requests > 0) pending.kind = 'edit';
    else this.#pending.delete(mark);
    return true;
  }

  /** False where it acts on what is not held: then this copy is not whole. */
  #apply(logged: LoggedOperation): boolean {
    const { operation, sequence } = logged;
    switch (operation.kind) {
      case 'undo':
      case 'redo':
        if (operation.target === undefined || !this.#operations.has(operation.target)) return false;
        break;
      case 'edit':
        if (!editedBy(operation).every(({ mark }) => this.#names.has(mark))) return false;
        break;
      case 'add':
        this.#names.add(operation.mark.mark);
        break;
      case 'track':
        for (const track of operation.tracks) this.#tracks.set(track.mark, { sequence, track });
    }
    this.#sequence = sequence;
    if (operation.kind === 'track' || this.#notebook.record(logged)) return true;
    this.#operations.set(sequence, logged);
    this.#decided = null;
    if (operation.kind === 'add') this.#settlePending(operation.mark.mark);
    if (operation.kind === 'edit') for (const { mark } of editedBy(operation)) this.#settlePending(mark);
    return true;
  }

  #applyEarly(): void {
    for (const sequence of [...this.#early.keys()].sort((a, b) => a - b)) {
      if (sequence > this.#sequence + 1) break;
      const operation = this.#early.get(sequence);
      this.#early.delete(sequence);
      if (operation !== undefined && sequence > this.#sequence && !this.#apply(operation)) return this.#askForAll();
    }
  }

  #askForAll(): void {
    // what is known stays on the glass until the answer comes
    this.emit('gap', { after: 0 });
    this.#changed();
  }

  #forget(): void {
    this.#operations.clear();
    this.#names.clear();
    this.#tracks.clear();
    this.#notebook = new Notebook();
    this.#early.clear();
    this.#sequence = 0;
    this.#decided = null;
  }

  #changed(): void {
    this.#visible = null;
    this.#byName = null;
    this.emit('changed', undefined);
  }
}
