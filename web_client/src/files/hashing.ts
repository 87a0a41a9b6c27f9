/**
 * The hash of a file: SHA-256 over the SHA-256 of each block, the twin of `signalling/file_digest.py`.
 *
 * The browser makes SHA-256 itself, beside the page, but only of what is in memory at once: hence the blocks.
 */
import { FileRequestError } from './api';

/** Bytes; the last block of a file is shorter, and an empty file has none. */
export const BLOCK = 4 * 1024 * 1024;

export class FileDigest {
  readonly #hashes: Promise<Uint8Array>[] = [];
  #block = new Uint8Array(BLOCK);
  #held = 0;

  /** Take what comes next; to be called again when this is over. */
  async update(data: Uint8Array<ArrayBuffer>): Promise<void> {
    demandHashing();
    for (let at = 0; at < data.length; ) {
      const part = data.subarray(at, at + BLOCK - this.#held);
      if (part.length === BLOCK) {
        // a whole one needs no other place to be gathered in
        await this.#add(part);
        at += BLOCK;
        continue;
      }
      this.#block.set(part, this.#held);
      this.#held += part.length;
      at += part.length;
      if (this.#held === BLOCK) {
        await this.#add(this.#block);
        this.#held = 0;
      }
    }
  }

  async #add(block: Uint8Array<ArrayBuffer>): Promise<void> {
    // the browser copies a block when it begins with it: the next one fills meanwhile, and none piles up
    await this.#hashes.at(-1);
    this.#hashes.push(sha256(block));
  }

  /** The hash of all that came, 64 hexadecimal digits. */
  async digest(): Promise<string> {
    demandHashing();
    const last = this.#held > 0 ? [sha256(this.#block.subarray(0, this.#held))] : [];
    const hashes = await Promise.all([...this.#hashes, ...last]);
    const whole = await sha256(new Uint8Array(hashes.flatMap((hash) => [...hash])));
    return [...whole].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  }
}

/** Throws FileRequestError over plain HTTP: there no browser hashes. */
function demandHashing(): void {
  if (globalThis.crypto.subtle === undefined) throw new FileRequestError(400, 'insecure_page', 'Files need an address that begins with https.');
}

async function sha256(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', data));
}
