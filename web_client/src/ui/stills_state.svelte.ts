/** What the components show of frozen frames: which there are, which stands beside the live picture, and their pictures. */
import { keyOf, type StillView } from '../stills';
import type { ProducerId } from '../signalling/protocol';
import type { Session } from '../session';
import { t } from '../words/language.svelte';
import { takeFrame } from './glass';

export interface StillPicture {
  /** From one's own glass, until the server's has come. */
  local: ImageBitmap | null;
  /** The server's, as an address of this page. */
  address: string | null;
  failed: boolean;
}

const NOTHING: StillPicture = { local: null, address: null, failed: false };

export class StillsState {
  all = $state.raw<StillView[]>([]);
  /** The one beside the live picture. */
  open = $state<string | null>(null);
  /** The list is looked at. */
  listed = $state(false);
  freezing = $state(false);
  pictures = $state.raw<ReadonlyMap<string, StillPicture>>(new Map());
  readonly #fetching = new Set<string>();

  constructor(
    private readonly session: Session,
    private readonly token: string,
    private readonly say: (tone: 'plain' | 'alarm', text: string) => void,
  ) {
    session.stills.on('changed', () => this.#read());
    session.stills.on('shown', (view) => this.#handleShown(view));
  }

  get shown(): StillView | null {
    return this.all.find(({ key }) => key === this.open) ?? null;
  }

  pictureOf(key: string): StillPicture {
    return this.pictures.get(key) ?? NOTHING;
  }

  /** Freeze what is on the glass, for oneself: `share` shows it to all. */
  async freeze(producer: ProducerId): Promise<void> {
    if (this.freezing) return;
    this.freezing = true;
    try {
      const frame = await takeFrame(producer);
      if (frame === null) return this.say('alarm', t('freeze_nothing'));
      const key = keyOf(producer, frame.rtpTimestamp);
      this.#setPicture(key, { ...this.pictureOf(key), local: frame.picture });
      this.open = key;
      void this.session.stills.freeze(producer, frame.rtpTimestamp, false);
    } finally {
      this.freezing = false;
    }
  }

  share({ producer, rtpTimestamp }: StillView): void {
    void this.session.stills.freeze(producer, rtpTimestamp, true);
  }

  show(key: string): void {
    this.open = key;
    this.listed = false;
    void this.#fetch(key);
  }

  close(): void {
    this.open = null;
  }

  #read(): void {
    this.all = this.session.stills.all;
    if (this.open !== null) void this.#fetch(this.open);
  }

  #handleShown(view: StillView): void {
    const name = this.session.room.participants.get(view.by)?.name ?? '';
    this.say('plain', t('said_froze', { name }));
    // whose hands are in the field decides himself when the live picture gives way
    if (!this.session.guidance.mayAnswer) this.show(view.key);
  }

  async #fetch(key: string): Promise<void> {
    const view = this.session.stills.find(key);
    const before = this.pictureOf(key);
    if (view?.state === 'failed') return this.#setPicture(key, { ...before, failed: true });
    if (view?.state !== 'kept' || before.address !== null || this.#fetching.has(key)) return;
    this.#fetching.add(key);
    try {
      const path = `/api/stills/${encodeURIComponent(this.session.room.name)}/${key}.png`;
      const response = await fetch(path, { headers: { Authorization: `Bearer ${this.token}` }, cache: 'no-store' });
      if (!response.ok) throw new Error(String(response.status));
      const address = URL.createObjectURL(await response.blob());
      this.pictureOf(key).local?.close();
      this.#setPicture(key, { local: null, address, failed: false });
    } catch {
      this.#setPicture(key, { ...this.pictureOf(key), failed: true });
    } finally {
      this.#fetching.delete(key);
    }
  }

  #setPicture(key: string, picture: StillPicture): void {
    this.pictures = new Map(this.pictures).set(key, picture);
  }
}
