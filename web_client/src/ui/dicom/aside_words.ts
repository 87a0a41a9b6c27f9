/** Why a file was put aside, in plain words. */
import type { FileFacts } from '../../dicom/aside';
import type { Outcome } from '../../dicom/upload';
import { sayCode, t } from '../../words/language.svelte';

/** Why a file was not taken, is withheld, or did not arrive; empty: nothing is to be said of it. */
export function sayOutcome({ kind, code, message }: Outcome): string {
  if (kind === 'withheld') return sayCode('aside_why', code, code);
  if (kind === 'refused') return sayCode('aside_code', code, message);
  return kind === 'unsent' ? message || t('upload_away') : '';
}

/** What a file is, in a line: words of the standard stay as they are. */
export function sayFacts(facts: FileFacts): string {
  const parts = [sayCode('aside_file', facts.file, facts.file), facts.modality, facts.object, facts.syntax];
  if (facts.rows !== undefined && facts.columns !== undefined) parts.push(t('aside_size_of', { columns: facts.columns, rows: facts.rows }));
  if (facts.frames !== undefined) parts.push(t('aside_frames', { count: facts.frames }));
  return parts.filter((part) => part !== undefined).join(' · ');
}
