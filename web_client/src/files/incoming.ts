/**
 * What comes in of one file: fetched, hashed and held as it comes. It runs in a worker (`incoming_worker.ts`), where
 * a browser lets a page write to the disk without passing all of it through a third process.
 */
import { FileRequestError, type FilesApi } from './api';
import { FileDigest } from './hashing';

/** What a transfer asks of it. */
export interface Incoming {
  /** Bytes that have come. */
  readonly come: number;
  /** Fetch on, to before `to`. Throws FileRequestError, or AbortError; what came until then counts. */
  fetch(to: number, signal: AbortSignal): Promise<void>;
  /** The hash of all that came. */
  digest(): Promise<string>;
  /** All that came; nothing can come afterwards. */
  file(): Promise<Blob>;
  /** Hold nothing of it any more. */
  drop(): void;
}

/** Where bytes are held; throws where there is no space left. */
export interface Holding {
  add(bytes: Uint8Array<ArrayBuffer>): void;
  file(): Promise<Blob>;
  drop(): void;
}

export class IncomingFile implements Incoming {
  come = 0;
  readonly #hash = new FileDigest();

  constructor(
    private readonly api: Pick<FilesApi, 'fetch'>,
    private readonly name: string,
    private readonly holding: Holding,
  ) {}

  async fetch(to: number, signal: AbortSignal): Promise<void> {
    await this.api.fetch(this.name, this.come, to, signal, (bytes) => this.#take(bytes));
  }

  digest(): Promise<string> {
    return this.#hash.digest();
  }

  file(): Promise<Blob> {
    return this.holding.file();
  }

  drop(): void {
    this.holding.drop();
  }

  async #take(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      this.holding.add(bytes);
    } catch {
      throw new FileRequestError(507, 'no_space_here', 'The browser has too little space for this file.');
    }
    this.come += bytes.length;
    await this.#hash.update(bytes);
  }
}

/** Where the browser has no disk for pages. */
export class InMemory implements Holding {
  readonly #pieces: Blob[] = [];

  add(bytes: Uint8Array<ArrayBuffer>): void {
    // the browser may keep it outside of the page
    this.#pieces.push(new Blob([bytes]));
  }

  async file(): Promise<Blob> {
    return new Blob(this.#pieces);
  }

  drop(): void {
    this.#pieces.length = 0;
  }
}
