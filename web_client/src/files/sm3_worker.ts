/** Hashes beside the page, so that it stays quick while a large file goes out or comes in. */
import { Sm3 } from './sm3';

export type HashOrder = { piece: Uint8Array<ArrayBuffer> } | 'digest';

let hash = new Sm3();

self.addEventListener('message', ({ data }: MessageEvent<HashOrder>) => {
  if (data !== 'digest') {
    hash.update(data.piece);
    return;
  }
  self.postMessage(hash.digest());
  hash = new Sm3();
});
