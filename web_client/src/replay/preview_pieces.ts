/**
 * The pieces of a camera's previews that are here, and those on their way: what is wished now, and its neighbour while somebody drags.
 * What nobody wishes any more is let go, on the line and in memory.
 */
import { isListed, PreviewError, readPiece, type PreviewFrame, type PreviewList } from './preview';

/** Half a minute or more of previews. */
const MOST_BYTES = 8 << 20;

/** Fetches a piece's body. Rejects with PreviewError what will never come, with anything else what may. */
export type FetchPiece = (number: number, signal: AbortSignal) => Promise<ArrayBuffer>;

interface Here {
  frames: PreviewFrame[];
  bytes: number;
}

export class PreviewPieces {
  /** In the order in which they were looked at, the longest ago first. */
  readonly #here = new Map<number, Here>();
  readonly #coming = new Map<number, { frames: Promise<PreviewFrame[]>; abort: AbortController }>();
  #bytes = 0;

  constructor(
    readonly list: PreviewList,
    private readonly fetchPiece: FetchPiece,
    private readonly most = MOST_BYTES,
  ) {}

  get bytes(): number {
    return this.#bytes;
  }

  /** A piece that is here; null: it is not. */
  here(number: number): readonly PreviewFrame[] | null {
    return this.#here.get(number)?.frames ?? null;
  }

  /** Have a piece come, and perhaps the one beside it; all others that are on their way are let go. */
  wish(number: number, beside: number | null = null): Promise<readonly PreviewFrame[]> {
    for (const [other, { abort }] of this.#coming) {
      if (other === number || other === beside) continue;
      abort.abort();
      this.#coming.delete(other);
    }
    const found = this.#get(number);
    // whoever wishes for the other one asks for it again
    if (beside !== null && beside >= 0 && beside < this.list.pieces.length) this.#get(beside).catch(() => undefined);
    return found;
  }

  close(): void {
    for (const { abort } of this.#coming.values()) abort.abort();
    this.#coming.clear();
    this.#here.clear();
    this.#bytes = 0;
  }

  #get(number: number): Promise<readonly PreviewFrame[]> {
    const here = this.#here.get(number);
    if (here !== undefined) {
      this.#here.delete(number);
      this.#here.set(number, here);
      return Promise.resolve(here.frames);
    }
    const known = this.#coming.get(number);
    if (known !== undefined) return known.frames;
    const abort = new AbortController();
    const frames = this.#fetch(number, abort);
    this.#coming.set(number, { frames, abort });
    return frames;
  }

  async #fetch(number: number, abort: AbortController): Promise<PreviewFrame[]> {
    try {
      const body = await this.fetchPiece(number, abort.signal);
      const frames = readPiece(body, this.list.timescale);
      if (!isListed(this.list, number, frames)) throw new PreviewError('A piece of the previews is not the one that the list names.');
      if (!abort.signal.aborted) this.#keep(number, { frames, bytes: body.byteLength });
      return frames;
    } finally {
      if (this.#coming.get(number)?.abort === abort) this.#coming.delete(number);
    }
  }

  #keep(number: number, piece: Here): void {
    this.#here.set(number, piece);
    this.#bytes += piece.bytes;
    for (const [other, { bytes }] of this.#here) {
      if (this.#bytes <= this.most || other === number) break;
      this.#here.delete(other);
      this.#bytes -= bytes;
    }
  }
}
