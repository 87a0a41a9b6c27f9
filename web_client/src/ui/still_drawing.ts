/** How the pen works on a frozen frame: what is drawn there stands on it, and on nothing that moves. */
import type { Anchor } from '../signalling/protocol';
import type { StillView } from '../stills';
import { t } from '../words/language.svelte';
import type { Live } from './live.svelte';
import type { Drawing } from './overlay_source';

/** Null where the role does not draw. */
export function stillDrawing(live: Live, still: StillView): Drawing | null {
  if (!live.may('mark')) return null;
  const { pens, tools } = live.session;
  const anchor = (): Anchor => ({ producer: still.producer, rtp_timestamp: still.rtpTimestamp, still: true });
  const refuse = (reason: string): false => {
    live.toast('alarm', reason);
    return false;
  };
  const permitMove = (): boolean => {
    if (live.connection.state !== 'connected') return refuse(t('draw_disconnected'));
    // the others would never see the marks on a frame that only one has
    return still.forAll || refuse(t('draw_still_first'));
  };
  return {
    pens,
    tools,
    self: live.self?.participant ?? null,
    mayDeleteAll: live.may('clear_field'),
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
