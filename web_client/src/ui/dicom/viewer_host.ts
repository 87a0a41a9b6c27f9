/** Where a viewer of images stands: a live room, or a recording of one. */
import type { MeasuringShape } from '../../dicom/measurements';
import type { Catalogue } from '../../dicom/catalogue';
import type { Presenting } from '../../dicom/presenting';
import type { DicomWeb } from '../../dicom/web';
import type { VisibleMark } from '../../annotation/sum';
import type { ParticipantId, Permission } from '../../signalling/protocol';
import type { OverlaySource } from '../overlay_source';

/** What its panes need of it. */
export interface ViewerHost {
  readonly images: DicomWeb;
  readonly overlay: OverlaySource;
  may(permission: Permission): boolean;
  toast(tone: 'plain' | 'alarm', text: string): void;
  readonly session: {
    readonly catalogue: Catalogue;
    readonly presenting: Presenting;
    /** The server is there again. */
    readonly connection: { on(kind: 'welcome', listener: () => void): () => void };
    readonly tools: { readonly tool: string; choose(shape: MeasuringShape): void; on(kind: 'changed', listener: () => void): () => void };
    readonly replica: { readonly visible: readonly VisibleMark[] };
    readonly pens: { readonly layers: { isShown(author: ParticipantId): boolean } };
  };
}
