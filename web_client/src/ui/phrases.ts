/** What is said again and again, in both languages: who reads it sees it in his own. */
import type { Key } from '../words/en';
import { CATALOGUES } from '../words/words';
import { t } from '../words/language.svelte';

export const PHRASES = [
  'phrase_clip', 'phrase_cut', 'phrase_stop', 'phrase_look', 'phrase_retract', 'phrase_suction', 'phrase_coagulate', 'phrase_not_here',
] as const satisfies readonly Key[];

/** An instruction's words: a phrase in the reader's language, anything else as it was said. */
export function sayInstruction(text: string, spoken: boolean): string {
  if (text === '' && spoken) return t('instruction_spoken');
  const phrase = PHRASES.find((key) => Object.values(CATALOGUES).some((catalogue) => catalogue[key] === text));
  return phrase === undefined ? text : t(phrase);
}
