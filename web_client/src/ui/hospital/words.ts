/** How the hospital's dates and names are said to people. */
import { language, sayCode, t } from '../../words/language.svelte';
import { isKey } from '../../words/words';
import { HospitalError, type Job, type SentObject } from '../../hospital';
import { sayPersonName } from '../../names';

/** DICOM's DA, with or without a time behind it. */
export function sayDate(date: string): string {
  const digits = date.replace(/\D/g, '');
  if (digits.length < 8) return date;
  const [year, month, day] = [digits.slice(0, 4), digits.slice(4, 6), digits.slice(6, 8)].map(Number);
  const moment = new Date(Date.UTC(year ?? 0, (month ?? 1) - 1, day ?? 1));
  return new Intl.DateTimeFormat(language.current, { dateStyle: 'medium', timeZone: 'UTC' }).format(moment);
}

/** The hours and minutes behind a date; empty: none are said. */
export function sayTime(starts: string): string {
  return starts.length >= 12 ? `${starts.slice(8, 10)}:${starts.slice(10, 12)}` : '';
}

/** DICOM's PN in the reader's order. */
export function sayName(name: string): string {
  return sayPersonName(name, language.current);
}

/** What went wrong, in the reader's language where there is a word for it. */
export function sayError(error: unknown): string {
  if (!(error instanceof HospitalError)) return t('error_pacs_broken');
  return sayCode('error', error.code, error.message);
}

/** What is wrong with a job, in the reader's language; `name` is the archive's. */
export function sayProblem({ code = '', message }: Pick<Job, 'code' | 'message'>, name: string): string {
  const key = `problem_${code}`;
  return isKey(key) ? t(key, { name }) : message;
}

/** What became of an object. */
export function sayVerdict({ state, code = '', status = '', message }: SentObject): string {
  const reason = sayCode('verdict', code, message);
  return t(`job_object_${state}`, { reason: isKey(`verdict_${code}`) && status !== '' ? `${reason} (${status})` : reason });
}

/** Today as an input of type date has it. */
export function today(): string {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
}
