/** What the archive's parts are called: classes and deeds have words of ours, others their own names. */
import { isKey } from '../../words/words';
import { t } from '../../words/language.svelte';

export function sayClass(name: string): string {
  const key = `keeping_class_${name}`;
  return isKey(key) ? t(key) : name;
}

export function sayDeed(deed: string): string {
  const key = `deed_${deed}`;
  return isKey(key) ? t(key) : deed.replaceAll('_', ' ');
}

export function sayRole(role: string): string {
  const key = `role_${role}`;
  return isKey(key) ? t(key) : role;
}
