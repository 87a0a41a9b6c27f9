/** What marks lie on together: one live picture, one still, one DICOM frame, one page of the whiteboard. */
import { isDicom, isVideo } from '../signalling/marks';
import type { Anchor, VideoAnchor } from '../signalling/marks';
import type { ProducerId } from '../signalling/protocol';

/** A live picture is its producer's number; what else there is bears a name. */
export type Sheet = ProducerId | string;

export function sheetOf(anchor: Anchor): Sheet {
  if (isVideo(anchor)) return anchor.still === true ? stillSheet(anchor.producer, anchor.rtp_timestamp) : anchor.producer;
  return isDicom(anchor) ? dicomSheet(anchor.SOPInstanceUID, anchor.frame) : boardSheet(anchor.board);
}

export function stillSheet(producer: ProducerId, rtpTimestamp: number): Sheet {
  return `still/${producer}/${rtpTimestamp}`;
}

export function dicomSheet(sopInstance: string, frame: number): Sheet {
  return `dicom/${sopInstance}/${frame}`;
}

export function boardSheet(page: number): Sheet {
  return `board/${page}`;
}

/** A frame of a live picture: what grows old, may be outdated, and follows its tissue. */
export function isOfLivePicture(anchor: Anchor): anchor is VideoAnchor {
  return isVideo(anchor) && anchor.still !== true;
}
