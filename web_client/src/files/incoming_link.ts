/** A page's end of the worker that has a file come in. */
import { FileRequestError } from './api';
import type { Incoming } from './incoming';
import type { IncomingAnswer, IncomingOrder } from './incoming_worker';

/** How long a worker is given to delete what it holds before it is ended, milliseconds. */
const LAST_WORK_MS = 10_000;

export class IncomingLink implements Incoming {
  come = 0;
  readonly #worker = new Worker(new URL('./incoming_worker.ts', import.meta.url), { type: 'module' });
  /** One order at a time; it is over when this is. */
  #last: Promise<unknown> = Promise.resolve();
  #isDropped = false;

  constructor(file: string, token: string) {
    // if it cannot begin, whoever asks next hears of it
    this.#ask({ begin: file, token }).catch(() => undefined);
  }

  async fetch(to: number, signal: AbortSignal): Promise<void> {
    await this.#last;
    signal.throwIfAborted();
    const abort = (): void => this.#worker.postMessage('abort' satisfies IncomingOrder);
    signal.addEventListener('abort', abort, { once: true });
    try {
      await this.#ask({ to });
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async digest(): Promise<string> {
    return (await this.#ask('digest')).digest ?? '';
  }

  async file(): Promise<Blob> {
    return (await this.#ask('file')).file ?? new Blob();
  }

  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#worker.postMessage('drop' satisfies IncomingOrder);
    setTimeout(() => this.#worker.terminate(), LAST_WORK_MS);
  }

  #ask(order: IncomingOrder): Promise<IncomingAnswer> {
    const asked = this.#last.then(() => this.#exchange(order));
    this.#last = asked.catch(() => undefined);
    return asked;
  }

  #exchange(order: IncomingOrder): Promise<IncomingAnswer> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<IncomingAnswer>) => {
        this.come = data.come;
        if (data.failed === undefined) resolve(data);
        else reject(new FileRequestError(data.failed.status, data.failed.code, data.failed.message));
      };
      this.#worker.onerror = () => reject(new FileRequestError(400, 'unreadable', 'The worker could not begin.'));
      this.#worker.postMessage(order);
    });
  }
}
