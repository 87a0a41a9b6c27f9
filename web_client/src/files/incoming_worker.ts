/** Has one file come in, beside the page. */
import { FileRequestError, HttpFilesApi } from './api';
import { IncomingFile, InMemory } from './incoming';
import { OnDisk } from './on_disk';

export type IncomingOrder = { begin: string; token: string } | { to: number } | 'digest' | 'file' | 'abort' | 'drop';

/** `come`: bytes so far. */
export interface IncomingAnswer {
  come: number;
  digest?: string;
  file?: Blob;
  failed?: { status: number; code: string; message: string };
}

let incoming: IncomingFile | null = null;
let aborting = new AbortController();

async function obey(order: Exclude<IncomingOrder, 'abort' | 'drop'>): Promise<Partial<IncomingAnswer>> {
  if (typeof order === 'object' && 'begin' in order) {
    const holding = await OnDisk.begin().catch(() => new InMemory());
    incoming = new IncomingFile(new HttpFilesApi(order.token), order.begin, holding);
    return {};
  }
  if (incoming === null) throw new Error('No file was begun.');
  if (order === 'digest') return { digest: await incoming.digest() };
  if (order === 'file') return { file: await incoming.file() };
  aborting = new AbortController();
  await incoming.fetch(order.to, aborting.signal);
  return {};
}

function describe(error: unknown): NonNullable<IncomingAnswer['failed']> {
  if (error instanceof FileRequestError) return { status: error.status, code: error.code, message: error.message };
  return { status: 400, code: 'unreadable', message: String(error) };
}

self.addEventListener('message', ({ data }: MessageEvent<IncomingOrder>) => {
  if (data === 'abort' || data === 'drop') {
    aborting.abort();
    if (data === 'drop') incoming?.drop();
    return;
  }
  obey(data).then(
    (answer) => self.postMessage({ come: incoming?.come ?? 0, ...answer } satisfies IncomingAnswer),
    (error: unknown) => self.postMessage({ come: incoming?.come ?? 0, failed: describe(error) } satisfies IncomingAnswer),
  );
});
