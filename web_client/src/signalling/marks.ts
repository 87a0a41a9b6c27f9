/** Section 4 of `signalling/PROTOCOL.md`: what is drawn, on what, and the operations of the room's one log. */
import type { Orientation, ParticipantId, ProducerId } from './protocol';

/** A frame of a producer; `still`: its frozen picture, not the live one. */
export interface VideoAnchor {
  producer: ProducerId;
  rtp_timestamp: number;
  still?: boolean;
}

/** A frame (from 1) of a DICOM image; points are fractions of its columns and rows. */
export interface DicomAnchor {
  SOPInstanceUID: string;
  frame: number;
}

/** A page of the whiteboard (from 1); points are fractions of a 16:9 page. */
export interface BoardAnchor {
  board: number;
}

export type Anchor = VideoAnchor | DicomAnchor | BoardAnchor;
export type Surface = 'field' | 'dicom' | 'board';

/** Fractions of the picture: x to the right, y down. */
export type Point = [number, number];
export const SHAPES = [
  'freehand', 'line', 'arrow', 'ellipse', 'rectangle', 'polygon', 'text', 'pin',
  'length', 'angle', 'cobb', 'bidirectional', 'roi_ellipse', 'roi_rectangle', 'probe',
] as const;
export type Shape = (typeof SHAPES)[number];
/** What may be seen in progress: the others are placed at once. A text is while it is being typed, without its words. */
export type StrokeShape = Exclude<Shape, 'pin' | 'probe'>;

export interface Mark {
  mark: string;
  shape: Shape;
  anchor: Anchor;
  points: Point[];
  /** Of the line, as a fraction of the picture's height. */
  width: number;
  text: string;
  /** Of a freehand line, 0-1, as many as its points. */
  pressures?: number[];
  /** It asks to follow the tissue. */
  follow?: boolean;
  /** Of a pin, decided by the server. */
  number?: number;
}

export type Reaction = 'seen' | 'done' | 'no';
export type TrackState = 'good' | 'lost' | 'stale';

export interface Track {
  mark: string;
  state: TrackState;
  /** [a, b, c, d, e, f] in units of the picture's height: x' = a·x + c·y + e, y' = b·x + d·y + f. */
  matrix: [number, number, number, number, number, number];
  confidence: number;
}

export interface StillFacts {
  producer: ProducerId;
  rtp_timestamp: number;
  width: number;
  height: number;
  sm3: string;
  taken_by: ParticipantId;
  for_all: boolean;
  label: string;
  /** The key of the patient who was chosen when it was frozen; null: nobody was. */
  patient?: string | null;
  /** What was true of the frame, whatever is said of its picture since. */
  orientation?: Orientation | null;
  calibration?: Scale | null;
}

/** How far two points of a frame are apart. */
export interface Scale {
  points: Point[];
  millimetres: number;
}

export interface FileFacts {
  file: string;
  name: string;
  size: number;
  digest: string;
  type: string;
}

/** What a client may ask for. A `target`, and the `number` of a pin or an instruction, are decided by the server. */
export type ClientOperation =
  | { kind: 'add'; mark: Mark }
  | { kind: 'edit'; mark: Mark; marks?: undefined }
  /** Several that were moved or restyled together, and come back together. */
  | { kind: 'edit'; marks: Mark[]; mark?: undefined }
  | { kind: 'delete'; marks: string[] }
  | { kind: 'undo'; target?: number }
  | { kind: 'redo'; target?: number }
  | { kind: 'clear_own'; of?: Surface }
  | { kind: 'clear_field'; of?: Surface }
  | { kind: 'instruct'; instruction: string; text: string; mark: string | null; spoken: boolean; number?: number }
  | { kind: 'answer'; instruction: string; answer: Reaction }
  | { kind: 'withdraw'; instruction: string }
  | { kind: 'say'; text: string }
  | { kind: 'calibrate'; anchor: VideoAnchor; points: Point[]; millimetres: number | null }
  | { kind: 'page'; board: number; title: string };

export type Operation =
  | ClientOperation
  | { kind: 'still'; still: StillFacts }
  | { kind: 'file'; file: FileFacts }
  | { kind: 'track'; tracks: Track[]; anchor: VideoAnchor };

/** An operation that the server has put into the room's one order. */
export interface LoggedOperation {
  sequence: number;
  time: number;
  author: ParticipantId;
  name: string;
  colour: string;
  operation: Operation;
}

export interface MarksSnapshot {
  /** 0: these are the entries from the beginning, and replace what is held. */
  after?: number;
  sequence: number;
  operations: LoggedOperation[];
}

/** The marks of an `edit`, as they look by it. */
export function editedBy(operation: Extract<Operation, { kind: 'edit' }>): readonly Mark[] {
  return operation.marks === undefined ? [operation.mark] : operation.marks;
}

export function isVideo(anchor: Anchor): anchor is VideoAnchor {
  return 'producer' in anchor;
}

export function isDicom(anchor: Anchor): anchor is DicomAnchor {
  return 'SOPInstanceUID' in anchor;
}

export function isBoard(anchor: Anchor): anchor is BoardAnchor {
  return 'board' in anchor;
}

export function surfaceOf(anchor: Anchor): Surface {
  return isVideo(anchor) ? 'field' : isDicom(anchor) ? 'dicom' : 'board';
}

/** Whether it hangs on the live picture of this producer, and not on a frozen one of it. */
export function isLive(anchor: Anchor, producer: ProducerId): anchor is VideoAnchor {
  return isVideo(anchor) && anchor.producer === producer && anchor.still !== true;
}

/** Whether what hangs on both is seen on the same picture, though not of the same moment. */
export function isSamePicture(a: Anchor, b: Anchor): boolean {
  if (isVideo(a)) return isVideo(b) && a.producer === b.producer && a.still === b.still;
  if (isDicom(a)) return isDicom(b) && a.SOPInstanceUID === b.SOPInstanceUID && a.frame === b.frame;
  return isBoard(b) && a.board === b.board;
}
