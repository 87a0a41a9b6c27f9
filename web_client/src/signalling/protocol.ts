/** The messages of `signalling/PROTOCOL.md`, version 1: what goes over the wire, field by field. */

import type { AsideCounts } from '../dicom/aside';
import type { StudyFacts } from '../dicom/catalogue';
import type { HospitalView } from '../hospital';
import type { ViewportState } from '../dicom/viewport';
import type { Anchor, ClientOperation, LoggedOperation, MarksSnapshot, Point, StillFacts, StrokeShape } from './marks';

export type {
  Anchor, BoardAnchor, ClientOperation, DicomAnchor, LoggedOperation, Mark, MarksSnapshot, Operation, Point, Shape, StrokeShape,
  Surface, Track, VideoAnchor,
} from './marks';

export const PROTOCOL_VERSION = 1;
export const SUB_PROTOCOL = 'konsil.1';

export type ParticipantId = string;
export type ProducerId = number;
export type Role = 'surgeon' | 'expert' | 'trainee' | 'observer' | 'chair';
export const PERMISSIONS = [
  'publish',
  'publish_field',
  'watch',
  'mark',
  'clear_own',
  'clear_field',
  'answer',
  'calibrate',
  'record',
  'replay',
  'moderate',
  'admit',
  'remove',
  'raise_hand',
  'message',
  'guide',
  'fetch_files',
  'images',
  'curate_images',
  'choose_patient',
  'teach',
  'export',
  'keep',
  'copy_out',
  'patient',
] as const;
export type Permission = (typeof PERMISSIONS)[number];
export type Source = 'field' | 'camera' | 'microphone' | 'screen' | 'second';
export const SOURCES: readonly Source[] = ['field', 'camera', 'microphone', 'screen', 'second'];

export interface Participant {
  participant: ParticipantId;
  name: string;
  role: Role;
  state: 'connected' | 'away';
  /** `silent`: its media connections have not been heard for 5 s. */
  media: 'live' | 'silent';
  colour: string;
  /** 0: down; else the least of all raised ones is next. */
  hand: number;
  /** What it may send just now. */
  sources: Source[];
  /** Whether it may draw just now. */
  draws?: boolean;
  /** It is nobody, but a recording that is shown. */
  recorded?: boolean;
}

/** Letters of DICOM's Patient Orientation: left, right, anterior, posterior, head, feet. */
export type Way = 'L' | 'R' | 'A' | 'P' | 'H' | 'F';

/** Which way round a picture is: what its right edge shows, and what its lower one. */
export interface Orientation {
  row: Way | null;
  column: Way | null;
  mirrored: boolean;
}

/** Of whom the room's images are: two identifiers at least, or a label where one may not see them. */
export interface Patient {
  name: string;
  patient_id?: string;
  issuer?: string;
  birth_date?: string;
  sex?: string;
  accession?: string;
  study_description?: string;
  key: string;
}

/** Who may watch a producer: everybody of these roles, and these. */
export interface Audience {
  roles: Role[];
  participants: ParticipantId[];
}

/** What a producer is a replay of. */
export interface Recorded {
  recording: string;
  /** When that began, Unix ms. */
  started: number;
  producer: ProducerId;
  source: Source;
}

/** A recording that is shown in the room: at `at` (Unix ms) `position` (seconds of it) is seen. */
export interface Showing {
  recording: string;
  /** Null: it is still being opened, as are `seconds` and `at`. */
  started: number | null;
  seconds: number;
  state: 'opening' | 'playing' | 'paused';
  progress: number;
  position: number;
  at: number | null;
  speed: number;
  /** Who did the last thing to it. */
  by: string;
  participant: ParticipantId | null;
  /** `rtp_timestamp` belongs to `position`, `frame` is that of the frame that shows it; null: there is none. */
  pictures: { producer: ProducerId; rtp_timestamp: number; frame: number | null }[];
}

export interface Producer {
  producer: ProducerId;
  participant: ParticipantId;
  source: Source;
  kind: 'audio' | 'video';
  codec: string;
  label: string;
  muted: boolean;
  /** Who muted it, if not its owner. */
  muted_by: ParticipantId | null;
  /** Null: everybody. */
  audience: Audience | null;
  /** Its sender's connection is gone, and another one is waited for. */
  interrupted?: boolean;
  /** The RTP timestamp from which on it goes on after the newest interruption. */
  since?: number | null;
  /** And when that was, Unix ms: RTP timestamps come round. */
  since_time?: number | null;
  /** Null: nobody said. */
  orientation?: Orientation | null;
  /** It is no live picture or sound, but one that was recorded. */
  recorded?: Recorded;
}

export interface Recording {
  recording: string;
  /** Interrupted: the disk does not follow, and it goes on by itself. */
  state: 'recording' | 'interrupted' | 'failed';
  since: number;
  by: string;
  reason?: string;
  /** A word for the reason, and since when nothing is being written (Unix ms). */
  cause?: string;
  interrupted?: number;
  /** What it lacks by now. */
  missing?: { seconds: number; packets: number };
}

export interface Welcome {
  type: 'welcome';
  id: number;
  version: number;
  self: ParticipantId;
  session: string;
  room: string;
  time: number;
  permissions: Permission[];
  participants: Participant[];
  producers: Producer[];
  marks: MarksSnapshot;
  recording: Recording | null;
  patient?: Patient | null;
  presenter: Presenting;
  /** TURN servers, and the seconds that their credentials hold. */
  ice_servers: RTCIceServer[];
  ice_lifetime: number;
}

export interface Offer {
  type: 'offer';
  revision: number;
  /** Counts the receiving connections; new ICE credentials under the same number are an ICE restart. */
  connection: number;
  sdp: string;
  consumers: { mid: string; producer: ProducerId; consumer: number }[];
}

export interface Clock {
  type: 'clock';
  producer: ProducerId;
  rtp_timestamp: number;
  time: number;
  clock_rate: number;
  /** `arrival`: what its sender reports cannot be, the frame was captured at `time` at the latest. */
  source: 'sender_report' | 'arrival';
}

export interface Barcode {
  type: 'barcode';
  producer: ProducerId;
  frame: number;
  time: number;
  interval_ms: number;
  modulus: number;
}

export interface PointerMessage {
  type: 'pointer';
  anchor: Anchor | null;
  point: Point | null;
  /** A pen that hovers, not a laser pointer. */
  ghost?: boolean;
  sent: number;
  n: number;
}

export interface StrokeMessage {
  type: 'stroke';
  mark: string;
  shape: StrokeShape;
  anchor: Anchor;
  from: number;
  points: Point[];
  width: number;
  sent: number;
  n: number;
}

export type EphemeralMessage = PointerMessage | StrokeMessage;
/** As it comes from the server: the author is added. */
export type ReceivedEphemeral = EphemeralMessage & { author: ParticipantId };

/** Why one is not sent the best there is of a producer; `none`: one is. */
export type DeliveryReason = 'none' | 'size' | 'hidden' | 'line' | 'publisher';

export interface Delivery {
  type: 'delivery';
  producer: ProducerId;
  reason: DeliveryReason;
  /** Of the picture that is sent; 0: none is. */
  height: number;
}

/** Which encodings of one's own producer, the lowest first, anybody watches. */
export interface Encodings {
  type: 'encodings';
  producer: ProducerId;
  active: boolean[];
}

/** How the receivers name the frames of one's own producer. */
export interface NamingNotice {
  type: 'naming';
  producer: ProducerId;
  /** The receivers' timestamp of the frame captured at `time`, Unix ms by this page's own machine. */
  rtp_timestamp: number;
  time: number;
  offsets: { ssrc: number; offset: number }[];
}

/** One who waits at the door, as those see it who may let in. */
export interface Knock {
  waiting: string;
  name: string;
  role: Role;
  /** Unix ms by the server's clock. */
  since: number;
}

export interface Door {
  locked: boolean;
  /** The first first; empty for those who may not let in. */
  waiting: Knock[];
}

export type LeaveReason = 'left' | 'timeout' | 'removed' | 'room_ended';

export type Notice =
  | Offer
  | Clock
  | Barcode
  | Delivery
  | Encodings
  | NamingNotice
  | ReceivedEphemeral
  | ({ type: 'operation' } & LoggedOperation)
  | { type: 'followed'; producer: ProducerId; rtp_timestamp: number }
  | { type: 'participant'; participant: Participant }
  | { type: 'participant_left'; participant: ParticipantId; reason: LeaveReason }
  | { type: 'producer'; producer: Producer }
  | { type: 'producer_removed'; producer: ProducerId }
  | { type: 'recording'; recording: Recording | null }
  | ({ type: 'door' } & Door)
  | { type: 'speaker'; participant: ParticipantId | null }
  | { type: 'patient'; patient: Patient | null }
  | ({ type: 'hospital' } & HospitalView)
  | { type: 'studies'; studies: StudyFacts[]; aside?: AsideCounts }
  | { type: 'showing'; showing: Showing | null; reason: 'closed' | 'empty' | 'failed' | null }
  | PresenterNotice
  | ViewportNotice;

/** Who leads the others through the images, and who asks to. */
export interface PresenterNotice {
  type: 'presenter';
  participant: ParticipantId | null;
  asking: ParticipantId[];
}

export interface ViewportMessage {
  type: 'viewport';
  n: number;
  /** By the server's clock. */
  sent: number;
  state: ViewportState;
}

export type ViewportNotice = ViewportMessage & { author: ParticipantId };

/** What a newcomer is told of it. */
export interface Presenting extends Omit<PresenterNotice, 'type'> {
  viewport: Omit<ViewportMessage, 'type'> | null;
}

/** The answer to `hello` where one has to be let in, and again whenever it changes. */
export interface WaitingRoom {
  type: 'waiting_room';
  id: number;
  waiting: string;
  room: string;
  /** In the queue, from 1. */
  place: number;
  /** Whether anybody is in the room who may let in. */
  attended: boolean;
}

export interface Pong {
  type: 'pong';
  id: number;
  time: number;
  server_time: number;
}

export interface Reply {
  type: 'reply';
  id: number;
  sdp?: string;
  producers?: { mid: string; producer: ProducerId }[];
  /** Of an answer: producers whose codec this browser does not take. */
  refused?: ProducerId[];
  after?: number;
  sequence?: number;
  operations?: LoggedOperation[];
  ice_servers?: RTCIceServer[];
  ice_lifetime?: number;
  /** Of a freeze: what is kept. */
  still?: StillFacts;
}

export interface ErrorMessage {
  type: 'error';
  /** Null: the request could not be read. */
  id?: number | null;
  code: string;
  message: string;
}

export interface Closed {
  type: 'closed';
  code: string;
  message: string;
  /** In somebody's own words, of `removed` and `refused`; absent or empty: none was given. */
  reason?: string;
}

export type ServerMessage = Welcome | WaitingRoom | Pong | Reply | ErrorMessage | Closed | Notice;

export interface PublishedSource {
  mid: string;
  source: Source;
  label: string;
  /** Of the encodings, in pixels, the lowest first. */
  heights?: number[];
}

/** What is asked of the server; `Connection.request` adds the `id`. */
export type Request =
  | { type: 'publish'; sdp: string; sources: PublishedSource[] }
  | { type: 'mute'; producer: ProducerId; muted: boolean }
  | { type: 'unpublish'; producer: ProducerId }
  | { type: 'answer'; revision: number; sdp: string }
  | { type: 'rewatch' }
  | { type: 'restart_ice' }
  | { type: 'ice_servers' }
  | { type: 'leave' }
  | { type: 'view'; producer: ProducerId; width: number; height: number }
  | { type: 'pause'; producer: ProducerId; paused: boolean }
  | { type: 'mark'; operation: ClientOperation }
  | { type: 'marks'; after: number }
  | { type: 'record'; action: 'start' | 'stop' }
  | { type: 'admit'; waiting: string; admitted: boolean; reason: string }
  | { type: 'lock'; locked: boolean }
  | { type: 'remove'; participant: ParticipantId; reason: string }
  | { type: 'permit'; participant: ParticipantId; sources: Source[] | null }
  | { type: 'permit'; participant: ParticipantId; draws: boolean | null }
  | { type: 'freeze'; producer: ProducerId; rtp_timestamp: number; for_all: boolean; label: string }
  | { type: 'orient'; producer: ProducerId; orientation: Orientation | null }
  | { type: 'restrict'; producer: ProducerId; roles: Role[] | null; participants: ParticipantId[] | null }
  | { type: 'hand'; raised: boolean; participant?: ParticipantId }
  | { type: 'choose_patient'; entry: string | null }
  | { type: 'theatre'; action: 'open'; recording: string; position: number }
  | { type: 'theatre'; action: 'play' | 'pause' | 'close' }
  | { type: 'theatre'; action: 'seek'; position: number }
  | { type: 'theatre'; action: 'speed'; speed: number }
  | { type: 'present'; action: 'start' | 'stop' | 'ask' }
  | { type: 'present'; action: 'give'; to: ParticipantId };

const KNOWN = new Set<string>([
  'welcome', 'pong', 'reply', 'error', 'closed', 'offer', 'clock', 'barcode', 'pointer', 'stroke', 'operation', 'followed',
  'participant', 'participant_left', 'producer', 'producer_removed', 'recording',
  'delivery', 'encodings', 'naming', 'waiting_room', 'door', 'speaker', 'patient', 'hospital', 'presenter', 'viewport', 'studies', 'showing',
]);

/** Read one text frame. Null for what this version does not know: a newer server may say more. */
export function parseMessage(text: string): ServerMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) return null;
  const { type } = value;
  return typeof type === 'string' && KNOWN.has(type) ? (value as ServerMessage) : null;
}

/** The server said no to a request, with a stable code and a sentence. */
export class RequestError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'RequestError';
  }
}

/** Whether a request was not refused but went under with its connection: nobody knows whether it arrived. */
export function isDisconnection(error: unknown): boolean {
  return error instanceof RequestError && error.code === 'disconnected';
}
