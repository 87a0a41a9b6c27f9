/** How the pen works on a page of the whiteboard, and what is remembered of it. */
import { t } from '../words/language.svelte';
import type { Live } from './live.svelte';
import { drawingBase } from './drawing_base';
import type { Drawing } from './overlay_source';

/** Null where the role does not draw. */
export function boardDrawing(live: Live, page: number): Drawing | null {
  const base = drawingBase(live);
  if (base === null) return null;
  const { hand, refuse } = base;
  const { tools } = hand;
  const anchor = (): { board: number } => ({ board: page });
  const permitMove = (): boolean => live.connection.state === 'connected' || refuse(t('draw_disconnected'));
  return {
    ...hand,
    anchor,
    newest: anchor,
    permitMove,
    permit: () => {
      if (tools.tool === 'length' || tools.tool === 'calibrate') return refuse(t('board_no_measure'));
      return permitMove();
    },
  };
}

const STORED_AS = 'konsil.board';

export function isPaperWhite(): boolean {
  return localStorage.getItem(STORED_AS) === 'white';
}

export function rememberPaper(white: boolean): void {
  localStorage.setItem(STORED_AS, white ? 'white' : 'dark');
}
