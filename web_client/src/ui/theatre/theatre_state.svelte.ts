/** What the components show of a recording in the room, and the list to choose one from. */
import { RecordingsApi } from '../../replay/api';
import type { RecordingSummary } from '../../replay/description';
import type { Session } from '../../session';
import type { Producer, ProducerId, Recorded, Showing } from '../../signalling/protocol';
import type { Moment } from '../../theatre';

/** What a picture has to say of itself where it is no live one. */
export interface RecordedView {
  recorded: Recorded;
  /** The same wherever it is shown: while it stands still no frame comes, and another element would have none. */
  video: HTMLVideoElement;
  playing: boolean;
  /** The moment that the frame with this RTP timestamp shows. */
  moment: (rtpTimestamp: number | null) => Moment | null;
}

export class TheatreState {
  showing = $state.raw<Showing | null>(null);
  mayOpen = $state(false);
  mayPlay = $state(false);
  /** Whether one is choosing from the list. */
  choosing = $state(false);
  /** Null: it is being fetched. */
  recordings = $state.raw<readonly RecordingSummary[] | null>(null);
  /** Why it could not be. */
  problem = $state(false);
  readonly #api: RecordingsApi;
  readonly #videos = new Map<ProducerId, HTMLVideoElement>();

  constructor(
    private readonly session: Session,
    token: string,
  ) {
    this.#api = new RecordingsApi(token);
    session.theatre.on('changed', () => (this.showing = session.theatre.showing));
    session.room.on('producer_removed', (producer) => {
      const video = this.#videos.get(producer);
      if (video !== undefined) video.srcObject = null;
      this.#videos.delete(producer);
    });
    session.on('room', () => {
      this.mayOpen = session.theatre.mayOpen;
      this.mayPlay = session.theatre.mayPlay;
    });
  }

  /** Where it stands now, seconds. */
  position(): number {
    return this.session.theatre.position(this.session.serverNow());
  }

  choose(open: boolean): void {
    this.choosing = open;
    if (open) void this.#list();
  }

  async open(recording: string): Promise<void> {
    if (await this.session.theatre.open(recording)) this.choosing = false;
  }

  close(): void {
    void this.session.theatre.close();
  }

  toggle(): boolean {
    if (!this.mayPlay || this.showing === null || this.showing.state === 'opening') return false;
    void this.session.theatre.toggle();
    return true;
  }

  seek(position: number): void {
    void this.session.theatre.seek(position);
  }

  setSpeed(speed: number): void {
    void this.session.theatre.setSpeed(speed);
  }

  /** Null for a live picture. */
  viewOf(producer: Producer): RecordedView | null {
    const { recorded } = producer;
    if (recorded === undefined) return null;
    return {
      recorded,
      video: this.#videoOf(producer.producer),
      playing: this.showing?.state === 'playing',
      moment: (rtpTimestamp) => this.session.theatre.moment(producer.producer, rtpTimestamp),
    };
  }

  #videoOf(producer: ProducerId): HTMLVideoElement {
    const known = this.#videos.get(producer);
    if (known !== undefined) return known;
    const video = document.createElement('video');
    video.autoplay = video.muted = video.playsInline = true;
    this.#videos.set(producer, video);
    return video;
  }

  async #list(): Promise<void> {
    this.recordings = null;
    this.problem = false;
    try {
      this.recordings = await this.#api.list();
    } catch {
      this.recordings = [];
      this.problem = true;
    }
  }
}
