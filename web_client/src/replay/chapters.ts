/** The events of a recording that one may want to jump to, in order; the row of the time line that each stands in. */
import { GROUPED } from './study_kinds';
import type { RowKind } from './study_kinds';
import type { Key } from '../words/en';
import { isKey, type Values } from '../words/words';
import type { ParticipantId } from '../signalling/protocol';
import type { Description, RoomEvent } from './description';

/** Missing packets nearer than this to each other are one place. */
const GAP_APART_S = 2;

/** The state at the start is written within this time. */
const BEGINNING_S = 0.05;

export interface Chapter {
  at: number;
  /** When it was over; null: it has no length, or did not end. */
  until: number | null;
  kind: 'mark' | 'clear' | 'room' | 'gap';
  row: RowKind;
  /** Whose doing it is, or who is concerned; null: nobody. */
  person: ParticipantId | null;
  colour: string;
  words: { key: Key; values: Values } | null;
  /** Where there are no words for it: the server's name of the event. */
  plain: string;
}

/** Who spoke changes by the second, and messages are not for people. */
const UNLISTED: ReadonlySet<string> = new Set(['speaker', 'message', 'viewport', 'frozen']);

/** `say` puts roles, sources and shapes into the language of the page. */
export function chaptersOf(description: Description, say: (key: Key) => string): Chapter[] {
  const people = new Map(description.participants.map((person) => [person.participant, person]));
  const cameras = new Map(description.cameras.map((camera) => [camera.producer, camera]));
  const chapters: Chapter[] = [];
  const add = (chapter: Partial<Chapter> & Pick<Chapter, 'at' | 'kind' | 'row'>): Chapter => {
    const whole: Chapter = { until: null, person: null, colour: '', words: null, plain: '', ...chapter };
    chapters.push(whole);
    return whole;
  };

  /** The instructions that are asked, by their names. */
  const asked = new Map<string, { text: string; chapter: Chapter }>();

  for (const { at, author, name, colour, operation } of description.operations) {
    const by = { at, person: author, colour };
    if (operation.kind === 'add') {
      const { shape, text } = operation.mark;
      const words: Chapter['words'] =
        shape === 'text'
          ? { key: 'chapter_text', values: { name, text } }
          : { key: 'chapter_mark', values: { name, shape: say(`tool_${shape}`) } };
      add({ ...by, kind: 'mark', row: 'marks', words });
    } else if (operation.kind === 'instruct') {
      const text = operation.text === '' ? say('instruction_spoken') : operation.text;
      const chapter = add({ ...by, kind: 'mark', row: 'instructions', words: { key: 'chapter_instruct', values: { name, text } } });
      asked.set(operation.instruction, { text, chapter });
    } else if (operation.kind === 'answer') {
      const open = asked.get(operation.instruction);
      // seen is a step on its way; done and no end it
      if (open !== undefined && operation.answer !== 'seen') open.chapter.until ??= at;
      add({ ...by, kind: 'room', row: 'instructions', words: { key: `chapter_answer_${operation.answer}`, values: { name, text: open?.text ?? '' } } });
    } else if (operation.kind === 'withdraw') {
      const open = asked.get(operation.instruction);
      if (open !== undefined) open.chapter.until ??= at;
      add({ ...by, kind: 'room', row: 'instructions', words: { key: 'study_withdrawn', values: { name, text: open?.text ?? '' } } });
    } else if (operation.kind === 'still') {
      add({ ...by, kind: 'room', row: 'stills', words: { key: 'chapter_still', values: { name } } });
    } else if (operation.kind === 'clear_own' || operation.kind === 'clear_field') {
      add({ ...by, kind: 'clear', row: 'marks', words: { key: `chapter_${operation.kind}`, values: { name } } });
    }
  }

  // what has been removed is named by how it came
  const added = new Map(description.events.flatMap((event) => (event.kind === 'producer_added' ? [[event.producer, event]] : [])));
  const ends = endsOf(description);
  for (const event of description.events) {
    // who and what was there at the beginning is no event
    if (event.at < BEGINNING_S && (event.kind === 'participant_joined' || event.kind === 'producer_added' || event.kind === 'orient' || event.kind === 'patient_chosen')) continue;
    if (UNLISTED.has(event.kind) || event.raised === false || (event.kind === 'presenter' && event.participant === null)) continue;
    const camera = event.producer === undefined ? undefined : cameras.get(event.producer);
    const origin = added.get(event.producer);
    const person = people.get(event.participant ?? origin?.participant ?? camera?.participant ?? event.by ?? '');
    const isUndone = event.muted === false || event.locked === false;
    const kind = isUndone && (event.kind === 'mute' || event.kind === 'lock') ? `un${event.kind}` as const : event.kind;
    const key = `chapter_${kind}`;
    const source = event.source ?? origin?.source ?? camera?.source;
    const values = { name: event.name ?? person?.name ?? '', source: source === undefined ? '' : say(`source_${source}`), modality: event.modality ?? '', count: event.images ?? 0 };
    const words = isKey(key) ? { key, values } : null;
    const row = isAlert(event, source) ? 'alerts' : GROUPED.images.has(event.kind) ? 'images' : 'room';
    add({ at: event.at, until: ends.get(event) ?? null, kind: 'room', row, person: person?.participant ?? null, colour: row === 'alerts' ? '' : (person?.colour ?? ''), words, plain: kind.replaceAll('_', ' ') });
  }

  for (const gap of mergedGaps(description)) {
    add({ at: gap.at, until: gap.until > gap.at ? gap.until : null, kind: 'gap', row: 'alerts', words: { key: 'chapter_gap', values: { count: gap.packets } } });
  }
  if (description.state === 'truncated') {
    add({ at: description.seconds, kind: 'gap', row: 'alerts', words: { key: 'study_truncated', values: {} } });
  }
  for (const problem of description.problems ?? []) {
    const origin = added.get(problem.producer);
    const values = { name: people.get(origin?.participant ?? '')?.name ?? '', source: say(`source_${origin?.source ?? 'camera'}`) };
    add({ at: origin?.at ?? 0, kind: 'gap', row: 'alerts', person: origin?.participant ?? null, words: { key: 'study_no_picture_of', values } });
  }
  return chapters.sort((a, b) => a.at - b.at);
}

/** What whoever looks for what went wrong looks for. */
function isAlert(event: RoomEvent, source: string | undefined): boolean {
  if (event.kind === 'mute') return source === 'field' && event.muted === true;
  return GROUPED.alerts.has(event.kind);
}

/** When what lasts a while was over. */
function endsOf({ events }: Description): Map<RoomEvent, number> {
  const ends = new Map<RoomEvent, number>();
  const open = new Map<string, RoomEvent>();
  for (const event of [...events].sort((a, b) => a.at - b.at)) {
    const begins = event.kind === 'producer_interrupted' ? 'away' : event.kind === 'mute' && event.muted === true ? 'mute' : event.kind === 'recording_interrupted' ? 'disk' : event.kind === 'presenter' && event.participant !== null ? 'lead' : null;
    const over = event.kind === 'producer_resumed' ? ['away'] : event.kind === 'mute' ? ['mute'] : event.kind === 'producer_removed' ? ['away', 'mute'] : event.kind === 'recording_resumed' ? ['disk'] : event.kind === 'presenter' ? ['lead'] : [];
    for (const what of over) {
      const began = open.get(`${what} ${event.producer ?? ''}`);
      if (began !== undefined) ends.set(began, event.at);
      open.delete(`${what} ${event.producer ?? ''}`);
    }
    const name = `${begins} ${event.producer ?? ''}`;
    // another reason is told while it lasts: the first one says how long
    if (begins !== null && !open.has(name)) open.set(name, event);
  }
  return ends;
}

/** Places at which packets are missing. */
export function mergedGaps(description: Description): { at: number; until: number; packets: number }[] {
  const merged: { at: number; last: number; until: number; packets: number }[] = [];
  for (const { at, packets, seconds } of [...description.gaps].sort((a, b) => a.at - b.at)) {
    const last = merged.at(-1);
    const until = at + (seconds ?? 0);
    if (last !== undefined && at - last.last < GAP_APART_S) {
      last.last = at;
      last.until = Math.max(last.until, until);
      last.packets += packets;
    } else merged.push({ at, last: at, until, packets });
  }
  return merged.map(({ at, until, packets }) => ({ at, until, packets }));
}
