/**
 * What this participant sends: one connection on which the page offers (PROTOCOL.md §2).
 *
 * Each source has one section for the life of the connection; a source that is not sent has a section without
 * direction. One negotiation at a time: what changes meanwhile goes into the next one.
 */
import { Emitter } from '../emitter';
import type { ProducerId, PublishedSource, Reply, Source } from '../signalling/protocol';
import type { Timers } from '../timers';
import { ladderOf, type Layers } from './encodings';
import { wantHeaderExtensions } from './header_extensions';
import { PathGuard, type PathTrigger } from './path_guard';
import { SenderFrames, type Naming } from './sender_frames';
import type { EncodedFrameReport } from './sender_frames_worker';

export type SentSource = Extract<Source, 'microphone' | 'camera' | 'field'>;
export const SENT_SOURCES: readonly SentSource[] = ['microphone', 'camera', 'field'];

interface PublisherEvents {
  /** To be sent as `publish`; then `handleReply` or `handleRefusal`. */
  offer: { sdp: string; sources: PublishedSource[] };
  /** The set of producers, or whether they are being sent, has changed. */
  changed: undefined;
  /** The connection broke and cannot heal: `restart` when the server can be reached. */
  failed: undefined;
  /** Nothing comes over the present path any more: `restartIce` when the server can be reached. */
  path_lost: PathTrigger;
}

/** An encoding that is sent, or rests. */
export interface SentLayer {
  source: SentSource;
  rid: string;
  active: boolean;
  frameHeight: number;
  framesSent: number;
}

interface Sent {
  track: MediaStreamTrack;
  label: string;
  section: Section | null;
  producer: ProducerId | null;
}

/** A section of the connection, with what its encodings were made for. */
interface Section {
  transceiver: RTCRtpTransceiver;
  heights: number[];
  /** Which encodings the server wants, the lowest first; empty: all. */
  active: readonly boolean[];
  /** Changes of a sender's parameters must not overlap. */
  changing: Promise<void>;
}

export class Publisher extends Emitter<PublisherEvents> {
  readonly #sent = new Map<SentSource, Sent>();
  readonly #idle = new Map<SentSource, Section>();
  #connection: RTCPeerConnection | null = null;
  #negotiating = false;
  #changedMeanwhile = false;
  /** An offer that was never answered, since the connection to the server broke: `resume` makes it again. */
  #interrupted = false;
  readonly guard: PathGuard;
  /** Names one's own frames of the field; empty where the browser has no encoded transforms. */
  #fieldFrames = new SenderFrames();

  constructor(
    private readonly options: {
      connect: () => RTCPeerConnection;
      timers: Timers;
      /** Starts `sender_frames_worker.ts`; null where the browser has no RTCRtpScriptTransform. */
      startFrameWorker: (() => Worker) | null;
      /** How the pictures' layers are made. */
      layers?: Layers;
    },
  ) {
    super();
    this.guard = new PathGuard(options.timers, { impatient: false });
    this.guard.on('restart', (trigger) => this.emit('path_lost', trigger));
    this.guard.on('rejoin', () => this.emit('failed', undefined));
    this.guard.on('state', () => this.emit('changed', undefined));
  }

  get fieldFrames(): SenderFrames {
    return this.#fieldFrames;
  }

  get connectionState(): RTCPeerConnectionState | 'none' {
    return this.#connection?.connectionState ?? 'none';
  }

  producerOf(source: SentSource): ProducerId | null {
    return this.#sent.get(source)?.producer ?? null;
  }

  trackOf(source: SentSource): MediaStreamTrack | null {
    return this.#sent.get(source)?.track ?? null;
  }

  sourceOf(producer: ProducerId): SentSource | null {
    for (const [source, sent] of this.#sent) if (sent.producer === producer) return source;
    return null;
  }

  /** What leaves, encoding by encoding, as the browser counts it. */
  async layers(): Promise<SentLayer[]> {
    const layers: SentLayer[] = [];
    for (const [source, { section }] of this.#sent) {
      for (const statistics of (await section?.transceiver.sender.getStats())?.values() ?? []) {
        const { type, rid, active, frameHeight, framesSent } = statistics as RTCStats & Partial<SentLayer>;
        if (type !== 'outbound-rtp') continue;
        layers.push({ source, rid: rid ?? '', active: active ?? true, frameHeight: frameHeight ?? 0, framesSent: framesSent ?? 0 });
      }
    }
    return layers;
  }

  /** Send a track as this source; a source that is sent already changes its picture without negotiation. */
  send(source: SentSource, track: MediaStreamTrack, label: string): void {
    const hint = contentHint(source, track);
    if (hint !== null) track.contentHint = hint;
    const sent = this.#sent.get(source);
    if (sent !== undefined && sent.label === label) {
      sent.track = track;
      void sent.section?.transceiver.sender.replaceTrack(track);
      this.emit('changed', undefined);
      return;
    }
    this.#sent.set(source, { track, label, section: sent?.section ?? null, producer: sent?.producer ?? null });
    this.#negotiate();
  }

  /** Withhold the picture (a camera whose light is off), or send it again. */
  async withhold(source: SentSource, track: MediaStreamTrack | null): Promise<void> {
    const sent = this.#sent.get(source);
    if (sent === undefined) return;
    if (track !== null) sent.track = track;
    await sent.section?.transceiver.sender.replaceTrack(track);
    this.emit('changed', undefined);
  }

  /** Send this source no longer. */
  stop(source: SentSource): void {
    const sent = this.#sent.get(source);
    if (sent === undefined) return;
    this.#sent.delete(source);
    if (sent.section !== null) {
      void sent.section.transceiver.sender.replaceTrack(null);
      sent.section.transceiver.direction = 'inactive';
      this.#idle.set(source, sent.section);
    }
    this.#negotiate();
    this.emit('changed', undefined);
  }

  /** Seek a new way for the connection there is; media go on over the old one meanwhile. */
  restartIce(): void {
    if (this.#connection === null) return;
    this.#connection.restartIce();
    this.guard.handleRestart();
    this.#negotiate();
  }

  /** Use these TURN servers from the next restart on. */
  setIceServers(iceServers: RTCIceServer[]): void {
    this.#connection?.setConfiguration({ ...this.#connection.getConfiguration(), iceServers });
  }

  /** Publish everything anew on a new connection: after a failure, or as a new participant. */
  restart(): void {
    this.#discard();
    if (this.#sent.size > 0) this.guard.rebuild();
    if (this.#sent.size > 0) this.#negotiate();
  }

  close(): void {
    this.#discard();
    this.#sent.clear();
  }

  /** The server's `reply` to `publish`. */
  async handleReply(reply: Reply): Promise<void> {
    const connection = this.#connection;
    if (connection === null || reply.sdp === undefined) return;
    await connection.setRemoteDescription({ type: 'answer', sdp: reply.sdp });
    if (connection !== this.#connection) return;
    for (const sent of this.#sent.values()) {
      const mid = sent.section?.transceiver.mid;
      const producer = reply.producers?.find((other) => other.mid === mid)?.producer ?? null;
      // another producer: nobody has said yet what is wanted of it
      if (producer !== sent.producer && sent.section !== null) this.#activate(sent.section, []);
      sent.producer = producer;
    }
    this.#negotiating = false;
    this.emit('changed', undefined);
    if (this.#changedMeanwhile) this.#negotiate();
  }

  /** The server says which encodings of a producer, the lowest first, anybody watches: the others rest. */
  handleEncodings(producer: ProducerId, active: readonly boolean[]): void {
    for (const [source, sent] of this.#sent) {
      if (sent.producer !== producer || sent.section === null) continue;
      // one's own field is drawn on also while nobody watches, and only what is encoded has names: the smallest goes on
      const isAlone = source === 'field' && !active.includes(true);
      this.#activate(sent.section, isAlone ? active.map((_, i) => i === 0) : active);
    }
  }

  /** The server says how the receivers name the frames of a producer of ours. */
  handleNaming(producer: ProducerId, naming: Naming): void {
    if (this.producerOf('field') === producer) this.#fieldFrames.handleNaming(naming);
  }

  /** `publish` was refused or its answer never came; the next change tries on a new connection. */
  handleRefusal(): void {
    this.#discard();
    this.emit('changed', undefined);
  }

  /** The answer will never come: the connection to the server broke. False: there was nothing to keep. */
  handleInterruption(): boolean {
    if (this.#connection === null || this.#connection.remoteDescription === null) {
      this.handleRefusal();
      return false;
    }
    this.#interrupted = true;
    return true;
  }

  /** The server can be reached again: make the offer that it may never have seen once more. */
  async resume(): Promise<void> {
    const connection = this.#connection;
    if (!this.#interrupted || connection === null) return;
    this.#interrupted = false;
    if (connection.signalingState === 'have-local-offer') await connection.setLocalDescription({ type: 'rollback' });
    if (connection !== this.#connection) return;
    this.#negotiating = false;
    this.#negotiate();
  }

  #negotiate(): void {
    if (this.#negotiating) {
      this.#changedMeanwhile = true;
      return;
    }
    this.#negotiating = true;
    this.#changedMeanwhile = false;
    // a microtask later: what is sent in one go makes one offer
    const connection = (this.#connection ??= this.#connect());
    void Promise.resolve()
      .then(() => this.#offer(connection))
      .catch(() => this.handleRefusal());
  }

  async #offer(connection: RTCPeerConnection): Promise<void> {
    if (connection !== this.#connection) return;
    this.#changedMeanwhile = false;
    for (const [source, sent] of this.#sent) sent.section ??= this.#addSection(connection, source, sent.track);
    const sections = [...this.#sent].map(([source, sent]) => ({ source, label: sent.label, at: sent.section }));
    await connection.setLocalDescription(await connection.createOffer());
    if (connection !== this.#connection) return;
    const sources = sections.map(({ source, label, at }) => {
      return { mid: at?.transceiver.mid ?? '', source, label, ...(at?.heights.length ? { heights: at.heights } : {}) };
    });
    // no candidates: the server is ICE-lite and learns the page's address from its checks
    this.emit('offer', { sdp: connection.localDescription?.sdp ?? '', sources });
  }

  #addSection(connection: RTCPeerConnection, source: SentSource, track: MediaStreamTrack): Section {
    const idle = this.#idle.get(source);
    if (idle !== undefined) {
      this.#idle.delete(source);
      void idle.transceiver.sender.replaceTrack(track);
      idle.transceiver.direction = 'sendonly';
      return idle;
    }
    const ladder = ladderOf(source, track.getSettings().height, this.options.layers ?? 'simulcast');
    const transceiver = connection.addTransceiver(track, { direction: 'sendonly', sendEncodings: ladder.encodings });
    wantHeaderExtensions(transceiver);
    if (ladder.codec !== null) preferCodec(transceiver, ladder.codec);
    if (source === 'field') this.#watchEncodedFrames(transceiver.sender);
    return { transceiver, heights: ladder.heights, active: [], changing: Promise.resolve() };
  }

  #activate(section: Section, active: readonly boolean[]): void {
    section.active = active;
    const { sender } = section.transceiver;
    const change = async (): Promise<void> => {
      const parameters = sender.getParameters();
      const changed = parameters.encodings.filter((encoding, i) => encoding.active !== (section.active[i] ?? true));
      if (changed.length === 0) return;
      for (const encoding of changed) encoding.active = !encoding.active;
      await sender.setParameters(parameters);
    };
    // a refusal means that the connection is being closed, or that the next negotiation asks again
    section.changing = section.changing.then(change).catch(() => undefined);
  }

  #watchEncodedFrames(sender: RTCRtpSender): void {
    const frames = (this.#fieldFrames = new SenderFrames());
    const worker = this.options.startFrameWorker?.();
    if (worker === undefined) return;
    worker.addEventListener('message', (event: MessageEvent<EncodedFrameReport>) => {
      const { ssrc, rtpTimestamp, at } = event.data;
      frames.handleEncoded(ssrc, rtpTimestamp, at - performance.timeOrigin);
    });
    sender.transform = new RTCRtpScriptTransform(worker);
  }

  #connect(): RTCPeerConnection {
    const connection = this.options.connect();
    connection.addEventListener('connectionstatechange', () => {
      if (connection === this.#connection) this.emit('changed', undefined);
    });
    this.guard.follow(connection);
    return connection;
  }

  #discard(): void {
    this.guard.stop();
    this.#interrupted = false;
    this.#connection?.close();
    this.#connection = null;
    this.#negotiating = false;
    this.#changedMeanwhile = false;
    this.#idle.clear();
    for (const sent of this.#sent.values()) {
      sent.section = null;
      sent.producer = null;
    }
  }
}

/**
 * Moving pictures keep their rhythm and give up sharpness when the network is short (latency hurts more than
 * lost detail); a shared screen keeps its letters legible.
 */
function contentHint(source: SentSource, track: MediaStreamTrack): string | null {
  if (track.kind !== 'video') return null;
  const isScreen = 'displaySurface' in track.getSettings();
  return source === 'field' && isScreen ? 'detail' : 'motion';
}

function preferCodec(transceiver: RTCRtpTransceiver, name: string): void {
  const codecs = RTCRtpSender.getCapabilities('video')?.codecs;
  if (codecs === undefined || transceiver.setCodecPreferences === undefined) return;
  const rank = (codec: RTCRtpCodec): number => (codec.mimeType.toLowerCase() === `video/${name.toLowerCase()}` ? 0 : 1);
  transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a) - rank(b)));
}
