/** What an overlay draws, from the live room or from a recording, and how the pen works on it. */
import type { Matrix } from '../annotation/matrix';
import type { PaintedMark } from '../annotation/paint';
import type { PaintedPointer } from '../annotation/paint_signs';
import type { Sheet } from '../annotation/sheet';
import type { Tools } from '../annotation/tools';
import type { Pens } from '../pens';
import type { Anchor, ParticipantId } from '../signalling/protocol';

/** How the pen works on one sheet. */
export interface Drawing {
  pens: Pens;
  tools: Tools;
  self: ParticipantId | null;
  /** Whether others' marks may be deleted. */
  mayDeleteAll: boolean;
  /** What a mark hangs on now; null while there is nothing. One's own frame may be `UNNAMED`: `Tools.handleName` follows. */
  anchor: () => Anchor | null;
  /** The newest frame that has a name, for what only passes over the picture. */
  newest: () => Anchor | null;
  /** Whether a mark may be begun with the chosen tool; says why where it may not. */
  permit: () => boolean;
  /** Whether something may be moved there; says why where it may not. */
  permitMove: () => boolean;
}

/** What following the tissue says of a mark. */
export type MarkState = 'good' | 'lost' | 'stale' | 'pending';

export interface OverlayMark extends Omit<PaintedMark, 'named'> {
  author: ParticipantId;
  /** In progress, or not yet numbered by the server: drawn, but not counted as a mark. */
  draft: boolean;
  /** From before the picture was interrupted: the camera may show something else there now. */
  outdated?: boolean;
  /** Where the tissue has gone since, in units of the picture's height; undefined: it is not followed. */
  transform?: Matrix | undefined;
  /** Whether it is still where it should be. */
  state?: MarkState | undefined;
}

export interface OverlaySource {
  marks(sheet: Sheet, now: number): OverlayMark[];
  pointers(sheet: Sheet, now: number): PaintedPointer[];
  /** How many people's marks lie on it and are hidden here. */
  hiddenLayers(sheet: Sheet): number;
  showAllLayers(): void;
  onChanged(listener: () => void): () => void;
}

export interface DrawnMark {
  mark: string;
  /** Of a video's mark; 0 else. */
  rtp_timestamp: number;
  stale: boolean;
  outdated: boolean;
  /** Its measure, in words. */
  measured: string | null;
  /** Whether its tissue is there, and where it went, in units of the picture's height; null: nobody said. */
  state: MarkState | null;
  transform: Matrix | null;
}

/** What each overlay drew last, by sheet: `window.konsil.marksDrawnOn` reads it. */
export const drawn = new Map<Sheet, DrawnMark[]>();
