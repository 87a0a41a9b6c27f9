/** What all that is drawn on has in common: whose hand it is, and how a refusal is said. */
import type { Live } from './live.svelte';
import type { Drawing } from './overlay_source';

export interface DrawingBase {
  hand: Pick<Drawing, 'pens' | 'tools' | 'self' | 'mayDeleteAll'>;
  /** Say why not. */
  refuse(reason: string): false;
}

/** Null where the role does not draw. */
export function drawingBase(live: Live): DrawingBase | null {
  if (!live.may('mark')) return null;
  const { pens, tools } = live.session;
  return {
    hand: { pens, tools, self: live.self?.participant ?? null, mayDeleteAll: live.may('clear_field') },
    refuse: (reason) => {
      live.toast('alarm', reason);
      return false;
    },
  };
}
