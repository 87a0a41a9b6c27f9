/** Who teaches, for what is offered to him: the server alone decides (signalling/permissions.py). */
import type { Role } from '../signalling/protocol';

const TEACH: ReadonlySet<Role> = new Set<Role>(['surgeon', 'chair', 'expert']);

export function teachesAs(role: Role | undefined): boolean {
  return role !== undefined && TEACH.has(role);
}
