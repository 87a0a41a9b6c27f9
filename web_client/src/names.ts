/** How names in DICOM (PN, PS3.5 6.2.1) are said to people: letters, characters and sounds are up to three groups of one name. */
import type { Language } from './words/words';

const CHARACTERS = /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}]/u;

/** Letters and characters, the reader's own first; the other, by which the patient may be known elsewhere, behind it. */
export function sayPersonName(name: string, language: Language): string {
  const [letters = '', characters = '', sounds = ''] = name.split('=').map(sayGroup);
  const both = language === 'zh' ? [characters, letters] : [letters, characters];
  const [first = '', second = ''] = [...new Set(both)].filter((group) => group !== '');
  return second === '' ? first || sounds : `${first} (${second})`;
}

/** family^given^middle^prefix^suffix: "Keller, Anna Maria", 王小东. */
function sayGroup(group: string): string {
  const [family = '', given = '', middle = ''] = group.split('^').map((part) => part.trim());
  const rest = [given, middle].filter((part) => part !== '');
  if (CHARACTERS.test(family + given)) return [family, ...rest].join('');
  return [family, rest.join(' ')].filter((part) => part !== '').join(', ');
}
