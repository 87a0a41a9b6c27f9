/** What several panels of the training page say alike. */
import type { RecordingSummary } from '../../replay/description';
import { sayHours } from '../../training/learning';
import type { FormItem } from '../../training/learning';
import { isKey } from '../../words/words';
import { language, t } from '../../words/language.svelte';

export function sayTime(seconds: number): string {
  return sayHours(seconds, (key, values) => t(key, values));
}

export function sayDay(at: number): string {
  return new Intl.DateTimeFormat(language.current, { dateStyle: 'medium' }).format(at);
}

export function sayMoment(at: number): string {
  return new Intl.DateTimeFormat(language.current, { dateStyle: 'medium', timeStyle: 'short' }).format(at);
}

/** A recording by when it was made; by its name where it is gone. */
export function sayRecording(recordings: readonly RecordingSummary[], name: string): string {
  const found = recordings.find(({ recording }) => recording === name);
  return found === undefined ? t('training_gone') : sayMoment(found.started);
}

/** An item's words: OSATS is said in the language of the page, a form of one's own as it was written. */
export function sayItem({ label }: FormItem): string {
  const key = label.replace('osats:', 'osats_');
  return label.startsWith('osats:') && isKey(key) ? t(key) : label;
}

/** What a value of a scale stands for; empty: nothing was written there. */
export function sayAnchor(item: FormItem, value: number): string {
  if (item.kind !== 'scale') return '';
  const key = `${item.label.replace('osats:', 'osats_')}_${value}`;
  return item.label.startsWith('osats:') && isKey(key) ? t(key) : (item.anchors[String(value)] ?? '');
}
