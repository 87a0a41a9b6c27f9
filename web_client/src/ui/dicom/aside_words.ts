/** Why a file was put aside, in plain words. */
import type { FileFacts } from '../../dicom/aside';
import type { Outcome } from '../../dicom/upload';
import { ImageError } from '../../dicom/web';
import { language, sayCode, t } from '../../words/language.svelte';

/** Why a file was not taken, is withheld, or did not arrive; empty: nothing is to be said of it. */
export function sayOutcome({ kind, code, detail, message }: Outcome): string {
  if (kind === 'withheld') return sayCode('aside_why', code, code);
  if (kind === 'refused') return sayRefusal(code, detail, message);
  return kind === 'unsent' ? sayCode('upload_error', code, message) || t('upload_away') : '';
}

/** Why a file was not taken, as exactly as the page has words for it; the server's English only where it has none. */
export function sayRefusal(code: string, detail: string, message: string): string {
  return sayCode('aside_detail', detail, sayCode('aside_code', code, message));
}

/** The server's own sentence beside the page's, where it says more (numbers, mostly) in the language of the page; else empty. */
export function sayFurther(message: string, said: string): string {
  return language.current === 'en' && message !== said ? message : '';
}

/** What a file is, in a line: words of the standard stay as they are. */
export function sayFacts(facts: FileFacts): string {
  const parts = [sayCode('aside_file', facts.file, facts.file), facts.modality, facts.object, facts.syntax];
  if (facts.rows !== undefined && facts.columns !== undefined) parts.push(t('aside_size_of', { columns: facts.columns, rows: facts.rows }));
  if (facts.frames !== undefined) parts.push(t('aside_frames', { count: facts.frames }));
  return parts.filter((part) => part !== undefined).join(' · ');
}

/** Why something could not be done with what was put aside. */
export function sayProblem(error: unknown): string {
  return (error instanceof ImageError && sayCode('aside_error', error.code, error.message)) || t('aside_problem');
}
