/** What the link says about its bearer: read for display only, the server alone believes signatures. */
import type { Role } from './protocol';

export interface LinkToken {
  room: string;
  name: string;
  role: Role;
  /** Unix seconds, or null. */
  expires: number | null;
}

const ROLES: readonly string[] = ['surgeon', 'expert', 'trainee', 'observer', 'chair'] satisfies Role[];

/** Take `token` (and whatever else) out of a fragment such as `#token=…&recording=…`. */
export function parseFragment(fragment: string): { token: string | null; recording: string | null } {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ''));
  return { token: parameters.get('token') || null, recording: parameters.get('recording') || null };
}

/** Decode the payload of a JWT; null where it is none of ours. */
export function decodeToken(token: string): LinkToken | null {
  const payload = token.split('.')[1];
  if (payload === undefined) return null;
  let claims: unknown;
  try {
    const binary = atob(payload.replace(/-/g, '+').replace(/_/g, '/'));
    claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0))));
  } catch {
    return null;
  }
  if (typeof claims !== 'object' || claims === null) return null;
  const { room, name, role, exp } = claims as Record<string, unknown>;
  if (typeof room !== 'string' || typeof name !== 'string' || typeof role !== 'string' || !ROLES.includes(role)) {
    return null;
  }
  return { room, name, role: role as Role, expires: typeof exp === 'number' ? exp : null };
}
