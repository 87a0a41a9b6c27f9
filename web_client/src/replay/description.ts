/** A recording's description (PROTOCOL.md §8), as the server gives it. */
import type { Anchor, LoggedOperation, Orientation, ParticipantId, Point, ProducerId, Source } from '../signalling/protocol';

export interface RecordingSummary {
  recording: string;
  room: string;
  started: number;
  seconds: number;
  state: 'recording' | 'preparing' | 'complete' | 'truncated' | 'moved';
  /** How far the preparation has come, 0-1. */
  progress?: number;
  /** How far its preview is, 0-1, while it is made or waits for that. */
  preview?: number;
  cameras: number;
  marks: number;
}

export interface Camera {
  producer: ProducerId;
  participant: ParticipantId;
  source: Source;
  label: string;
  codec: string;
  /** The picture's type, or the sound's where there is no picture. */
  type: string;
  offset: number;
  seconds: number;
  first_rtp_timestamp: number;
  clock_rate: number;
  /** The first picture's media time: sound may begin before it. Missing in recordings of before: 0. */
  picture_at?: number;
  /** When its last picture ends: sound may last longer. Missing in recordings of before: as long as it lasts. */
  picture_until?: number;
  width: number;
  height: number;
  audio: ProducerId | null;
}

/** `at` is seconds after the recording's start, here and below. */
export type RecordedOperation = Omit<LoggedOperation, 'time'> & { at: number };

export interface RecordedPointer {
  at: number;
  author: ParticipantId;
  anchor: Anchor | null;
  point: Point | null;
}

export interface RoomEvent {
  at: number;
  kind: string;
  participant?: ParticipantId;
  name?: string;
  producer?: ProducerId;
  source?: Source;
  muted?: boolean;
  raised?: boolean;
  locked?: boolean;
  /** Of `orient`. */
  orientation?: Orientation | null;
  /** Of `patient_chosen`: his key. */
  patient?: string | null;
  /** Of `producer_resumed`: the RTP timestamp from which on it came again. */
  since?: number | null;
  /** Of `viewport`: what the presenter saw. */
  state?: unknown;
  /** Of `images_shown`: what a series is. */
  series?: string;
  modality?: string;
  number?: number;
  images?: number;
  /** Who did it to another. */
  by?: ParticipantId;
}

export interface Description {
  recording: string;
  room: string;
  started: number;
  seconds: number;
  state: 'recording' | 'complete' | 'truncated';
  participants: { participant: ParticipantId; name: string; role: string; colour: string }[];
  cameras: Camera[];
  operations: RecordedOperation[];
  pointers: RecordedPointer[];
  events: RoomEvent[];
  /** Frozen frames whose picture is in the recording. Missing in recordings of before: none is. */
  stills?: { producer: ProducerId; rtp_timestamp: number; file: string; bytes: number; sm3: string }[];
  /** Producers that were for some only, and are not given to whoever looks. */
  withheld?: ProducerId[];
  /** Nothing of the producer can be shown for `seconds` from `at`: its last picture stays on the glass. */
  gaps: { producer: ProducerId; at: number; packets: number; seconds?: number }[];
  /** Tracks of which nothing can be shown. */
  problems?: { producer: ProducerId; message: string }[];
}
