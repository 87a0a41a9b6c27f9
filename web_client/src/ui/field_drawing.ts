/** How the pen works on a live picture, and what lengths on it are worth. */
import { sinceOf, validCalibration } from '../annotation/field_scale';
import type { Calibration } from '../annotation/notebook';
import type { Moment } from '../media/rtp';
import { UNNAMED } from '../annotation/tools';
import { isLive } from '../signalling/marks';
import type { Anchor, Mark, ProducerId } from '../signalling/protocol';
import { t } from '../words/language.svelte';
import { sayLength } from './field_scale_words';
import type { Live } from './live.svelte';
import { drawingBase } from './drawing_base';
import type { Drawing } from './overlay_source';

/** Frames of one's own picture that go without a name for so long cannot be drawn on. */
const NAMELESS_MS = 1500;

/** Null where the role does not draw. */
export function fieldDrawing(live: Live, producer: ProducerId): Drawing | null {
  const base = drawingBase(live);
  if (base === null) return null;
  const { hand, refuse } = base;
  const { tools } = hand;
  const frames = live.session.frames(producer);
  const newest = (): Anchor | null => {
    const rtpTimestamp = frames.named?.rtpTimestamp ?? null;
    return rtpTimestamp === null ? null : { producer, rtp_timestamp: rtpTimestamp };
  };
  const permitMove = (): boolean => {
    if (live.connection.state !== 'connected') return refuse(t('draw_disconnected'));
    const { latest, named } = frames;
    if (latest === null) return refuse(t('draw_no_frame'));
    // one's own frames are named a moment after they are shown; where that has stopped, a mark would wait for ever
    if (named === null || latest.shownAt - named.shownAt > NAMELESS_MS) return refuse(t('draw_nameless'));
    // a recording that stands still is what is talked about
    const isRecorded = live.session.room.producers.get(producer)?.recorded !== undefined;
    if (!isRecorded && frames.frozenFor(performance.now()) > 0) return refuse(t('draw_frozen'));
    return true;
  };
  return {
    ...hand,
    newest,
    anchor: () => {
      const { latest } = frames;
      if (latest === null || latest.rtpTimestamp !== null) return newest();
      const anchor = { producer, rtp_timestamp: UNNAMED };
      frames.whenNamed(latest, (rtpTimestamp) => tools.handleName(anchor, rtpTimestamp));
      return anchor;
    },
    permitMove,
    permit: () => {
      if (tools.tool === 'length' && calibrationNow(live, producer) === null) return refuse(t(live.may('calibrate') ? 'draw_calibrate_first' : 'draw_uncalibrated'));
      if (tools.tool === 'calibrate' && !live.may('calibrate')) return refuse(t('draw_calibrate_not'));
      return permitMove();
    },
  };
}

/** What holds for a frame of a producer's picture. */
function calibrationOf(live: Live, producer: ProducerId, frame: Moment): Calibration | null {
  const { room, replica } = live.session;
  return validCalibration(replica.calibrations.get(producer), sinceOf(room.producers.get(producer)), frame);
}

/** What holds for the frame that is on the glass just now. */
export function calibrationNow(live: Live, producer: ProducerId): Calibration | null {
  const rtpTimestamp = live.session.frames(producer).named?.rtpTimestamp ?? null;
  return rtpTimestamp === null ? null : calibrationOf(live, producer, { rtpTimestamp, time: live.session.serverNow() });
}

/** The length of a mark on a live picture, in words. */
export function sayFieldLength(live: Live, producer: ProducerId, mark: Mark, picture: { width: number; height: number }): string | null {
  if (mark.shape !== 'length' || !isLive(mark.anchor, producer)) return null;
  const time = live.session.replica.find(mark.mark)?.anchored ?? live.session.serverNow();
  return sayLength(mark, calibrationOf(live, producer, { rtpTimestamp: mark.anchor.rtp_timestamp, time }), picture);
}
