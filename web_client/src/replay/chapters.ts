/** The events of a recording that one may want to jump to, in order. */
import type { Key } from '../words/en';
import { isKey, type Values } from '../words/words';
import type { Description } from './description';

/** Missing packets nearer than this to each other are one place. */
const GAP_APART_S = 2;

/** The state at the start is written within this time. */
const BEGINNING_S = 0.05;

export interface Chapter {
  at: number;
  kind: 'mark' | 'clear' | 'room' | 'gap';
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

  /** The words of each instruction. */
  const asked = new Map<string, string>();

  for (const { at, name, colour, operation } of description.operations) {
    if (operation.kind === 'add') {
      const { shape, text } = operation.mark;
      const words: Chapter['words'] =
        shape === 'text'
          ? { key: 'chapter_text', values: { name, text } }
          : { key: 'chapter_mark', values: { name, shape: say(`tool_${shape}`) } };
      chapters.push({ at, kind: 'mark', colour, words, plain: '' });
    } else if (operation.kind === 'instruct') {
      const text = operation.text === '' ? say('instruction_spoken') : operation.text;
      asked.set(operation.instruction, text);
      chapters.push({ at, kind: 'mark', colour, words: { key: 'chapter_instruct', values: { name, text } }, plain: '' });
    } else if (operation.kind === 'answer') {
      const text = asked.get(operation.instruction) ?? '';
      chapters.push({ at, kind: 'room', colour, words: { key: `chapter_answer_${operation.answer}`, values: { name, text } }, plain: '' });
    } else if (operation.kind === 'still') {
      chapters.push({ at, kind: 'room', colour, words: { key: 'chapter_still', values: { name } }, plain: '' });
    } else if (operation.kind === 'clear_own' || operation.kind === 'clear_field') {
      chapters.push({ at, kind: 'clear', colour, words: { key: `chapter_${operation.kind}`, values: { name } }, plain: '' });
    }
  }

  // what has been removed is named by how it came
  const added = new Map(description.events.flatMap((event) => (event.kind === 'producer_added' ? [[event.producer, event]] : [])));
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
    const values = { name: event.name ?? person?.name ?? '', source: source === undefined ? '' : say(`source_${source}`) };
    const words = isKey(key) ? { key, values } : null;
    chapters.push({ at: event.at, kind: 'room', colour: person?.colour ?? '', words, plain: kind.replaceAll('_', ' ') });
  }

  for (const gap of mergedGaps(description)) {
    chapters.push({ at: gap.at, kind: 'gap', colour: '', words: { key: 'chapter_gap', values: { count: gap.packets } }, plain: '' });
  }
  return chapters.sort((a, b) => a.at - b.at);
}

/** Places at which packets are missing. */
export function mergedGaps(description: Description): { at: number; packets: number }[] {
  const merged: { at: number; until: number; packets: number }[] = [];
  for (const { at, packets } of [...description.gaps].sort((a, b) => a.at - b.at)) {
    const last = merged.at(-1);
    if (last !== undefined && at - last.until < GAP_APART_S) {
      last.until = at;
      last.packets += packets;
    } else merged.push({ at, until: at, packets });
  }
  return merged;
}
