/** What the tab of the images says while somebody presents them. */
import { t } from '../words/language.svelte';
import type { Live } from './live.svelte';
import type { StageSign } from './stage_tabs';

/** Null: nobody presents. */
export function presenterSign(live: Live): StageSign | null {
  const { role, participant } = live.leading;
  if (role === 'alone') return null;
  const presenter = live.participants.find((one) => one.participant === participant);
  const [name, colour] = [presenter?.name ?? '', presenter?.colour ?? 'transparent'];
  if (role === 'presenting') return { kind: 'presenting', words: t('stage_you_present'), colour };
  // only who looks at the images follows
  if (live.stage !== 'images') return { kind: 'presents', words: t('stage_presents', { name }), colour };
  return role === 'following' ? { kind: role, words: t('stage_following', { name }), colour } : { kind: 'looking_away', words: t('stage_away'), colour };
}
