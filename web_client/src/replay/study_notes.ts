/** The notes of a recording (PROTOCOL.md §8): one's own and those that are shared; each can be taken back for a while. */
import { Emitter } from '../emitter';

export type NoteKind = 'bookmark' | 'comment' | 'clip';

export interface Note {
  id: string;
  kind: NoteKind;
  /** Seconds after the recording's start. */
  at: number;
  /** Of a clip. */
  until?: number;
  text: string;
  /** Its words are not told: they may name the patient, and nobody knows whose recording it is. */
  withheld?: boolean;
  author: string;
  mine: boolean;
  shared: boolean;
  /** Unix ms. */
  written: number;
}

export type NewNote = Pick<Note, 'kind' | 'at' | 'text' | 'shared'> & { until?: number };
export type NoteChange = Partial<Pick<Note, 'text' | 'shared'>>;

/** What the server said instead; 0: it could not be reached. */
export class NoteRefused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'NoteRefused';
  }
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export class NotesApi {
  readonly #base: string;

  constructor(
    private readonly token: string,
    recording: string,
    private readonly fetch: Fetch = (url, init) => globalThis.fetch(url, init),
  ) {
    this.#base = `/api/study/${encodeURIComponent(recording)}/notes`;
  }

  async list(): Promise<Note[]> {
    return ((await (await this.#ask('GET', '')).json()) as { notes: Note[] }).notes;
  }

  async add(note: NewNote): Promise<Note> {
    return (await this.#ask('POST', '', note)).json() as Promise<Note>;
  }

  async change(id: string, change: NoteChange): Promise<Note> {
    return (await this.#ask('PATCH', `/${id}`, change)).json() as Promise<Note>;
  }

  async remove(id: string): Promise<void> {
    await this.#ask('DELETE', `/${id}`);
  }

  async restore(id: string): Promise<Note> {
    return (await this.#ask('POST', `/${id}/restore`)).json() as Promise<Note>;
  }

  async #ask(method: string, path: string, body?: unknown): Promise<Response> {
    const headers = { Authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) };
    let answer: Response;
    try {
      answer = await this.fetch(this.#base + path, { method, headers, credentials: 'same-origin', ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    } catch {
      throw new NoteRefused(0, '');
    }
    if (answer.ok) return answer;
    const said = (await answer.json().catch(() => ({}))) as { message?: string };
    throw new NoteRefused(answer.status, said.message ?? '');
  }
}

interface NotesEvents {
  changed: undefined;
  /** Something was not kept, or could not be told. */
  refused: { what: 'load' | 'keep' | 'change' | 'remove' | 'restore'; status: number };
}

export class Notes extends Emitter<NotesEvents> {
  /** In the order of their times. */
  notes: readonly Note[] = [];
  /** What was taken away and can be brought back, the newest last. */
  readonly #removed: Note[] = [];

  constructor(private readonly api: Pick<NotesApi, 'list' | 'add' | 'change' | 'remove' | 'restore'>) {
    super();
  }

  /** What `undo` would bring back; null: nothing. */
  get undoable(): Note | null {
    return this.#removed.at(-1) ?? null;
  }

  async load(): Promise<void> {
    await this.#attempt('load', async () => this.#set(await this.api.list()));
  }

  /** Keep a note; gives it as the server keeps it, null: it was refused. */
  add(note: NewNote): Promise<Note | null> {
    return this.#attempt('keep', async () => {
      const kept = await this.api.add(note);
      this.#set([...this.notes, kept]);
      return kept;
    });
  }

  async change(id: string, change: NoteChange): Promise<boolean> {
    const changed = await this.#attempt('change', async () => {
      const kept = await this.api.change(id, change);
      this.#set(this.notes.map((note) => (note.id === id ? kept : note)));
      return true;
    });
    return changed === true;
  }

  /** Take a note away: it is gone from sight at once, and there again where the server refuses. */
  async remove(id: string): Promise<void> {
    const note = this.notes.find((one) => one.id === id);
    if (note === undefined) return;
    this.#set(this.notes.filter((one) => one !== note));
    const removed = await this.#attempt('remove', async () => {
      await this.api.remove(id);
      return true;
    });
    if (removed === true) this.#removed.push(note);
    else this.#set([...this.notes, note]);
    this.emit('changed', undefined);
  }

  /** Bring back what was taken away last; where the server cannot be reached it can be tried again. */
  async undo(): Promise<Note | null> {
    const note = this.#removed.pop();
    if (note === undefined) return null;
    try {
      const kept = await this.api.restore(note.id);
      this.#set([...this.notes, kept]);
      return kept;
    } catch (error) {
      if (!(error instanceof NoteRefused)) throw error;
      if (error.status !== 404) this.#removed.push(note);
      this.emit('refused', { what: 'restore', status: error.status });
      this.emit('changed', undefined);
      return null;
    }
  }

  #set(notes: readonly Note[]): void {
    this.notes = [...notes].sort((a, b) => a.at - b.at || a.written - b.written);
    this.emit('changed', undefined);
  }

  async #attempt<Result>(what: NotesEvents['refused']['what'], work: () => Promise<Result>): Promise<Result | null> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NoteRefused)) throw error;
      this.emit('refused', { what, status: error.status });
      return null;
    }
  }
}
