/** The live page's state as the components see it: follows a Session, adds what only the page knows. */
import type { PathState } from '../media/path_guard';
import type { HospitalView } from '../hospital';
import { DicomWeb } from '../dicom/web';
import type { PresentingRole } from '../dicom/presenting';
import { sendByRequest, Uploads } from '../dicom/upload';
import { layersChosen } from '../media/encodings';
import { Publisher } from '../media/publisher';
import { Receiver } from '../media/receiver';
import { openBrowserSocket } from '../signalling/browser_socket';
import type { ConnectionState, DoorPlace } from '../signalling/connection';
import { PERMISSIONS } from '../signalling/protocol';
import type {
  Delivery,
  Door,
  Participant,
  ParticipantId,
  Patient,
  Permission,
  Producer,
  ProducerId,
  Recording,
  Source,
} from '../signalling/protocol';
import { Session, type Announcement } from '../session';
import { pageTimers } from '../timers';
import type { Waiting } from '../unsent';
import { sayCode, t } from '../words/language.svelte';
import { fieldDrawing } from './field_drawing';
import type { DrawnOnField } from '../guidance';
import { GuidanceState } from './guidance_state.svelte';
import { LiveOverlay } from './live_overlay';
import { watchNetwork } from './network_watch';
import type { Drawing } from './overlay_source';
import { OwnMedia, type Capture } from './own_media.svelte';
import { PenState } from './pen_state.svelte';
import { Talk } from './talk.svelte';
import { StillsState } from './stills_state.svelte';
import type { StageTab } from './stage_tabs';
import { TheatreState } from './theatre/theatre_state.svelte';

export interface Toast {
  id: number;
  tone: 'plain' | 'alarm';
  text: string;
}

export interface ConnectionView {
  state: ConnectionState;
  code: string;
  message: string;
  reason: string;
}

/** The worst first. */
const PATH_ORDER: readonly PathState[] = ['rejoining', 'restarting', 'steady'];
const TOAST_MS = 6000;
const MAX_TOASTS = 4;

export class Live {
  connection = $state.raw<ConnectionView>({ state: 'connecting', code: '', message: '', reason: '' });
  /** Whether the room has been seen: until then the joining page stays. */
  entered = $state(false);
  /** Where one stands at the door, also while knocking again after a break; null: one does not. */
  place = $state.raw<DoorPlace | null>(null);
  self = $state.raw<Participant | null>(null);
  roomName = $state('');
  participants = $state.raw<Participant[]>([]);
  producers = $state.raw<Producer[]>([]);
  recording = $state.raw<Recording | null>(null);
  door = $state.raw<Door>({ locked: false, waiting: [] });
  speaker = $state.raw<ParticipantId | null>(null);
  patient = $state.raw<Patient | null>(null);
  hospital = $state.raw<HospitalView | null>(null);
  /** One's role draws, and surgeon or chair took the pen. */
  penTaken = $state(false);
  /** Who has a hand up, in the order in which they have the floor. */
  hands = $state.raw<Participant[]>([]);
  tracks = $state.raw<ReadonlyMap<ProducerId, MediaStreamTrack>>(new Map());
  /** What is said of each picture that is not sent at its best. */
  deliveries = $state.raw<ReadonlyMap<ProducerId, Delivery>>(new Map());
  unplayable = $state.raw<ReadonlySet<ProducerId>>(new Set());
  receiving = $state<RTCPeerConnectionState | 'none'>('none');
  publishing = $state<RTCPeerConnectionState | 'none'>('none');
  /** How the worse of both media connections stands. */
  path = $state<PathState>('steady');
  pinned = $state<ProducerId | null>(null);
  /** Who presents the images, and one's own part in it. */
  leading = $state.raw<{ role: PresentingRole; participant: ParticipantId | null }>({ role: 'alone', participant: null });
  /** What stands large. */
  stage = $state<StageTab>('field');
  toasts = $state.raw<Toast[]>([]);
  soundBlocked = $state(false);
  /** What one has drawn and written and the server has not taken for long. */
  late = $state.raw<Waiting>({ marks: 0, messages: 0 });
  readonly session: Session;
  readonly images: DicomWeb;
  readonly uploads: Uploads;
  readonly overlay: LiveOverlay;
  readonly own: OwnMedia;
  readonly pen: PenState;
  readonly talk: Talk;
  readonly guidance: GuidanceState;
  readonly stills: StillsState;
  readonly theatre: TheatreState;
  #permissions = $state.raw<ReadonlySet<Permission>>(new Set());
  #toastCount = 0;
  #cancelNetworkWatch: () => void = () => undefined;

  constructor(
    readonly token: string,
    capture: Capture,
  ) {
    this.images = new DicomWeb(token);
    this.uploads = new Uploads(sendByRequest(token));
    const connect = (): RTCPeerConnection =>
      new RTCPeerConnection({ bundlePolicy: 'max-bundle', iceServers: this.session.iceServers });
    const isField = (producer: ProducerId): boolean => this.session.room.producers.get(producer)?.source === 'field';
    this.session = new Session({
      open: openBrowserSocket,
      token,
      timers: pageTimers,
      receiver: new Receiver({ connect, timers: pageTimers, isField }),
      publisher: new Publisher({ connect, timers: pageTimers, startFrameWorker: frameWorkerStarter(), layers: layersChosen(localStorage) }),
    });
    this.overlay = new LiveOverlay(this.session);
    this.pen = new PenState(this.session, (text) => this.toast('alarm', text));
    this.guidance = new GuidanceState(this.session, () => this.#drawnOnFields());
    this.stills = new StillsState(this.session, token, (tone, text) => this.toast(tone, text));
    this.own = new OwnMedia(this.session, capture, (tone, text) => this.toast(tone, text));
    this.talk = new Talk(this.session, token);
    this.theatre = new TheatreState(this.session, token);
    this.#listen();
    this.#cancelNetworkWatch = watchNetwork(() => this.session.handleNetworkChange());
    this.session.start();
  }

  may(permission: Permission): boolean {
    return this.#permissions.has(permission);
  }

  /** Whether one may send this just now, whatever the role may. */
  maySend(source: Source): boolean {
    return this.self?.sources.includes(source) ?? false;
  }

  /** Whether one is of a producer's audience. */
  mayWatch(producer: Producer): boolean {
    return this.session.room.mayWatch(producer);
  }

  /** The place in the queue for the floor, from 1; 0: no hand is up. */
  floorOf(participant: ParticipantId): number {
    return this.hands.findIndex((other) => other.participant === participant) + 1;
  }

  /** All pictures, one's own too, in the order in which they were first sent. */
  get pictures(): Producer[] {
    return this.producers.filter((producer) => producer.kind === 'video');
  }

  /** Marks on the live fields as they are drawn: where they have gone, and whether that is to be believed. */
  #drawnOnFields(): DrawnOnField[] {
    const fields = [...this.session.room.producers.values()].filter(({ source }) => source === 'field');
    const drawn = fields.flatMap(({ producer }) => this.overlay.marks(producer, performance.now()));
    return drawn
      .filter(({ mark }) => this.session.replica.find(mark.mark) !== null)
      .map((one) => ({ ...one, since: this.session.replica.find(one.mark.mark)?.anchored ?? null }))
      .sort((a, b) => (a.since ?? Infinity) - (b.since ?? Infinity));
  }


  /** What is shown large: what was pinned, else the field, else the first picture of another; not what one may not see. */
  get main(): Producer | null {
    const all = this.pictures;
    const pictures = all.filter((picture) => this.mayWatch(picture));
    const own = this.self?.participant;
    return (
      all.find((picture) => picture.producer === this.pinned) ??
      pictures.find((picture) => picture.source === 'field') ??
      pictures.find((picture) => picture.recorded !== undefined) ??
      pictures.find((picture) => picture.participant !== own) ??
      pictures[0] ??
      all[0] ??
      null
    );
  }

  participantOf(producer: Producer): Participant | null {
    return this.participants.find((participant) => participant.participant === producer.participant) ?? null;
  }

  trackOf(producer: Producer): MediaStreamTrack | null {
    return this.own.tracks.get(producer.producer) ?? this.tracks.get(producer.producer) ?? null;
  }

  /** How the pen works on a picture; null where the role does not draw. */
  drawingOn(producer: ProducerId): Drawing | null {
    return fieldDrawing(this, producer);
  }

  pin(producer: ProducerId | null): void {
    this.pinned = producer;
    this.stage = 'field';
  }

  choose(stage: StageTab): void {
    this.stage = stage;
  }

  pinNext(): void {
    const pictures = this.pictures;
    const at = pictures.findIndex((picture) => picture.producer === this.main?.producer);
    this.pin(pictures[(at + 1) % Math.max(1, pictures.length)]?.producer ?? null);
  }

  toggleHand(): void {
    if (this.may('raise_hand')) void this.session.manners.raiseHand(this.self?.hand === 0);
  }

  toggleRecording(): void {
    if (this.may('record')) this.session.setRecording(this.recording !== null && this.recording.state !== 'failed' ? 'stop' : 'start');
  }

  leave(): void {
    this.session.leave();
    this.talk.close();
    this.own.stop();
  }

  toast(tone: Toast['tone'], text: string): void {
    if (this.toasts.some((toast) => toast.text === text)) return;
    const id = ++this.#toastCount;
    this.toasts = [...this.toasts, { id, tone, text }].slice(-MAX_TOASTS);
    setTimeout(() => (this.toasts = this.toasts.filter((toast) => toast.id !== id)), TOAST_MS);
  }

  #listen(): void {
    const { session } = this;
    session.on('connection', (view) => {
      this.connection = view;
      if (view.state !== 'closed') return;
      this.own.stop();
      this.#cancelNetworkWatch();
    });
    session.on('waiting', (place) => (this.place = place));
    session.on('room', () => this.#readRoom());
    session.unsent.on('changed', () => (this.late = session.unsent.late));
    session.on('delivery', () => {
      this.deliveries = new Map(session.deliveries);
      this.unplayable = session.unplayable;
    });
    document.addEventListener('visibilitychange', () => session.views.handlePageHidden(document.hidden));
    session.presenting.on('state', ({ board }) => (this.talk.page = board));
    session.presenting.on('changed', () => (this.leading = { role: session.presenting.role, participant: session.presenting.presenter }));
    session.on('tracks', () => (this.tracks = new Map(session.receiver.tracks)));
    session.on('media', () => this.#readMedia());
    session.tools.on('unnamed', () => this.toast('alarm', t('draw_unnamed')));
    session.on('announcement', (announcement) => this.#announce(announcement));
    session.receiver.on('state', (state) => (this.receiving = state));
    for (const { guard } of [session.receiver, session.publisher]) {
      guard.on('state', () => {
        const before = this.path;
        const states = [session.receiver.guard.state, session.publisher.guard.state];
        this.path = PATH_ORDER.find((state) => states.includes(state)) ?? 'steady';
        if (before === 'rejoining' && this.path === 'steady') this.toast('plain', t('said_media_rejoined'));
      });
    }
    navigator.mediaDevices?.addEventListener('devicechange', () => this.own.read());
  }

  #readRoom(): void {
    const { room } = this.session;
    this.roomName = room.name;
    this.self = this.session.self;
    this.participants = [...room.participants.values()];
    this.producers = [...room.producers.values()];
    this.recording = room.recording;
    this.door = room.door;
    this.speaker = room.speaker;
    this.hands = room.hands;
    this.#permissions = new Set(PERMISSIONS.filter((permission) => room.may(permission)));
    this.penTaken = room.penTaken;
    this.patient = room.patient;
    this.hospital = room.hospital;
    if (!this.entered && this.self !== null) {
      this.entered = true;
      this.own.begin(this.self.name);
    }
    this.own.obeyMute();
    if (this.pinned !== null && !room.producers.has(this.pinned)) this.pinned = null;
  }

  #readMedia(): void {
    this.own.read();
    this.publishing = this.session.publisher.connectionState;
  }

  /** The newest word: what is shown follows a moment later. */
  #whyNotRecorded(): string {
    const recording = this.session.room.recording;
    return sayCode('recording_cause', recording?.cause ?? '', recording?.reason ?? '');
  }

  #announce(announcement: Announcement): void {
    switch (announcement.kind) {
      case 'joined':
      case 'left':
      case 'timed_out':
      case 'removed':
        return this.toast('plain', t(`said_${announcement.kind}`, { name: announcement.participant.name }));
      case 'hand_raised':
        // who leads the conversation is told; for the others the number beside the name is enough
        if (!this.may('moderate') && !this.may('admit')) return;
        return this.toast('plain', t('said_hand_raised', { name: announcement.participant.name }));
      case 'forbidden':
      case 'allowed': {
        const sources = announcement.sources.map((source) => t(`source_${source}`)).join(t('list_comma'));
        return this.toast(announcement.kind === 'forbidden' ? 'alarm' : 'plain', t(`said_${announcement.kind}`, { sources }));
      }
      case 'pen_taken':
      case 'pen_given':
        return this.toast(announcement.kind === 'pen_taken' ? 'alarm' : 'plain', t(`said_${announcement.kind}`));
      case 'showing_began':
      case 'recording_started':
      case 'recording_stopped':
        return this.toast('plain', t(`said_${announcement.kind}`, { name: announcement.by }));
      case 'presenting_began':
      case 'presenting_asked': {
        const name = this.session.room.participants.get(announcement.participant)?.name ?? '';
        return this.toast('plain', t(`said_${announcement.kind}`, { name }));
      }
      case 'marks_lost':
        return this.toast('alarm', t('said_marks_lost', { count: announcement.count }));
      case 'message_lost':
        return this.toast('alarm', t('said_message_lost', { text: announcement.text }));
      case 'recording_failed':
        return this.toast('alarm', `${t('said_recording_failed')}. ${this.#whyNotRecorded()}`);
      case 'recording_interrupted':
        return this.toast('alarm', `${t('said_recording_interrupted')} ${this.#whyNotRecorded()}`);
      case 'recording_resumed':
      case 'recording_resumed_whole':
        return this.toast('plain', t(`said_${announcement.kind}`));
      case 'showing_failed':
      case 'showing_empty':
        return this.toast('alarm', t(`said_${announcement.kind}`));
      case 'mark_refused':
        return this.toast('alarm', t('said_mark_refused', { reason: sayCode('error', announcement.code, announcement.message) }));
      case 'request_refused':
        return this.toast('alarm', sayCode('error', announcement.code, announcement.message));
      default:
        return this.toast('plain', t(`said_${announcement.kind}`));
    }
  }
}

function frameWorkerStarter(): (() => Worker) | null {
  if (!('RTCRtpScriptTransform' in globalThis)) return null;
  return () => new Worker(new URL('../media/sender_frames_worker.ts', import.meta.url), { type: 'module' });
}
