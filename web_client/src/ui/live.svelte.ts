/** The live page's state as the components see it: follows a Session, adds what only the page knows. */
import { UNNAMED } from '../annotation/tools';
import type { PathState } from '../media/path_guard';
import { layersChosen } from '../media/encodings';
import { Publisher, type SentSource } from '../media/publisher';
import { captureFailure, openCamera, openFieldDevice, openScreen } from '../media/devices';
import { Receiver } from '../media/receiver';
import { openBrowserSocket } from '../signalling/browser_socket';
import type { ConnectionState } from '../signalling/connection';
import type { Anchor, Delivery, Participant, Permission, Producer, ProducerId, Recording } from '../signalling/protocol';
import { Session, type Announcement } from '../session';
import { pageTimers } from '../timers';
import { sayCode, t } from '../words/language.svelte';
import { LiveOverlay } from './live_overlay';
import { watchNetwork } from './network_watch';
import type { Drawing } from './overlay_source';

export interface Toast {
  id: number;
  tone: 'plain' | 'alarm';
  text: string;
}

export interface ConnectionView {
  state: ConnectionState;
  code: string;
  message: string;
}

export interface Capture {
  camera: MediaStreamTrack | null;
  microphone: MediaStreamTrack | null;
  cameraDevice: string | null;
}

/** The worst first. */
const PATH_ORDER: readonly PathState[] = ['rejoining', 'restarting', 'steady'];
/** Frames of one's own picture that go without a name for so long cannot be drawn on. */
const NAMELESS_MS = 1500;
const TOAST_MS = 6000;
const MAX_TOASTS = 4;

export class Live {
  connection = $state.raw<ConnectionView>({ state: 'connecting', code: '', message: '' });
  /** Whether the room has been seen: until then the joining page stays. */
  entered = $state(false);
  self = $state.raw<Participant | null>(null);
  roomName = $state('');
  participants = $state.raw<Participant[]>([]);
  producers = $state.raw<Producer[]>([]);
  recording = $state.raw<Recording | null>(null);
  tracks = $state.raw<ReadonlyMap<ProducerId, MediaStreamTrack>>(new Map());
  /** What is said of each picture that is not sent at its best. */
  deliveries = $state.raw<ReadonlyMap<ProducerId, Delivery>>(new Map());
  /** What one sends oneself, by the producer that it has become. */
  #ownTracks = $state.raw<ReadonlyMap<ProducerId, MediaStreamTrack>>(new Map());
  hasMicrophone = $state(false);
  microphoneOn = $state(false);
  cameraOn = $state(false);
  fieldOn = $state(false);
  receiving = $state<RTCPeerConnectionState | 'none'>('none');
  publishing = $state<RTCPeerConnectionState | 'none'>('none');
  /** How the worse of both media connections stands. */
  path = $state<PathState>('steady');
  pinned = $state<ProducerId | null>(null);
  toasts = $state.raw<Toast[]>([]);
  soundBlocked = $state(false);
  readonly session: Session;
  readonly overlay: LiveOverlay;
  #permissions = $state.raw<ReadonlySet<Permission>>(new Set());
  #capture: Capture;
  #toastCount = 0;
  #cameraBusy = false;
  #cancelNetworkWatch: () => void = () => undefined;

  constructor(token: string, capture: Capture) {
    this.#capture = capture;
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
    this.#listen();
    this.#cancelNetworkWatch = watchNetwork(() => this.session.handleNetworkChange());
    this.session.start();
  }

  may(permission: Permission): boolean {
    return this.#permissions.has(permission);
  }

  /** All pictures, one's own too, in the order in which they were first sent. */
  get pictures(): Producer[] {
    return this.producers.filter((producer) => producer.kind === 'video');
  }

  /** What is shown large: what was pinned, else the field, else the first picture of another. */
  get main(): Producer | null {
    const pictures = this.pictures;
    const own = this.self?.participant;
    return (
      pictures.find((picture) => picture.producer === this.pinned) ??
      pictures.find((picture) => picture.source === 'field') ??
      pictures.find((picture) => picture.participant !== own) ??
      pictures[0] ??
      null
    );
  }

  participantOf(producer: Producer): Participant | null {
    return this.participants.find((participant) => participant.participant === producer.participant) ?? null;
  }

  trackOf(producer: Producer): MediaStreamTrack | null {
    return this.#ownTracks.get(producer.producer) ?? this.tracks.get(producer.producer) ?? null;
  }

  /** How the pen works on a picture; null where the role does not draw. */
  drawingOn(producer: ProducerId): Drawing | null {
    if (!this.may('mark')) return null;
    const { tools } = this.session;
    const frames = this.session.frames(producer);
    const newest = (): Anchor | null => {
      const rtpTimestamp = frames.named?.rtpTimestamp ?? null;
      return rtpTimestamp === null ? null : { producer, rtp_timestamp: rtpTimestamp };
    };
    return {
      tools,
      newest,
      anchor: () => {
        const { latest } = frames;
        if (latest === null || latest.rtpTimestamp !== null) return newest();
        const anchor = { producer, rtp_timestamp: UNNAMED };
        frames.whenNamed(latest, (rtpTimestamp) => tools.handleName(anchor, rtpTimestamp));
        return anchor;
      },
      permit: () => {
        if (this.connection.state !== 'connected') return this.#refuse(t('draw_disconnected'));
        const { latest, named } = frames;
        if (latest === null) return this.#refuse(t('draw_no_frame'));
        // one's own frames are named a moment after they are shown; where that has stopped, a mark would wait for ever
        if (named === null || latest.shownAt - named.shownAt > NAMELESS_MS) return this.#refuse(t('draw_nameless'));
        if (frames.frozenFor(performance.now()) > 0) return this.#refuse(t('draw_frozen'));
        return true;
      },
    };
  }

  toggleMicrophone(): void {
    const { publisher } = this.session;
    const track = publisher.trackOf('microphone');
    if (track === null) return;
    track.enabled = !track.enabled;
    this.microphoneOn = track.enabled;
    this.#tellMuted('microphone', !track.enabled);
  }

  /** Off also turns the camera's light off; on opens it again. */
  async toggleCamera(): Promise<void> {
    const { publisher } = this.session;
    const track = publisher.trackOf('camera');
    if (this.#cameraBusy || !this.may('publish')) return;
    this.#cameraBusy = true;
    try {
      if (track !== null && track.readyState === 'live') {
        track.stop();
        await publisher.withhold('camera', null);
        this.#tellMuted('camera', true);
      } else {
        const fresh = await openCamera(this.#capture.cameraDevice);
        this.#watchEnd('camera', fresh);
        if (track === null) publisher.send('camera', fresh, this.self?.name ?? '');
        else {
          await publisher.withhold('camera', fresh);
          this.#tellMuted('camera', false);
        }
      }
    } catch (error) {
      this.toast('alarm', t(`capture_${captureFailure(error)}`));
    } finally {
      this.#cameraBusy = false;
      this.#readMedia();
    }
  }

  /** Share a device (its id) or a screen (null) as the operating field. */
  async shareField(device: string | null): Promise<void> {
    try {
      const track = device === null ? await openScreen() : await openFieldDevice(device);
      this.#watchEnd('field', track);
      this.session.publisher.trackOf('field')?.stop();
      this.session.publisher.send('field', track, t('source_field'));
    } catch (error) {
      this.toast('alarm', t(`capture_${captureFailure(error)}`));
    }
    this.#readMedia();
  }

  stopField(): void {
    this.session.publisher.trackOf('field')?.stop();
    this.session.publisher.stop('field');
    this.#readMedia();
  }

  pin(producer: ProducerId | null): void {
    this.pinned = producer;
  }

  pinNext(): void {
    const pictures = this.pictures;
    const at = pictures.findIndex((picture) => picture.producer === this.main?.producer);
    this.pinned = pictures[(at + 1) % Math.max(1, pictures.length)]?.producer ?? null;
  }

  toggleRecording(): void {
    if (this.may('record')) this.session.setRecording(this.recording?.state === 'recording' ? 'stop' : 'start');
  }

  leave(): void {
    this.session.leave();
    this.#stopCapture();
  }

  toast(tone: Toast['tone'], text: string): void {
    if (this.toasts.some((toast) => toast.text === text)) return;
    const id = ++this.#toastCount;
    this.toasts = [...this.toasts, { id, tone, text }].slice(-MAX_TOASTS);
    setTimeout(() => (this.toasts = this.toasts.filter((toast) => toast.id !== id)), TOAST_MS);
  }

  #refuse(reason: string): false {
    this.toast('alarm', reason);
    return false;
  }

  #listen(): void {
    const { session } = this;
    session.on('connection', (view) => {
      this.connection = view;
      if (view.state !== 'closed') return;
      this.#stopCapture();
      this.#cancelNetworkWatch();
    });
    session.on('room', () => this.#readRoom());
    session.on('delivery', () => (this.deliveries = new Map(session.deliveries)));
    document.addEventListener('visibilitychange', () => session.views.handlePageHidden(document.hidden));
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
    navigator.mediaDevices?.addEventListener('devicechange', () => this.#readMedia());
  }

  #readRoom(): void {
    const { room } = this.session;
    this.roomName = room.name;
    this.self = this.session.self;
    this.participants = [...room.participants.values()];
    this.producers = [...room.producers.values()];
    this.recording = room.recording;
    this.#permissions = new Set(room.permissions);
    if (!this.entered && this.self !== null) {
      this.entered = true;
      this.#publishCapture(this.self.name);
    }
    this.#obeyMute();
    if (this.pinned !== null && !room.producers.has(this.pinned)) this.pinned = null;
  }

  #publishCapture(name: string): void {
    if (!this.may('publish')) return this.#stopCapture();
    const { camera, microphone } = this.#capture;
    if (microphone !== null) this.session.publisher.send('microphone', microphone, '');
    if (camera !== null) {
      this.#watchEnd('camera', camera);
      this.session.publisher.send('camera', camera, name);
    }
    this.#readMedia();
  }

  #readMedia(): void {
    const { publisher } = this.session;
    const own = new Map<ProducerId, MediaStreamTrack>();
    for (const source of ['microphone', 'camera', 'field'] as const) {
      const [producer, track] = [publisher.producerOf(source), publisher.trackOf(source)];
      if (producer !== null && track !== null) own.set(producer, track);
    }
    this.#ownTracks = own;
    this.hasMicrophone = publisher.trackOf('microphone') !== null;
    this.microphoneOn = publisher.trackOf('microphone')?.enabled ?? false;
    this.cameraOn = publisher.trackOf('camera')?.readyState === 'live';
    this.fieldOn = publisher.trackOf('field') !== null;
    this.publishing = publisher.connectionState;
  }

  /** The chair has muted one of ours: what is no longer passed on must not look switched on. */
  #obeyMute(): void {
    const { publisher, room } = this.session;
    const producer = publisher.producerOf('microphone');
    const track = publisher.trackOf('microphone');
    if (producer === null || track === null || !track.enabled || !room.producers.get(producer)?.muted) return;
    if (this.#unmuting) return;
    track.enabled = false;
    this.microphoneOn = false;
    this.toast('alarm', t('said_muted_by_other'));
  }

  /** Between asking for one's own unmuting and hearing of it, the room still says muted. */
  #unmuting = false;

  #tellMuted(source: SentSource, muted: boolean): void {
    const producer = this.session.publisher.producerOf(source);
    if (producer === null) return;
    if (source === 'microphone' && !muted) {
      this.#unmuting = true;
      setTimeout(() => (this.#unmuting = false), 2000);
    }
    this.session.setMuted(producer, muted);
  }

  #watchEnd(source: 'camera' | 'field', track: MediaStreamTrack): void {
    track.addEventListener('ended', () => {
      if (this.session.publisher.trackOf(source) !== track) return;
      this.toast('alarm', t(`said_${source}_ended`));
      if (source === 'field') this.session.publisher.stop('field');
      else this.#tellMuted('camera', true);
      this.#readMedia();
    });
  }

  #stopCapture(): void {
    for (const source of ['microphone', 'camera', 'field'] as const) this.session.publisher.trackOf(source)?.stop();
    this.#capture.camera?.stop();
    this.#capture.microphone?.stop();
  }

  #announce(announcement: Announcement): void {
    switch (announcement.kind) {
      case 'joined':
      case 'left':
      case 'timed_out':
        return this.toast('plain', t(`said_${announcement.kind}`, { name: announcement.participant.name }));
      case 'recording_started':
      case 'recording_stopped':
        return this.toast('plain', t(`said_${announcement.kind}`, { name: announcement.by }));
      case 'recording_failed':
        return this.toast('alarm', `${t('said_recording_failed')}. ${this.recording?.reason ?? ''}`);
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
