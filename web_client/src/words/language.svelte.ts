/** The language of the page: switchable, remembered, and every sentence follows at once. */
import type { Key } from './en';
import { CATALOGUES, chooseLanguage, fill, isKey, type Language, type Values } from './words';

const STORED_AS = 'konsil.language';

class LanguageChoice {
  current = $state<Language>(chooseLanguage(localStorage.getItem(STORED_AS), navigator.languages));

  choose(language: Language): void {
    this.current = language;
    localStorage.setItem(STORED_AS, language);
    this.announce();
  }

  /** Tell the browser (and a screen reader) which language the page speaks. */
  announce(): void {
    document.documentElement.lang = this.current === 'zh' ? 'zh-CN' : 'en';
  }
}

export const language = new LanguageChoice();

/** Say it in the language chosen. */
export function t(key: Key, values: Values = {}): string {
  return fill(CATALOGUES[language.current][key], values);
}

/** Say what stands under `prefix_code`, or else the server's own sentence. */
export function sayCode(prefix: string, code: string, sentence: string): string {
  const key = `${prefix}_${code}`;
  return isKey(key) ? t(key) : sentence;
}
