/** What an overlay draws, from the live room or from a recording. */
import type { PaintedMark, PaintedPointer } from '../annotation/paint';
import type { Tools } from '../annotation/tools';
import type { Anchor, ParticipantId, ProducerId } from '../signalling/protocol';

/** How the pen works on one picture. */
export interface Drawing {
  tools: Tools;
  /** The frame on the glass now; null while there is none. One's own may be `UNNAMED`: `Tools.handleName` follows. */
  anchor: () => Anchor | null;
  /** The newest frame that has a name, for what only passes over the picture. */
  newest: () => Anchor | null;
  /** Whether a mark may be begun; says why where it may not. */
  permit: () => boolean;
}

export interface OverlayMark extends Omit<PaintedMark, 'named'> {
  author: ParticipantId;
  /** In progress, or not yet numbered by the server: drawn, but not counted as a mark. */
  draft: boolean;
  /** From before the picture was interrupted: the camera may show something else there now. */
  outdated?: boolean;
}

export interface OverlaySource {
  marks(producer: ProducerId, now: number): OverlayMark[];
  pointers(producer: ProducerId, now: number): PaintedPointer[];
  onChanged(listener: () => void): () => void;
}

export interface DrawnMark {
  mark: string;
  rtp_timestamp: number;
  stale: boolean;
  outdated: boolean;
}

/** What each overlay drew last, by producer: `window.konsil.marksDrawnOn` reads it. */
export const drawn = new Map<ProducerId, DrawnMark[]>();
