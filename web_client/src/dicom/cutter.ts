/**
 * Has cuts computed beside the page: gives each volume's frames to a worker as they come, asks for what the panes show, and keeps
 * the newest answer of each pane. A worker holds one series, so that its memory is gone with it.
 */
import { Emitter } from '../emitter';
import type { Frame } from './image';
import type { Pixels } from './pixels';
import type { CutName, Reformat } from './reformat';
import type { Order } from './reslice';
import type { Made, Told } from './reslice_worker';
import type { Slab } from './viewport';

/** What there is to be shown of a cut. */
export interface CutShown {
  name: CutName;
  key: string;
  frame: Frame;
  pixels: Pixels;
  slice: number;
  /** Of how many frames it is made, and whether at full resolution. */
  there: number;
  fine: boolean;
}

/** What a worker is to the page. */
export interface Port {
  post(told: Told, transfer: Transferable[]): void;
  close(): void;
}
/** `lost`: it never began, and holds nothing of what it was given. */
export type StartPort = (made: (made: Made) => void, lost: () => void) => Port;

/** A worker whose script was lost on its way is started again after so long, ms, as long as somebody looks at its cuts. */
const AGAIN_MS = 1000;

/** All volumes together: what a page may hold beside the frames themselves. */
const LIMIT_BYTES = 768 << 20;

interface Asked {
  key: string;
  name: CutName;
  frame: Frame;
  slice: number;
  order: Order;
  ticket: number;
  isUnder: boolean;
}

export interface Held {
  reformat: Reformat;
  port: Port;
  has: Set<number>;
  asked: Map<string, Asked>;
  shown: Map<string, CutShown>;
}

export class Cutter extends Emitter<{ cut: undefined; lost: undefined }> {
  readonly #held = new Map<Reformat, Held>();
  #tickets = 0;

  constructor(
    private readonly start: StartPort = startWorker,
    private readonly limit = LIMIT_BYTES,
  ) {
    super();
  }

  /** Bytes that are held for cuts. */
  get bytes(): number {
    return [...this.#held.keys()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Whether there is place for a volume. */
  fits(reformat: Reformat): boolean {
    return this.#held.has(reformat) || this.bytes + reformat.bytes <= this.limit;
  }

  /** Whether a frame was given already. */
  has(reformat: Reformat, at: number): boolean {
    return this.#held.get(reformat)?.has.has(at) ?? false;
  }

  /** Give a frame of a volume that is shown; one that was given before is not taken again. */
  give(reformat: Reformat, at: number, pixels: Pixels): void {
    const held = this.#held.get(reformat);
    if (held === undefined || held.has.has(at)) return;
    held.has.add(at);
    const samples = reformat.samples(at, pixels);
    held.port.post({ kind: 'slice', at, samples }, [samples.buffer]);
    // panes whose answer has come are asked for anew, the others when it comes
    for (const [pane, asked] of held.asked) if (!asked.isUnder) this.#ask(held, pane, asked);
  }

  /** What a pane shows of a cut: the newest answer, for a moment of the slice before, or nothing yet. */
  cut(pane: string, reformat: Reformat, name: CutName, slice: number, slab: Slab | null): CutShown | null {
    const held = this.open(reformat);
    const [frame, order] = [reformat.frame(name, slice), reformat.order(name, slice, slab)];
    if (held === null || frame === null || order === null) return null;
    const key = `${name} ${slice} ${slab === null ? '' : `${slab.mode} ${slab.mm}`}`;
    if (held.asked.get(pane)?.key !== key) this.#ask(held, pane, { key, name, frame, slice, order });
    const shown = held.shown.get(pane);
    // another way to look is another picture; the neighbouring slice is not, for a moment
    return shown?.name === name ? shown : null;
  }

  /** Let go of what no pane shows: `panes` are those that show cuts, and of which volume. */
  keep(panes: ReadonlyMap<string, Reformat>): void {
    const volumes = new Set(panes.values());
    for (const [reformat, held] of this.#held) {
      for (const pane of [...held.asked.keys()]) {
        if (panes.get(pane) === reformat) continue;
        held.asked.delete(pane);
        held.shown.delete(pane);
      }
      if (volumes.has(reformat)) continue;
      held.port.close();
      this.#held.delete(reformat);
    }
  }

  close(): void {
    this.keep(new Map());
  }

  /** Begin to hold a volume; null: there is no place for it. */
  open(reformat: Reformat): Held | null {
    const known = this.#held.get(reformat);
    if (known !== undefined) return known;
    if (reformat.grid === null || !this.fits(reformat)) return null;
    const held: Held = { reformat, port: this.start((made) => this.#handleMade(held, made), () => this.#handleLost(held)), has: new Set(), asked: new Map(), shown: new Map() };
    held.port.post({ kind: 'open', grid: reformat.grid }, []);
    this.#held.set(reformat, held);
    return held;
  }

  #ask(held: Held, pane: string, what: Omit<Asked, 'ticket' | 'isUnder'>): void {
    const isUnder = held.has.size > 0;
    const ticket = (this.#tickets += 1);
    held.asked.set(pane, { ...what, ticket, isUnder });
    if (isUnder) held.port.post({ kind: 'cut', pane, ticket, order: what.order }, []);
  }

  /** Whoever shows its cuts opens it anew. */
  #handleLost(held: Held): void {
    if (this.#held.get(held.reformat) !== held) return;
    held.port.close();
    this.#held.delete(held.reformat);
    this.emit('lost', undefined);
  }

  #handleMade(held: Held, made: Made): void {
    const asked = held.asked.get(made.pane);
    if (asked?.ticket !== made.ticket) return;
    const before = held.shown.get(made.pane);
    // what is coarse because it is heavy does not replace what is fine of the same place
    if (made.fine || before?.key !== asked.key || !before.fine) {
      const { name, key, frame, slice } = asked;
      held.shown.set(made.pane, { name, key, frame, slice, pixels: held.reformat.pixels(frame, made), there: made.there, fine: made.fine });
    }
    if (made.fine) {
      held.asked.set(made.pane, { ...asked, isUnder: false });
      if (held.has.size > made.there) this.#ask(held, made.pane, asked);
    }
    this.emit('cut', undefined);
  }
}

function startWorker(made: (made: Made) => void, lost: () => void): Port {
  const worker = new Worker(new URL('./reslice_worker.ts', import.meta.url), { type: 'module' });
  worker.addEventListener('message', ({ data }: MessageEvent<Made>) => made(data));
  // its script did not come: a mistake within it would be told by an ErrorEvent
  worker.addEventListener('error', (event) => void (event instanceof ErrorEvent || setTimeout(lost, AGAIN_MS)));
  return { post: (told, transfer) => worker.postMessage(told, transfer), close: () => worker.terminate() };
}
