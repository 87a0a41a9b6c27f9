/** Who may watch a producer, and the usual choices of it. */
import type { Audience, Participant, Role } from './protocol';

/** `null`: everybody. */
export const AUDIENCES = {
  everybody: null,
  team: ['surgeon', 'chair', 'expert'],
  leaders: ['surgeon', 'chair'],
} as const satisfies Record<string, readonly Role[] | null>;
export type AudienceChoice = keyof typeof AUDIENCES | 'chosen';

/** Whether a participant belongs to an audience; the owner always does, which is not said here. */
export function belongs(audience: Audience | null, participant: Pick<Participant, 'participant' | 'role'>): boolean {
  if (audience === null) return true;
  return audience.roles.includes(participant.role) || audience.participants.includes(participant.participant);
}

/** The usual choice that an audience is, or `chosen`. */
export function choiceOf(audience: Audience | null): AudienceChoice {
  if (audience === null) return 'everybody';
  if (audience.participants.length > 0) return 'chosen';
  const same = (roles: readonly Role[]): boolean =>
    roles.length === audience.roles.length && roles.every((role) => audience.roles.includes(role));
  if (same(AUDIENCES.team)) return 'team';
  return same(AUDIENCES.leaders) ? 'leaders' : 'chosen';
}

/** What a choice means on the wire; `roles` and `participants` count where it is `chosen`. */
export function audienceOf(choice: AudienceChoice, roles: readonly Role[], participants: readonly string[]): Audience | null {
  if (choice === 'chosen') return { roles: [...roles], participants: [...participants] };
  const usual = AUDIENCES[choice];
  return usual === null ? null : { roles: [...usual], participants: [] };
}
