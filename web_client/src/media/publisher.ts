/**
 * What this participant sends: one connection on which the page offers (PROTOCOL.md §2).
 *
 * Each source has one section for the life of the connection; a source that is not sent has a section without
 * direction.
 */
import { Emitter } from '../emitter';
import { PAUSES } from '../loading/again';
import type { ProducerId, PublishedSource, Reply, Source } from '../signalling/protocol';
import type { Timers } from '../timers';
import { ladderOf, type Layers } from './encodings';
import { wantHeaderExtensions } from './header_extensions';
import { Negotiation, type AskServer } from './negotiation';
import { PathGuard, type PathTrigger } from './path_guard';
import { SenderFrames, type Naming } from './sender_frames';
import type { EncodedFrameReport } from './sender_frames_worker';

export type SentSource = Extract<Source, 'microphone' | 'camera' | 'field'>;
export const SENT_SOURCES: readonly SentSource[] = ['microphone', 'camera', 'field'];

interface PublisherEvents {
  /** An offer was refused, or its answer could not be taken: nothing is sent any more. `fresh`: what it was the first to name. */
  refused: { error: unknown; offered: readonly PublishedSource[]; fresh: readonly SentSource[] };
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
  /** It was refused, and is not offered until `retry`. */
  heldBack: boolean;
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
  #negotiation: Negotiation | null = null;
  readonly guard: PathGuard;
  /** Names one's own frames of the field; empty where the browser has no encoded transforms. */
  #fieldFrames = new SenderFrames();

  /** Puts an offer to the server. */
  ask: AskServer = () => Promise.resolve(null);

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
    return this.#negotiation?.connection.connectionState ?? 'none';
  }

  producerOf(source: SentSource): ProducerId | null {
    return this.#sent.get(source)?.producer ?? null;
  }

  trackOf(source: SentSource): MediaStreamTrack | null {
    return this.#sent.get(source)?.track ?? null;
  }

  /** Whether a source is to be sent and is not, although nothing is under way that could change it. */
  isUnsent(source: SentSource): boolean {
    const sent = this.#sent.get(source);
    return sent?.producer === null && (sent.heldBack || this.#negotiation?.underWay !== true);
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
      replaceTrack(sent.section, track);
      if (this.isUnsent(source)) return this.retry();
      this.emit('changed', undefined);
      return;
    }
    this.#sent.set(source, { track, label, section: sent?.section ?? null, producer: sent?.producer ?? null, heldBack: false });
    this.#negotiate();
  }

  /** Withhold the picture (a camera whose light is off), or send it again. */
  withhold(source: SentSource, track: MediaStreamTrack | null): void {
    const sent = this.#sent.get(source);
    if (sent === undefined) return;
    if (track !== null) sent.track = track;
    replaceTrack(sent.section, track);
    if (track !== null && this.isUnsent(source)) return this.retry();
    this.emit('changed', undefined);
  }

  /** Send this source no longer. */
  stop(source: SentSource): void {
    const sent = this.#sent.get(source);
    if (sent === undefined) return;
    this.#sent.delete(source);
    if (sent.section !== null) {
      replaceTrack(sent.section, null);
      sent.section.transceiver.direction = 'inactive';
      this.#idle.set(source, sent.section);
    }
    this.#negotiate();
    this.emit('changed', undefined);
  }

  /** Seek a new way for the connection there is; media go on over the old one meanwhile. */
  restartIce(): void {
    if (this.#negotiation === null) return;
    this.#negotiation.connection.restartIce();
    this.guard.handleRestart();
    this.#negotiation.need();
  }

  /** Use these TURN servers from the next restart on. */
  setIceServers(iceServers: RTCIceServer[]): void {
    const connection = this.#negotiation?.connection;
    connection?.setConfiguration({ ...connection.getConfiguration(), iceServers });
  }

  /** Publish everything anew on a new connection: after a failure, or as a new participant. */
  restart(): void {
    this.#discard();
    if (this.#sent.size === 0) return;
    this.guard.rebuild();
    this.#negotiate();
    this.emit('changed', undefined);
  }

  /** Offer once more what was refused. */
  retry(): void {
    for (const sent of this.#sent.values()) sent.heldBack = false;
    if (this.#sent.size > 0) this.#negotiate();
    this.emit('changed', undefined);
  }

  /** What was refused must not take along what was sent before: that is published anew without it. */
  goOnWithout(refused: readonly SentSource[]): void {
    const others = [...this.#sent].filter(([source]) => !refused.includes(source));
    if (refused.length === 0 || others.length === 0) return;
    for (const source of refused) {
      const sent = this.#sent.get(source);
      if (sent !== undefined) sent.heldBack = true;
    }
    this.restart();
  }

  close(): void {
    this.#discard();
    this.#sent.clear();
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

  #negotiate(): void {
    this.#negotiation ??= this.#connect();
    this.#negotiation.need();
  }

  #describe(connection: RTCPeerConnection): () => PublishedSource[] {
    const offered = [...this.#sent].filter(([, sent]) => !sent.heldBack);
    for (const [source, sent] of offered) sent.section ??= this.#addSection(connection, source, sent.track);
    const sections = offered.map(([source, sent]) => ({ source, label: sent.label, at: sent.section }));
    return () =>
      sections.map(({ source, label, at }) => {
        return { mid: at?.transceiver.mid ?? '', source, label, ...(at?.heights.length ? { heights: at.heights } : {}) };
      });
  }

  #takeProducers({ producers }: Reply): void {
    for (const sent of this.#sent.values()) {
      const mid = sent.section?.transceiver.mid;
      const producer = producers?.find((other) => other.mid === mid)?.producer ?? null;
      // another producer: nobody has said yet what is wanted of it
      if (producer !== sent.producer && sent.section !== null) this.#activate(sent.section, []);
      sent.producer = producer;
    }
    this.emit('changed', undefined);
  }

  #addSection(connection: RTCPeerConnection, source: SentSource, track: MediaStreamTrack): Section {
    const idle = this.#idle.get(source);
    if (idle !== undefined) {
      this.#idle.delete(source);
      replaceTrack(idle, track);
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
    const { startFrameWorker, timers } = this.options;
    if (startFrameWorker === null) return;
    const pauses = [...PAUSES];
    const watch = (): void => {
      const worker = startFrameWorker();
      worker.addEventListener('message', (event: MessageEvent<EncodedFrameReport>) => {
        const { ssrc, rtpTimestamp, at } = event.data;
        frames.handleEncoded(ssrc, rtpTimestamp, at - performance.timeOrigin);
      });
      worker.addEventListener('error', () => {
        // no frame passes a worker whose script was lost on its way: they go by themselves, unnamed, until it has come
        sender.transform = null;
        worker.terminate();
        const pause = pauses.shift();
        if (pause !== undefined) timers.after(pause, () => this.#fieldFrames === frames && watch());
      });
      sender.transform = new RTCRtpScriptTransform(worker);
    };
    watch();
  }

  #connect(): Negotiation {
    const connection = this.options.connect();
    const negotiation = new Negotiation(connection, {
      ask: this.ask,
      describe: () => this.#describe(connection),
      agreed: (reply) => this.#takeProducers(reply),
      failed: (error, offered) => {
        const fresh = [...this.#sent].filter(([, sent]) => sent.producer === null).map(([source]) => source);
        this.#discard();
        this.emit('changed', undefined);
        this.emit('refused', { error, offered, fresh });
      },
    });
    connection.addEventListener('connectionstatechange', () => {
      if (negotiation === this.#negotiation) this.emit('changed', undefined);
    });
    this.guard.follow(connection);
    return negotiation;
  }

  #discard(): void {
    this.guard.stop();
    this.#negotiation?.end();
    this.#negotiation = null;
    this.#idle.clear();
    for (const sent of this.#sent.values()) {
      sent.section = null;
      sent.producer = null;
    }
  }
}

/** Nobody waits for it: on a connection that is closed meanwhile it need never end (WebRTC 1.0, section 5.2, `replaceTrack`). */
function replaceTrack(section: Section | null, track: MediaStreamTrack | null): void {
  // refused on a closed connection only; the next one takes the track that is meant to be sent
  section?.transceiver.sender.replaceTrack(track).catch(() => undefined);
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
