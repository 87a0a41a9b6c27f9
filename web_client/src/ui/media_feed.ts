/** Feeds one `<video>` or `<audio>` of a replay: a MediaSource with the camera's picture and sound, segment by segment. */
import { fileAddress } from '../replay/api';
import type { Camera } from '../replay/description';
import { GoneError, TrackFeed, type FetchPart, type SegmentList, type Sink } from '../replay/track_feed';
import type { ProducerId } from '../signalling/protocol';

/** Answers by which more asking changes nothing; a recording that is prepared (409) or a server that is busy (503) is asked again. */
const FINAL = new Set([400, 401, 403, 404, 410, 500]);

export interface MediaFeedEvents {
  onwaiting: (waiting: boolean) => void;
  onfailed: () => void;
}

export class MediaFeed {
  readonly #source = new MediaSource();
  readonly #address = URL.createObjectURL(this.#source);
  readonly #closing = new AbortController();
  #feeds: TrackFeed[] = [];
  #complete = new Set<TrackFeed>();
  #position = 0;

  constructor(
    private readonly element: HTMLMediaElement,
    private readonly recording: string,
    private readonly camera: Camera,
    private readonly events: MediaFeedEvents,
  ) {
    element.src = this.#address;
    this.#source.addEventListener('sourceopen', () => void this.#open(), { once: true });
  }

  /** `position`: seconds of the camera. */
  handlePosition(position: number): void {
    this.#position = position;
    for (const feed of this.#feeds) feed.handlePosition(position);
  }

  close(): void {
    this.#closing.abort();
    for (const feed of this.#feeds) feed.close();
    URL.revokeObjectURL(this.#address);
    this.element.removeAttribute('src');
    this.element.load();
  }

  async #open(): Promise<void> {
    const { producer, audio } = this.camera;
    try {
      const tracks = await Promise.all((audio === null ? [producer] : [producer, audio]).map((track) => this.#list(track)));
      if (this.#closing.signal.aborted || this.#source.readyState !== 'open') return;
      const full = tracks.filter(({ list }) => list.segments.length > 0);
      if (full.length === 0 || !full.every(({ list }) => MediaSource.isTypeSupported(list.type))) return this.#fail();
      // all of them before the first byte: later no other is taken
      const buffers = full.map(({ list }) => this.#source.addSourceBuffer(list.type));
      this.#source.duration = this.camera.seconds;
      this.#feeds = full.map(({ list, fetchPart }, index) => this.#feed(list, new BufferSink(buffers[index] as SourceBuffer), fetchPart));
      this.handlePosition(this.#position);
    } catch {
      this.#fail();
    }
  }

  async #list(producer: ProducerId): Promise<{ list: SegmentList; fetchPart: FetchPart }> {
    const base = `${fileAddress(this.recording, String(producer))}/`;
    const fetchPart: FetchPart = async (name, signal) => (await ask(base + name, signal)).arrayBuffer();
    for (;;) {
      try {
        const answer = await ask(`${base}segments.json`, this.#closing.signal);
        return { list: (await answer.json()) as SegmentList, fetchPart };
      } catch (error) {
        if (error instanceof GoneError || this.#closing.signal.aborted) throw error;
        this.events.onwaiting(true);
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
  }

  #feed(list: SegmentList, sink: Sink, fetchPart: FetchPart): TrackFeed {
    const feed: TrackFeed = new TrackFeed(list, sink, fetchPart, {
      onwaiting: this.events.onwaiting,
      onfailed: () => this.#fail(),
      oncomplete: () => this.#completed(feed),
    });
    return feed;
  }

  /** The last pictures of all tracks are there: without being told so the player would wait for more. */
  #completed(feed: TrackFeed): void {
    this.#complete.add(feed);
    const updating = [...this.#source.sourceBuffers].some((buffer) => buffer.updating);
    if (this.#complete.size === this.#feeds.length && !updating && this.#source.readyState === 'open') this.#source.endOfStream();
  }

  #fail(): void {
    if (this.#closing.signal.aborted) return;
    for (const feed of this.#feeds) feed.close();
    this.events.onfailed();
  }
}

async function ask(address: string, signal: AbortSignal): Promise<Response> {
  const answer = await fetch(address, { credentials: 'same-origin', signal });
  if (answer.ok) return answer;
  if (FINAL.has(answer.status)) throw new GoneError(String(answer.status));
  throw new Error(String(answer.status));
}

/** A SourceBuffer does one thing at a time and tells by events. */
class BufferSink implements Sink {
  constructor(private readonly buffer: SourceBuffer) {}

  async append(data: ArrayBuffer, shift: number): Promise<void> {
    if (this.buffer.timestampOffset !== shift) this.buffer.timestampOffset = shift;
    await this.#done(() => this.buffer.appendBuffer(data));
  }

  async remove(from: number, to: number): Promise<void> {
    if (from < to) await this.#done(() => this.buffer.remove(from, to));
  }

  #done(begin: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => (): void => {
        this.buffer.removeEventListener('updateend', ended);
        this.buffer.removeEventListener('error', failed);
        settle();
      };
      const ended = finish(resolve);
      const failed = finish(() => reject(new Error('a segment could not be taken')));
      this.buffer.addEventListener('updateend', ended);
      this.buffer.addEventListener('error', failed);
      try {
        begin();
      } catch (error) {
        finish(() => reject(error as Error))();
      }
    });
  }
}
