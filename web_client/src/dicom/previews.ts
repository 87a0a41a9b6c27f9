/**
 * A small picture in place of an image that is long in coming: rendered by the server, seen at once, and no image. Nothing is
 * marked or measured on it. It is asked for only where it pays: the image is looked at, is not there after a while, and is large
 * beside its preview. From then on nothing is fetched beforehand until what is looked at is there.
 */
import { Emitter } from '../emitter';
import type { Timers } from '../timers';
import { bytesOf, keyOf, type FrameLoader } from './frames';
import type { Frame } from './image';
import type { Window } from './viewport';

/** Longer side, pixels: some 40 kB as JPEG. */
export const PREVIEW_SIDE = 640;
/** An image of fewer bytes is there as soon as its preview would be. */
const WORTH_BYTES = 64 << 10;
/** A good line has brought most images by then, ms; of a large one it is sooner known that it will take its time. */
const PATIENCE_MS = 350;
const LARGE_BYTES = 4 << 20;
const LARGE_PATIENCE_MS = 150;

type Render<Picture> = (frame: Frame, window: Window | null, signal: AbortSignal) => Promise<Picture>;

interface Look<Picture> {
  key: string;
  frame: Frame;
  cancel: () => void;
  stop: AbortController;
  /** The image was long in coming. */
  isLate: boolean;
  picture: Picture | null;
}

export class Previews<Picture extends { close(): void }> extends Emitter<{ preview: undefined }> {
  readonly #looks = new Map<string, Look<Picture>>();

  constructor(
    private readonly loader: FrameLoader,
    private readonly render: Render<Picture>,
    private readonly timers: Timers,
  ) {
    super();
  }

  /** Say what a pane looks at, and again whenever an image came; null: nothing that could have a preview. */
  look(pane: string, frame: Frame | null, window: Window | null): void {
    const awaited = frame !== null && bytesOf(frame) >= WORTH_BYTES && this.loader.state(frame) === null;
    const key = awaited ? `${keyOf(frame)} ${window?.join() ?? ''}` : '';
    const before = this.#looks.get(pane);
    if (before?.key === key) return;
    if (before !== undefined) this.#end(pane, before);
    if (awaited) this.#begin(pane, key, frame, window);
    this.#hurry();
  }

  /** What stands in for a frame; null: nothing, or not yet. */
  of(pane: string, frame: Frame): Picture | null {
    const look = this.#looks.get(pane);
    return look !== undefined && keyOf(look.frame) === keyOf(frame) ? look.picture : null;
  }

  close(): void {
    for (const [pane, look] of this.#looks) this.#end(pane, look);
  }

  #begin(pane: string, key: string, frame: Frame, window: Window | null): void {
    const look: Look<Picture> = { key, frame, cancel: () => undefined, stop: new AbortController(), isLate: false, picture: null };
    look.cancel = this.timers.after(bytesOf(frame) >= LARGE_BYTES ? LARGE_PATIENCE_MS : PATIENCE_MS, () => {
      look.isLate = true;
      // first, so that the preview does not queue behind what nobody looks at
      this.#hurry();
      void this.#ask(look, window);
    });
    this.#looks.set(pane, look);
  }

  async #ask(look: Look<Picture>, window: Window | null): Promise<void> {
    let picture: Picture;
    try {
      picture = await this.render(look.frame, window, look.stop.signal);
    } catch {
      // there is none: the image itself is on its way, or says why it is not
      return;
    }
    if (look.stop.signal.aborted) return picture.close();
    look.picture = picture;
    this.emit('preview', undefined);
  }

  #end(pane: string, look: Look<Picture>): void {
    look.cancel();
    look.stop.abort();
    look.picture?.close();
    this.#looks.delete(pane);
  }

  #hurry(): void {
    this.loader.hurry([...this.#looks.values()].some(({ isLate }) => isLate));
  }
}
