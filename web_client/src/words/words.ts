/** Choosing a language and filling in a sentence, without a page. */
import { en, type Catalogue, type Key } from './en';
import { zh } from './zh';

export type Language = 'en' | 'zh';
export type Values = Readonly<Record<string, string | number>>;
export const CATALOGUES: Readonly<Record<Language, Catalogue>> = { en, zh };

/** The remembered language, or the first of the browser's that there is, or English. */
export function chooseLanguage(remembered: string | null, preferred: readonly string[]): Language {
  if (remembered === 'en' || remembered === 'zh') return remembered;
  for (const tag of preferred) {
    const language = tag.toLowerCase().split('-')[0];
    if (language === 'zh' || language === 'en') return language;
  }
  return 'en';
}

/** Put values into the places `{name}` of a sentence. */
export function fill(sentence: string, values: Values): string {
  return sentence.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}

export function isKey(key: string): key is Key {
  return Object.hasOwn(en, key);
}
