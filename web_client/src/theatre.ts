/**
 * A recording that is shown in the room (PROTOCOL.md §14): how it stands, which moment of it a frame on the glass is, and
 * what one may ask of it. What is seen is the server's word: nothing moves here before it says so.
 */
import { Emitter } from './emitter';
import { rtpDifference } from './media/rtp';
import type { Permission, ProducerId, Request, Showing } from './signalling/protocol';

export type TheatreAnnouncement =
  | { kind: 'showing_began' | 'showing_ended'; by: string }
  /** It ended by itself. */
  | { kind: 'showing_failed' | 'showing_empty'; by: string };

interface TheatreEvents {
  changed: undefined;
  announcement: TheatreAnnouncement;
}

/** Which moment a frame shows; `seeking`: it only leads to the one that is wanted. Null: none is known. */
export interface Moment {
  position: number;
  seeking: boolean;
}

export const THEATRE_SPEEDS: readonly number[] = [0.25, 0.5, 1, 1.5, 2, 4];

const CLOCK_RATE = 90_000;

export class Theatre extends Emitter<TheatreEvents> {
  showing: Showing | null = null;

  constructor(
    /** False: it was refused, which has been announced. */
    private readonly ask: (request: Request) => Promise<boolean>,
    private readonly may: (permission: Permission) => boolean,
  ) {
    super();
  }

  /** Whether one may show a recording, and take it away. */
  get mayOpen(): boolean {
    return this.may('replay') && this.may('guide');
  }

  /** Whether one may play, pause and seek it, for all. */
  get mayPlay(): boolean {
    return this.may('replay') && this.may('teach');
  }

  /** Who comes, or comes back, is told anew what is shown. */
  handleWelcome(): void {
    if (this.showing === null) return;
    this.showing = null;
    this.emit('changed', undefined);
  }

  handleShowing(showing: Showing | null, reason: string | null): void {
    const before = this.showing;
    this.showing = showing;
    if (before === null && showing !== null) this.emit('announcement', { kind: 'showing_began', by: showing.by });
    if (before !== null && showing === null) {
      const kind = reason === 'failed' ? 'showing_failed' : reason === 'empty' ? 'showing_empty' : 'showing_ended';
      this.emit('announcement', { kind, by: before.by });
    }
    this.emit('changed', undefined);
  }

  /** Where it stands at a time of the server's clock, seconds. */
  position(serverNow: number | null): number {
    const { showing } = this;
    if (showing === null) return 0;
    const passed = showing.state !== 'playing' || showing.at === null || serverNow === null ? 0 : Math.max(0, serverNow - showing.at) / 1000;
    return Math.min(showing.position + passed * showing.speed, showing.seconds);
  }

  /** Which moment the frame of a picture with this RTP timestamp shows. */
  moment(producer: ProducerId, rtpTimestamp: number | null): Moment | null {
    const { showing } = this;
    const picture = showing?.pictures.find((one) => one.producer === producer);
    if (showing === null || picture === undefined || picture.frame === null || rtpTimestamp === null) return null;
    if (rtpDifference(rtpTimestamp, picture.frame) < 0) return { position: showing.position, seeking: true };
    const passed = (Math.max(0, rtpDifference(rtpTimestamp, picture.rtp_timestamp)) / CLOCK_RATE) * showing.speed;
    return { position: Math.min(showing.position + passed, showing.seconds), seeking: false };
  }

  open(recording: string): Promise<boolean> {
    return this.ask({ type: 'theatre', action: 'open', recording, position: 0 });
  }

  close(): Promise<boolean> {
    return this.ask({ type: 'theatre', action: 'close' });
  }

  toggle(): Promise<boolean> {
    return this.ask({ type: 'theatre', action: this.showing?.state === 'playing' ? 'pause' : 'play' });
  }

  seek(position: number): Promise<boolean> {
    const bounded = Math.min(Math.max(0, position), this.showing?.seconds ?? 0);
    return this.ask({ type: 'theatre', action: 'seek', position: bounded });
  }

  setSpeed(speed: number): Promise<boolean> {
    return this.ask({ type: 'theatre', action: 'speed', speed });
  }
}
