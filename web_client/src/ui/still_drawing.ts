/** How the pen works on a frozen frame: what is drawn there stands on it, and on nothing that moves. */
import type { Anchor } from '../signalling/protocol';
import type { StillView } from '../stills';
import { t } from '../words/language.svelte';
import type { Live } from './live.svelte';
import { drawingBase } from './drawing_base';
import type { Drawing } from './overlay_source';

/** Null where the role does not draw. */
export function stillDrawing(live: Live, still: StillView): Drawing | null {
  const base = drawingBase(live);
  if (base === null) return null;
  const { hand, refuse } = base;
  const { tools } = hand;
  const anchor = (): Anchor => ({ producer: still.producer, rtp_timestamp: still.rtpTimestamp, still: true });
  const permitMove = (): boolean => {
    if (live.connection.state !== 'connected') return refuse(t('draw_disconnected'));
    // the others would never see the marks on a frame that only one has
    return still.forAll || refuse(t('draw_still_first'));
  };
  return {
    ...hand,
    anchor,
    newest: anchor,
    permitMove,
    permit: () => {
      if (tools.tool === 'calibrate') return refuse(t('draw_calibrate_live'));
      if (tools.tool === 'length' && still.calibration === null) return refuse(t('draw_still_uncalibrated'));
      return permitMove();
    },
  };
}
