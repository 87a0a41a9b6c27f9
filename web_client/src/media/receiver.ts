/**
 * What this participant is sent: one connection on which the server offers (PROTOCOL.md §3), and the data
 * channel `ephemeral` on it.
 */
import { Emitter } from '../emitter';
import type { Offer, ProducerId } from '../signalling/protocol';
import type { Timers } from '../timers';
import { wantHeaderExtensions } from './header_extensions';
import { PathGuard, type PathTrigger } from './path_guard';
import { askForReferenceTimes } from './reference_times';

interface ReceiverEvents {
  /** To be sent as `answer`. */
  answer: { revision: number; sdp: string };
  tracks: ReadonlyMap<ProducerId, MediaStreamTrack>;
  /** One text message of the ephemeral lane. */
  ephemeral: string;
  /** The connection broke and cannot heal: ask for a new one by `rewatch`. */
  failed: undefined;
  /** Nothing comes over the present path any more: ask by `restart_ice` for an offer that seeks a new one. */
  path_lost: PathTrigger;
  state: RTCPeerConnectionState;
}

export class Receiver extends Emitter<ReceiverEvents> {
  #connection: RTCPeerConnection | null = null;
  /** The server's number of the connection that its offers are for. */
  #number = 0;
  #channel: RTCDataChannel | null = null;
  #tracks = new Map<ProducerId, MediaStreamTrack>();
  readonly guard: PathGuard;
  /** Offers of one connection are carried out one after the other. */
  #queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly options: {
      connect: () => RTCPeerConnection;
      timers: Timers;
      /** Whether a producer is the operating field, whose newest frame counts more than an even rhythm. */
      isField: (producer: ProducerId) => boolean;
    },
  ) {
    super();
    this.guard = new PathGuard(options.timers, { impatient: true });
    this.guard.on('restart', (trigger) => this.emit('path_lost', trigger));
    this.guard.on('rejoin', () => this.emit('failed', undefined));
    this.guard.on('state', () => this.emit('state', this.#connection?.connectionState ?? 'new'));
  }

  /** Whether there is a connection whose path could be sought anew. */
  get connected(): boolean {
    return this.#connection !== null;
  }

  /** Whether a new connection is needed, and none has been offered yet. */
  get missing(): boolean {
    return this.guard.lost || (this.guard.state === 'rejoining' && this.#connection === null);
  }

  /** Use these TURN servers from the next restart on. */
  setIceServers(iceServers: RTCIceServer[]): void {
    this.#connection?.setConfiguration({ ...this.#connection.getConfiguration(), iceServers });
  }

  /** How many packets of each sound have come. */
  async soundPackets(): Promise<ReadonlyMap<ProducerId, number>> {
    const counts = new Map<ProducerId, number>();
    const producers = new Map([...this.#tracks].map(([producer, track]) => [track.id, producer]));
    try {
      (await this.#connection?.getStats())?.forEach((entry: { type: string; kind?: string; trackIdentifier?: string; packetsReceived?: number }) => {
        const producer = producers.get(entry.trackIdentifier ?? '');
        if (entry.type === 'inbound-rtp' && entry.kind === 'audio' && producer !== undefined) counts.set(producer, entry.packetsReceived ?? 0);
      });
    } catch {
      // closed meanwhile
    }
    return counts;
  }

  get tracks(): ReadonlyMap<ProducerId, MediaStreamTrack> {
    return this.#tracks;
  }

  handleOffer(offer: Offer): Promise<void> {
    // new credentials under the same number are an ICE restart, which the browser recognises itself
    if (this.#connection !== null && offer.connection !== this.#number) this.reset();
    const connection = (this.#connection ??= this.#connect());
    this.#number = offer.connection;
    this.#queue = this.#queue
      .then(() => this.#answer(connection, offer))
      .catch(() => {
        if (connection === this.#connection) this.guard.giveUp();
      });
    return this.#queue;
  }

  /** Send on the data channel; false where it is not open. */
  sendEphemeral(text: string): boolean {
    if (this.#channel?.readyState !== 'open') return false;
    this.#channel.send(text);
    return true;
  }

  /** Forget the connection: the server is about to offer a new one, in place of one that failed if `rebuilding`. */
  reset(rebuilding = false): void {
    if (rebuilding) this.guard.rebuild();
    else this.guard.stop();
    this.#connection?.close();
    this.#connection = null;
    this.#number = 0;
    // what a connection was asked before it was closed is never answered (WebRTC 1.0, section 4.4.1.2): nobody waits for it
    this.#queue = Promise.resolve();
    this.#channel = null;
    this.#tracks = new Map();
    this.emit('tracks', this.#tracks);
  }

  async #answer(connection: RTCPeerConnection, offer: Offer): Promise<void> {
    if (connection !== this.#connection) return;
    await connection.setRemoteDescription({ type: 'offer', sdp: offer.sdp });
    for (const transceiver of connection.getTransceivers()) wantHeaderExtensions(transceiver);
    await this.#describe(connection, await connection.createAnswer());
    if (connection !== this.#connection) return;
    this.#takeTracks(connection, offer);
    this.emit('answer', { revision: offer.revision, sdp: connection.localDescription?.sdp ?? '' });
  }

  async #describe(connection: RTCPeerConnection, answer: RTCSessionDescriptionInit): Promise<void> {
    const { type, sdp = '' } = answer;
    try {
      await connection.setLocalDescription({ type, sdp: askForReferenceTimes(sdp) });
    } catch {
      // a browser that lets nobody touch its words only does not tell when frames were captured
      await connection.setLocalDescription(answer);
    }
  }

  #takeTracks(connection: RTCPeerConnection, offer: Offer): void {
    const receivers = new Map(connection.getTransceivers().map((at) => [at.mid, at.receiver]));
    const tracks = new Map<ProducerId, MediaStreamTrack>();
    for (const { mid, producer } of offer.consumers) {
      const receiver = receivers.get(mid);
      if (receiver === undefined) continue;
      tracks.set(producer, receiver.track);
      if (this.options.isField(producer)) hurry(receiver);
    }
    this.#tracks = tracks;
    this.emit('tracks', tracks);
  }

  #connect(): RTCPeerConnection {
    const connection = this.options.connect();
    connection.addEventListener('connectionstatechange', () => {
      if (connection === this.#connection) this.emit('state', connection.connectionState);
    });
    this.guard.follow(connection);
    connection.addEventListener('datachannel', ({ channel }) => {
      if (channel.label !== 'ephemeral') return;
      this.#channel = channel;
      channel.addEventListener('message', (event: MessageEvent<unknown>) => {
        if (typeof event.data === 'string') this.emit('ephemeral', event.data);
      });
    });
    return connection;
  }
}

/** Ask for no more buffering than decoding needs: under the standard's name and under Chromium's old one. */
function hurry(receiver: RTCRtpReceiver): void {
  if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = 0;
  if ('playoutDelayHint' in receiver) receiver.playoutDelayHint = 0;
}
