/** A hash that is fed in order and told at the end; what it is fed belongs to it. */
export interface Hashing {
  update(piece: Uint8Array<ArrayBuffer>): void;
  digest(): Promise<string>;
  close(): void;
}

/** SM3 in a worker of its own. */
export function hashInWorker(): Hashing {
  const worker = new Worker(new URL('./sm3_worker.ts', import.meta.url), { type: 'module' });
  return {
    update: (piece) => worker.postMessage({ piece }, [piece.buffer]),
    digest: () =>
      new Promise((resolve, reject) => {
        worker.addEventListener('message', ({ data }: MessageEvent<string>) => resolve(data), { once: true });
        worker.addEventListener('error', () => reject(new Error('The hash could not be made.')), { once: true });
        worker.postMessage('digest');
      }),
    close: () => worker.terminate(),
  };
}
