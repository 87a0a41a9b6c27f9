/** What stands on the time line of a recording, row by row: who spoke, whose marks, what was asked, what was noted. */
import type { Key } from '../words/en';
import type { Values } from '../words/words';
import type { ParticipantId } from '../signalling/protocol';
import type { Chapter } from './chapters';
import type { Description } from './description';
import { ROW_KINDS, type RowKind } from './study_kinds';
import type { Note } from './study_notes';

export interface Item {
  at: number;
  until: number | null;
  row: RowKind;
  kind: Chapter['kind'] | 'speaker' | Note['kind'];
  person: ParticipantId | null;
  colour: string;
  words: { key: Key; values: Values } | null;
  plain: string;
  /** Of a note: its name. */
  note?: string;
}

export interface Row {
  /** Of marks there is a row an author. */
  key: string;
  kind: RowKind;
  person: ParticipantId | null;
  name: string;
  colour: string;
  items: readonly Item[];
}

/** What is looked for: rows that are not hidden, of one person or of all. */
export interface Filter {
  hidden: ReadonlySet<RowKind>;
  /** Null: everybody. */
  person: ParticipantId | null;
}

export const UNFILTERED: Filter = { hidden: new Set(), person: null };

/** A person falls silent for a breath and goes on: that is one speech. */
const BREATH_S = 0.8;

/** Who had the word when. */
export function speechesOf(description: Description): Item[] {
  const people = new Map(description.participants.map((person) => [person.participant, person]));
  const turns = description.events
    .filter((event) => event.kind === 'speaker' || event.kind === 'participant_left')
    .sort((a, b) => a.at - b.at);
  const speeches: Item[] = [];
  let open: { person: ParticipantId; at: number } | null = null;
  const close = (until: number): void => {
    const speaker = open === null ? undefined : people.get(open.person);
    if (open === null || speaker === undefined || until <= open.at) return void (open = null);
    const last = speeches.at(-1);
    if (last?.person === open.person && open.at - (last.until ?? 0) <= BREATH_S) last.until = until;
    else {
      const { at, person } = open;
      speeches.push({ at, until, row: 'speakers', kind: 'speaker', person, colour: speaker.colour, words: { key: 'study_speaks', values: { name: speaker.name } }, plain: '' });
    }
    open = null;
  };
  for (const { at, kind, participant } of turns) {
    if (kind === 'participant_left') {
      if (open !== null && (open as { person: ParticipantId }).person === participant) close(at);
      continue;
    }
    close(at);
    open = participant === undefined || participant === null ? null : { person: participant, at };
  }
  close(description.seconds);
  return speeches;
}

function isNoteItem(note: Note): Item {
  const key: Key = note.text === '' ? `study_${note.kind}_bare` : `study_${note.kind}_said`;
  return {
    at: note.at, until: note.until ?? null, row: 'notes', kind: note.kind, person: null, colour: '', plain: '', note: note.id,
    words: { key, values: { name: note.author, text: note.text } },
  };
}

/** All rows in which there is something, from the top. */
export function rowsOf(description: Description, chapters: readonly Chapter[], notes: readonly Note[]): Row[] {
  const items = new Map<RowKind, Item[]>(ROW_KINDS.map((kind) => [kind, []]));
  items.get('speakers')?.push(...speechesOf(description));
  for (const chapter of chapters) items.get(chapter.row)?.push(chapter);
  items.get('notes')?.push(...notes.map(isNoteItem).sort((a, b) => a.at - b.at));
  return ROW_KINDS.flatMap((kind): Row[] => {
    const found = items.get(kind) ?? [];
    if (found.length === 0) return [];
    if (kind !== 'marks') return [{ key: kind, kind, person: null, name: '', colour: '', items: found }];
    const authors = [...new Set(found.map(({ person }) => person))];
    return authors.map((person) => {
      const own = found.filter((item) => item.person === person);
      const known = description.participants.find((one) => one.participant === person);
      return { key: `marks ${person ?? ''}`, kind, person, name: known?.name ?? '', colour: known?.colour ?? own[0]?.colour ?? '', items: own };
    });
  });
}

/** Rows as the filter has them; what concerns nobody is of nobody's alone. */
export function filtered(rows: readonly Row[], { hidden, person }: Filter): Row[] {
  return rows.flatMap((row) => {
    if (hidden.has(row.kind)) return [];
    if (person === null || row.kind === 'notes') return [row];
    const items = row.items.filter((item) => item.person === person);
    return items.length === 0 ? [] : [{ ...row, items }];
  });
}

/** Arriving at an event, one is not to arrive at it again; going back while it plays, one is not to be held by it. */
const AHEAD_S = 0.06;
const BEHIND_S = 0.75;

/** The event before or after a position, of the rows given; speeches only where there is nothing else. */
export function neighbour(rows: readonly Row[], position: number, direction: 1 | -1): Item | null {
  const events = rows.filter(({ kind }) => kind !== 'speakers');
  const items = (events.length > 0 ? events : rows).flatMap((row) => row.items).sort((a, b) => a.at - b.at);
  if (direction === 1) return items.find(({ at }) => at > position + AHEAD_S) ?? null;
  return items.findLast(({ at }) => at < position - BEHIND_S) ?? null;
}
