/**
 * The parts of an RTCPeerConnection that the client uses: states set by the test, negotiation that always succeeds, but
 * on a closed one: what is asked then is refused, what was asked before is never answered (WebRTC 1.0, section 4.4.1.2).
 */
export class FakePeer extends EventTarget {
  static made: FakePeer[] = [];
  connectionState: RTCPeerConnectionState = 'new';
  localDescription: { sdp: string } | null = null;
  remote: string[] = [];
  closed = false;
  transceivers: FakeTransceiver[] = [];
  configuration: RTCConfiguration = {};
  restarts = 0;
  signalingState: RTCSignalingState = 'stable';
  remoteDescription: { sdp: string } | null = null;
  /** What `getStats` tells: bytes that arrived, and answers by candidate pair. */
  bytes = 0;
  sent = 0;
  selected = '';
  answers: Record<string, number> = {};

  constructor() {
    super();
    FakePeer.made.push(this);
  }

  static connect = (): RTCPeerConnection => new FakePeer() as unknown as RTCPeerConnection;

  static get newest(): FakePeer {
    const newest = FakePeer.made.at(-1);
    if (newest === undefined) throw new Error('No connection was made.');
    return newest;
  }

  addTransceiver(track: MediaStreamTrack, init: RTCRtpTransceiverInit): FakeTransceiver {
    const transceiver = new FakeTransceiver(String(this.transceivers.length), track, init, this);
    this.transceivers.push(transceiver);
    return transceiver;
  }

  getTransceivers(): FakeTransceiver[] {
    return this.transceivers;
  }

  chained<Result>(result: Result): Promise<Result> {
    if (this.closed) return Promise.reject(new DOMException('The connection is closed.', 'InvalidStateError'));
    return new Promise((done) => {
      queueMicrotask(() => {
        if (!this.closed) done(result);
      });
    });
  }

  createOffer(): Promise<object> {
    return this.chained({});
  }

  createAnswer(): Promise<object> {
    return this.chained({});
  }

  getConfiguration(): RTCConfiguration {
    return this.configuration;
  }

  setConfiguration(configuration: RTCConfiguration): void {
    this.configuration = configuration;
  }

  restartIce(): void {
    this.restarts += 1;
  }

  #transport(): object {
    return { bytesReceived: this.bytes, bytesSent: this.sent, selectedCandidatePairId: this.selected };
  }

  getStats(): Promise<Map<string, object>> {
    const report = new Map<string, object>([['T', { id: 'T', type: 'transport', ...this.#transport() }]]);
    for (const [id, responsesReceived] of Object.entries(this.answers)) {
      report.set(id, { id, type: 'candidate-pair', responsesReceived });
    }
    return Promise.resolve(report);
  }

  setLocalDescription(): Promise<void> {
    this.signalingState = this.signalingState === 'have-remote-offer' ? 'stable' : 'have-local-offer';
    for (const transceiver of this.transceivers) transceiver.mid = transceiver.promised;
    this.localDescription = { sdp: `local ${this.transceivers.map(({ direction }) => direction).join()}` };
    return this.chained(undefined);
  }

  setRemoteDescription({ type, sdp }: { type: string; sdp: string }): Promise<void> {
    this.remote.push(sdp);
    this.remoteDescription = { sdp };
    this.signalingState = type === 'offer' ? 'have-remote-offer' : 'stable';
    // an offer names its sections, so that receivers exist for them
    for (const [, mid] of sdp.matchAll(/a=mid:(\S+)/g)) {
      if (mid !== undefined && !this.transceivers.some((known) => known.promised === mid)) {
        this.transceivers.push(new FakeTransceiver(mid, fakeTrack(`track-${mid}`), {}, this));
      }
    }
    return this.chained(undefined);
  }

  close(): void {
    this.closed = true;
  }

  become(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }
}

export class FakeTransceiver {
  mid: string | null = null;
  direction: string;
  sender: {
    track: MediaStreamTrack | null;
    replaceTrack: (track: MediaStreamTrack | null) => Promise<void>;
    getParameters: () => { encodings: RTCRtpEncodingParameters[] };
    setParameters: (parameters: { encodings: RTCRtpEncodingParameters[] }) => Promise<void>;
  };
  /** What `setParameters` said last: which encodings are active. */
  encodings: RTCRtpEncodingParameters[];
  receiver: { track: MediaStreamTrack; jitterBufferTarget: number | null };

  constructor(
    readonly promised: string,
    track: MediaStreamTrack,
    readonly init: RTCRtpTransceiverInit,
    peer: FakePeer,
  ) {
    this.direction = init.direction ?? 'recvonly';
    this.receiver = { track, jitterBufferTarget: null };
    this.encodings = (init.sendEncodings ?? [{}]).map((encoding) => ({ ...encoding, active: encoding.active ?? true }));
    this.sender = {
      track,
      // as the standard has it: Chromium does answer on a connection that was closed meanwhile
      replaceTrack: (other) => {
        this.sender.track = other;
        return peer.chained(undefined);
      },
      getParameters: () => ({ encodings: structuredClone(this.encodings) }),
      setParameters: async ({ encodings }) => {
        await settled();
        this.encodings = encodings;
      },
    };
  }
}

export function fakeTrack(id: string, kind: 'audio' | 'video' = 'video'): MediaStreamTrack {
  const track = { id, kind, enabled: true, readyState: 'live', contentHint: '', getSettings: () => ({}), stop: () => (track.readyState = 'ended') };
  return track as unknown as MediaStreamTrack;
}

export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
