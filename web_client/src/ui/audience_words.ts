/** Who may see a producer, in words. */
import { choiceOf } from '../signalling/audience';
import type { Audience, Participant } from '../signalling/protocol';
import { t } from '../words/language.svelte';

/** The usual choices by their names, others as a list of roles and people. */
export function sayAudience(audience: Audience | null, participants: readonly Participant[]): string {
  const choice = choiceOf(audience);
  if (audience === null || choice !== 'chosen') return t(`audience_${choice}`);
  const roles = audience.roles.map((role) => t(`roles_${role}`));
  const people = participants.filter(({ participant }) => audience.participants.includes(participant)).map(({ name }) => name);
  const named = [...roles, ...people];
  return named.length === 0 ? t('audience_nobody') : named.join(t('list_comma'));
}
