import { describe, expect, it } from 'vitest';
import { NoteRefused, Notes, NotesApi, type NewNote, type Note } from '../src/replay/study_notes';

/** A server that keeps notes, refuses what it is told to, and remembers what it was asked. */
class Server {
  notes: Note[] = [];
  refuses: number | null = null;
  readonly asked: string[] = [];
  #removed: Note[] = [];
  #count = 0;

  readonly fetch = async (url: string, { method = 'GET', body, headers }: RequestInit): Promise<Response> => {
    this.asked.push(`${method} ${url} ${(headers as Record<string, string>)['Authorization']}`);
    await Promise.resolve();
    if (this.refuses === 0) throw new TypeError('Failed to fetch');
    if (this.refuses !== null) return Response.json({ code: 'x', message: 'No.' }, { status: this.refuses });
    const id = /notes\/(n-\d+)/.exec(url)?.[1];
    const said = typeof body === 'string' ? (JSON.parse(body) as Partial<Note>) : {};
    const found = this.notes.find((note) => note.id === id);
    if (method === 'GET') return Response.json({ notes: this.notes });
    if (url.endsWith('/restore')) {
      const back = this.#removed.find((note) => note.id === id)!;
      this.notes.push(back);
      return Response.json(back);
    }
    if (method === 'POST') {
      const note = { id: `n-${++this.#count}`, author: 'Maria', mine: true, written: this.#count, ...said } as Note;
      this.notes.push(note);
      return Response.json(note, { status: 201 });
    }
    if (method === 'PATCH') return Response.json(Object.assign(found!, said));
    this.notes = this.notes.filter((note) => note !== found);
    this.#removed.push(found!);
    return new Response(null, { status: 204 });
  };
}

const bookmark = (at: number, text = ''): NewNote => ({ kind: 'bookmark', at, text, shared: false });

function opened(): { server: Server; notes: Notes; refused: string[]; ids: () => string[] } {
  const server = new Server();
  const notes = new Notes(new NotesApi('t', '20261122-101500-demo-3f9a', server.fetch));
  const refused: string[] = [];
  notes.on('refused', ({ what, status }) => refused.push(`${what} ${status}`));
  return { server, notes, refused, ids: () => notes.notes.map(({ id }) => id) };
}

describe('notes of a recording', () => {
  it('stand in the order of their times, under the bearer’s key', async () => {
    const { server, notes, ids } = opened();
    await notes.add(bookmark(30));
    expect(await notes.add({ kind: 'clip', at: 10, until: 12, text: 'x', shared: true })).toMatchObject({ id: 'n-2', until: 12, shared: true });
    expect(ids()).toEqual(['n-2', 'n-1']);
    expect(server.asked[0]).toBe('POST /api/study/20261122-101500-demo-3f9a/notes Bearer t');
    const again = new Notes(new NotesApi('t', '20261122-101500-demo-3f9a', server.fetch));
    await again.load();
    expect(again.notes).toEqual(notes.notes);
  });

  it('are taken away at once, and come back by undo, the last one first', async () => {
    const { server, notes, ids } = opened();
    for (const at of [1, 2, 3]) await notes.add(bookmark(at));
    const removing = notes.remove('n-2');
    expect(ids()).toEqual(['n-1', 'n-3']);
    await removing;
    await notes.remove('n-1');
    expect(notes.undoable?.id).toBe('n-1');
    await notes.undo();
    expect([ids(), notes.undoable?.id]).toEqual([['n-1', 'n-3'], 'n-2']);
    await notes.undo();
    expect([ids(), notes.undoable, server.notes.length]).toEqual([['n-1', 'n-2', 'n-3'], null, 3]);
    expect(await notes.undo()).toBe(null);
  });

  it('are there again where the server refuses, and it is said', async () => {
    const { server, notes, refused, ids } = opened();
    await notes.add(bookmark(1, 'as it was'));
    server.refuses = 403;
    await notes.remove('n-1');
    expect([ids(), notes.undoable, refused]).toEqual([['n-1'], null, ['remove 403']]);
    expect(await notes.change('n-1', { text: 'other' })).toBe(false);
    expect(notes.notes[0]?.text).toBe('as it was');
    server.refuses = 409;
    expect(await notes.add(bookmark(2))).toBe(null);
    server.refuses = 0;
    await notes.load();
    expect([ids(), refused.slice(1)]).toEqual([['n-1'], ['change 403', 'keep 409', 'load 0']]);
  });

  it('can be brought back later where the server was away, but not where they are gone for good', async () => {
    const { server, notes, refused, ids } = opened();
    await notes.add(bookmark(1));
    await notes.remove('n-1');
    server.refuses = 0;
    await notes.undo();
    expect(notes.undoable?.id).toBe('n-1');
    server.refuses = 404;
    await notes.undo();
    expect([notes.undoable, ids(), refused]).toEqual([null, [], ['restore 0', 'restore 404']]);
  });

  it('are shared and named anew', async () => {
    const { notes } = opened();
    await notes.add(bookmark(1));
    expect(await notes.change('n-1', { text: 'Cystic duct', shared: true })).toBe(true);
    expect(notes.notes[0]).toMatchObject({ text: 'Cystic duct', shared: true, at: 1 });
  });

  it('hide no mistake of ours', async () => {
    const notes = new Notes({ list: () => Promise.reject(new TypeError('x')) } as never);
    await expect(notes.load()).rejects.toThrow(TypeError);
    expect(new NoteRefused(403, 'No.').message).toBe('No.');
  });
});
