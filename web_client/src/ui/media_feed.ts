/** Feeds one `<video>` or `<audio>` of a replay: a MediaSource with the camera's picture and sound, segment by segment. */
import { fileAddress } from '../replay/api';
import { beginningOf } from '../replay/beginning';
import type { Camera, Description } from '../replay/description';
import { GoneError, TrackFeed, type FetchPart, type Look, type SegmentList, type Sink } from '../replay/track_feed';
import { Turns } from '../replay/turns';
import type { ProducerId } from '../signalling/protocol';

/** Answers by which more asking changes nothing; a recording that is prepared (409) or a server that is busy (503) is asked again. */
const FINAL = new Set([400, 403, 404, 410, 500]);
/** A page that slept comes back with a cookie that is too old, and gets another at once: so often it is refused before it is given up. */
const REFUSALS = 10;
/** A connection from before a computer slept never answers; a segment of 4K takes no longer, or could not be watched. */
const PATIENCE_MS = 60_000;
/** A player shows a picture when it has a little more than it. */
const MORE_S = 0.3;
/** How much later a smaller picture's segments may come than the large one's, seconds. */
const BESIDE_S = 2;

/** All cameras of a page share its line. */
const turns = new Turns();

/** Have the lists of what is large at first in the browser's cache, and its tracks open on the server, while the page is built. */
export function askAhead({ recording, cameras }: Description): void {
  const camera = cameras[beginningOf(cameras).main];
  for (const track of [camera?.producer, camera?.audio]) {
    if (track == null) continue;
    // the player asks for itself, and hears of what is wrong
    void fetch(listAddress(recording, track), { credentials: 'same-origin' })
      .then((answer) => answer.arrayBuffer())
      .catch(() => undefined);
  }
}

function listAddress(recording: string, track: ProducerId): string {
  return `${fileAddress(recording, String(track))}/segments.json`;
}

export interface MediaFeedEvents {
  onwaiting: (waiting: boolean) => void;
  onfailed: () => void;
}

export class MediaFeed {
  readonly #source = new MediaSource();
  readonly #address = URL.createObjectURL(this.#source);
  readonly #closing = new AbortController();
  #feeds: TrackFeed[] = [];
  #picture: TrackFeed | null = null;
  #position = 0;
  #look: Look;
  #refused = 0;

  constructor(
    private readonly element: HTMLMediaElement,
    private readonly recording: string,
    private readonly camera: Camera,
    private readonly events: MediaFeedEvents,
    beside: boolean,
  ) {
    this.#look = { speed: 1, hurried: true, beside };
    element.src = this.#address;
    this.#source.addEventListener('sourceopen', () => void this.#open(), { once: true });
  }

  /** `position`: seconds of the camera. */
  handlePosition(position: number, look: Look): void {
    this.#position = position;
    this.#look = look;
    for (const feed of this.#feeds) feed.handlePosition(position, look);
  }

  /** Where its decoder begins for the picture at a position; null: that is not known yet, or it has no picture. */
  keyTime(position: number): number | null {
    return this.#picture?.keyTime(position) ?? null;
  }

  /** Whether its player has all that it needs to show this position. */
  holds(position: number): boolean {
    const { buffered } = this.element;
    const more = Math.min(position + MORE_S, this.camera.seconds - MORE_S);
    return contains(buffered, position) && (more <= position || contains(buffered, more));
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
      this.#picture = this.#feeds.find(({ list }) => list.type.startsWith('video/')) ?? null;
      this.handlePosition(this.#position, this.#look);
    } catch {
      this.#fail();
    }
  }

  async #list(producer: ProducerId): Promise<{ list: SegmentList; fetchPart: FetchPart }> {
    const base = `${fileAddress(this.recording, String(producer))}/`;
    const fetchPart: FetchPart = (name, signal, start) =>
      turns.take(() => this.#urgency(start), signal, async () => (await this.#ask(base + name, signal)).arrayBuffer());
    for (;;) {
      try {
        const { signal } = this.#closing;
        // of two hours it has 200 kB, and sixteen cameras have thirty-two of them
        const list = await turns.take(() => this.#urgency(this.#position), signal, async () => (await this.#ask(listAddress(this.recording, producer), signal)).json());
        return { list: list as SegmentList, fetchPart };
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
      oncomplete: () => this.#completed(),
    });
    return feed;
  }

  /** In how many seconds it is looked at. */
  #urgency(start: number): number {
    const { beside, speed } = this.#look;
    return Math.max(0, start - this.#position) / Math.max(1, speed) + (beside === true ? BESIDE_S : 0);
  }

  /** The ends of all tracks are there: without being told so the player would wait for more. */
  #completed(): void {
    const updating = [...this.#source.sourceBuffers].some((buffer) => buffer.updating);
    if (this.#feeds.every((feed) => feed.isComplete) && !updating && this.#source.readyState === 'open') this.#source.endOfStream();
  }

  async #ask(address: string, signal: AbortSignal): Promise<Response> {
    const answer = await fetch(address, { credentials: 'same-origin', signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]) });
    if (answer.status === 401) this.#refused += 1;
    else this.#refused = 0;
    if (answer.ok) return answer;
    if (FINAL.has(answer.status) || this.#refused >= REFUSALS) throw new GoneError(String(answer.status));
    throw new Error(String(answer.status));
  }

  #fail(): void {
    if (this.#closing.signal.aborted) return;
    for (const feed of this.#feeds) feed.close();
    this.events.onfailed();
  }
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

  holds(moment: number): boolean {
    try {
      return contains(this.buffer.buffered, moment);
    } catch {
      // a player that failed has no buffers any more, and says so elsewhere
      return true;
    }
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

function contains(ranges: TimeRanges, moment: number): boolean {
  for (let range = 0; range < ranges.length; range += 1) {
    if (ranges.start(range) <= moment && moment < ranges.end(range)) return true;
  }
  return false;
}
