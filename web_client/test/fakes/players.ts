/** Players that only pretend, and the replay's own class with them. */
import { vi } from 'vitest';
import type { Camera, Description } from '../../src/replay/description';
import type { SegmentList } from '../../src/replay/track_feed';
import type { Replay } from '../../src/ui/replay.svelte';

const KEY_S = 10;

class PretendedBuffer extends EventTarget {
  timestampOffset = 0;
  updating = false;
  readonly buffered = { length: 1, start: (): number => 0, end: (): number => Infinity };
  appendBuffer(): void {
    queueMicrotask(() => this.dispatchEvent(new Event('updateend')));
  }
  remove(): void {
    queueMicrotask(() => this.dispatchEvent(new Event('updateend')));
  }
}

export class PretendedSource extends EventTarget {
  static isTypeSupported = (): boolean => true;
  static ended = 0;
  readyState = 'open';
  duration = 0;
  readonly sourceBuffers: PretendedBuffer[] = [];
  constructor() {
    super();
    queueMicrotask(() => this.dispatchEvent(new Event('sourceopen')));
  }
  addSourceBuffer(): PretendedBuffer {
    this.sourceBuffers.push(new PretendedBuffer());
    return this.sourceBuffers.at(-1) as PretendedBuffer;
  }
  endOfStream(): void {
    PretendedSource.ended += 1;
    this.readyState = 'ended';
  }
}

export class PretendedVideo extends EventTarget {
  src = '';
  seeking = false;
  ended = false;
  paused = true;
  readyState = 4;
  playbackRate = 1;
  preservesPitch = false;
  readonly buffered = { length: 1, start: (): number => 0, end: (): number => Infinity };
  readonly jumps: number[] = [];
  #at = 0;
  #callbacks: VideoFrameRequestCallback[] = [];
  get currentTime(): number {
    return this.#at;
  }
  set currentTime(to: number) {
    this.#at = to;
    this.seeking = true;
    this.jumps.push(Math.round(to * 1000) / 1000);
  }
  play(): Promise<void> {
    this.paused = false;
    return Promise.resolve();
  }
  pause(): void {
    this.paused = true;
  }
  requestVideoFrameCallback(callback: VideoFrameRequestCallback): number {
    this.#callbacks.push(callback);
    return 1;
  }
  cancelVideoFrameCallback(): void {}
  removeAttribute(): void {}
  load(): void {}
  /** The seek is done, and this frame on the glass. */
  show(mediaTime = this.#at): void {
    this.seeking = false;
    for (const callback of this.#callbacks.splice(0)) callback(0, { mediaTime } as VideoFrameCallbackMetadata);
  }
  /** It plays on. */
  advance(seconds: number): void {
    this.#at += seconds;
  }
}

let Opened: typeof Replay;

/** What the pages asked the server for, and what it answers. */
export const server = {
  fetched: [] as string[],
  addresses: [] as string[],
  /** So many requests are refused. */
  refused: 0,
  /** What else than segments there is. */
  more: (_address: string, _signal?: AbortSignal | null): Promise<Response> | null => null,
};

/** Every segment of a sound is a key. */
function list(every: number): SegmentList {
  return {
    type: 'video/mp4', timescale: 90_000, init: 'init.mp4',
    segments: Array.from({ length: 100 }, (_, n): [number, number, 0 | 1] => [n * 90_000, 90_000, n % every === 0 ? 1 : 0]),
  };
}

/** To be called before the first bench is made. */
export async function pretendPlayers(): Promise<void> {
  const stand = {
    localStorage: { getItem: () => null, setItem: () => undefined },
    document: { documentElement: {} },
    HTMLMediaElement: { HAVE_CURRENT_DATA: 2, HAVE_FUTURE_DATA: 3 },
    HTMLVideoElement: PretendedVideo,
    MediaSource: PretendedSource,
    fetch: (address: string, init?: RequestInit): Promise<Response> => {
      server.addresses.push(address);
      server.fetched.push(address.split('/').at(-1) ?? '');
      if (server.refused > 0) {
        server.refused -= 1;
        return Promise.resolve(new Response('', { status: 401 }));
      }
      return server.more(address, init?.signal) ?? Promise.resolve(address.endsWith('.json') ? Response.json(list(address.includes('/8/') ? 1 : KEY_S)) : new Response('media'));
    },
  };
  for (const [name, value] of Object.entries(stand)) vi.stubGlobal(name, value);
  vi.spyOn(URL, 'createObjectURL').mockReturnValue('blob:pretended');
  Opened = (await import('../../src/ui/replay.svelte')).Replay;
}

export function pretendNoMore(): void {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
}

export function forgetRequests(): void {
  server.fetched = [];
  server.addresses = [];
  server.refused = 0;
  server.more = () => null;
}

export function camera(producer: number, fields: Partial<Camera> = {}): Camera {
  return {
    producer, participant: 'pt-s', source: 'field', label: '', codec: 'H264', type: 'video/mp4', offset: 0.5, seconds: 100,
    first_rtp_timestamp: 1000, clock_rate: 90_000, width: 3840, height: 2160, audio: null, ...fields,
  } as Camera;
}

export class Bench {
  readonly replay: Replay;
  readonly videos: PretendedVideo[];
  now = 0;

  constructor(...cameras: Camera[]) {
    const description = {
      recording: 'r', room: 'demo', started: 0, seconds: 101, state: 'complete', participants: [], cameras, operations: [], pointers: [], events: [], gaps: [],
    } as unknown as Description;
    this.replay = new Opened(description);
    this.videos = cameras.map(() => new PretendedVideo());
    this.videos.forEach((video, index) => this.replay.attach(index, video as unknown as HTMLVideoElement));
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 40; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  tick(milliseconds = 16): void {
    this.now += milliseconds;
    this.replay.tick(this.now);
  }

  /** It is open, and its first picture is seen. */
  async open(): Promise<this> {
    await this.settle();
    this.tick();
    for (const video of this.videos) video.show(0);
    this.tick();
    await this.settle();
    for (const video of this.videos) video.jumps.length = 0;
    return this;
  }

  get main(): PretendedVideo {
    return this.videos[0] as PretendedVideo;
  }
}
