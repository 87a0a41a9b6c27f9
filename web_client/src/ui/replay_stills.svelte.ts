/** What the components show of a recording's frozen frames: which stands beside the picture, and its picture once it is proved. */
import { fileAddress } from '../replay/api';
import { sm3 } from '../replay/sm3';
import { frameLookedAt, frozenFrames, isFrozenBy, lastMoment, type FrozenFrame } from '../replay/stills';
import type { Description } from '../replay/description';
import type { Key } from '../words/en';

export interface ProvedPicture {
  /** Its address in this page; null: it has not come, or may not be shown. */
  address: string | null;
  failure: Key | null;
}

const COMING: ProvedPicture = { address: null, failure: null };
/** Pictures that are held at once: one of 4K has 20 MB. */
const MOST_HELD = 6;

export class ReplayStills {
  readonly frames: readonly FrozenFrame[];
  /** Chosen from the list: it stays. */
  chosen = $state<string | null>(null);
  #closed = $state<string | null>(null);
  #pictures = $state.raw<ReadonlyMap<string, ProvedPicture>>(new Map());
  readonly #fetching = new Set<string>();

  constructor(private readonly description: Description) {
    this.frames = frozenFrames(description);
  }

  /** The frame that stands beside the picture at a position: the chosen one, else the one that people looked at then. */
  openAt(position: number): FrozenFrame | null {
    const chosen = this.frames.find(({ key }) => key === this.chosen);
    if (chosen !== undefined && isFrozenBy(chosen, position)) return chosen;
    const looked = frameLookedAt(this.frames, position);
    return looked === null || looked.key === this.#closed ? null : looked;
  }

  /** To be called as the position goes on: what was closed is shown again the next time that people look at it. */
  handlePosition(position: number): void {
    if (this.#closed !== null && frameLookedAt(this.frames, position)?.key !== this.#closed) this.#closed = null;
    const chosen = this.frames.find(({ key }) => key === this.chosen);
    if (chosen !== undefined && !isFrozenBy(chosen, position)) this.chosen = null;
  }

  /** Look at one; gives the position at which it bears what was drawn on it. */
  choose(frame: FrozenFrame): number {
    this.chosen = frame.key;
    this.#closed = null;
    return lastMoment(frame);
  }

  close(position: number): void {
    this.chosen = null;
    this.#closed = frameLookedAt(this.frames, position)?.key ?? null;
  }

  pictureOf(frame: FrozenFrame): ProvedPicture {
    return this.#pictures.get(frame.key) ?? COMING;
  }

  /** Fetch a picture, and show it only if it is the one that the log announced. */
  async fetch(frame: FrozenFrame): Promise<void> {
    if (this.#fetching.has(frame.key) || this.pictureOf(frame).address !== null) return;
    if (frame.file === null) return this.#put(frame, { address: null, failure: 'replay_still_missing' });
    this.#fetching.add(frame.key);
    this.#put(frame, COMING);
    try {
      const response = await fetch(fileAddress(this.description.recording, frame.file), { credentials: 'same-origin', cache: 'no-store' });
      if (!response.ok) return this.#put(frame, { address: null, failure: FAILURES[response.status] ?? 'replay_still_away' });
      const bytes = new Uint8Array(await response.arrayBuffer());
      if ((await sm3(bytes)) !== frame.facts.sm3) return this.#put(frame, { address: null, failure: 'replay_still_changed' });
      this.#put(frame, { address: URL.createObjectURL(new Blob([bytes], { type: 'image/png' })), failure: null });
    } catch {
      this.#put(frame, { address: null, failure: 'replay_still_away' });
    } finally {
      this.#fetching.delete(frame.key);
    }
  }

  /** Let all pictures go. */
  release(): void {
    for (const { address } of this.#pictures.values()) if (address !== null) URL.revokeObjectURL(address);
    this.#pictures = new Map();
  }

  #put({ key }: FrozenFrame, picture: ProvedPicture): void {
    const pictures = new Map(this.#pictures);
    // what was looked at longest ago goes first
    pictures.delete(key);
    pictures.set(key, picture);
    const held = [...pictures].filter(([, { address }]) => address !== null);
    for (const [old, { address }] of held.slice(0, Math.max(0, held.length - MOST_HELD))) {
      if (address !== null) URL.revokeObjectURL(address);
      pictures.delete(old);
    }
    this.#pictures = pictures;
  }
}

/** What the server's refusals mean. */
const FAILURES: Readonly<Record<number, Key>> = { 404: 'replay_still_missing', 410: 'replay_still_changed' };
