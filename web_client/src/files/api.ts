/** Files over HTTP, as PROTOCOL.md, section 13, has them. */

export interface RoomFile {
  file: string;
  name: string;
  /** Bytes. */
  size: number;
  type: string;
  /** Of all of it (`hashing.ts`). */
  digest: string;
  by: string;
  /** Unix milliseconds: since when it can be fetched, and until when it is kept. */
  since: number;
  until: number;
  scanned: boolean;
  deletable: boolean;
}

export interface FileList {
  files: RoomFile[];
  /** The largest that the server takes, bytes; 0: none. */
  size: number;
  scanned: boolean;
}

/** The server said no. `status` 0: it could not be reached. */
export class FileRequestError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  /** Whether the same may go well a little later. */
  get passing(): boolean {
    if (this.code === 'scanner_failed') return false;
    return this.status === 0 || this.status === 429 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

/** Takes bytes in their order, which are overwritten when it is over; what it throws ends the fetching. */
export type Take = (bytes: Uint8Array<ArrayBuffer>) => Promise<void>;

/** What a manager asks of the server; every method throws FileRequestError and nothing else, or AbortError. */
export interface FilesApi {
  list(): Promise<FileList>;
  begin(name: string, size: number, type: string): Promise<string>;
  /** How many bytes of a file have come. */
  offset(file: string, signal: AbortSignal): Promise<number>;
  /** Send a piece; gives where the next one begins. */
  send(file: string, offset: number, piece: Blob, signal: AbortSignal): Promise<number>;
  /** End a file by its hash; null: it is still being looked at, ask again. */
  finish(file: string, digest: string, signal: AbortSignal): Promise<RoomFile | null>;
  /** Fetch the bytes from `from` to before `to`; they are handed to `take` as they come. */
  fetch(file: string, from: number, to: number, signal: AbortSignal, take: Take): Promise<void>;
  remove(file: string): Promise<void>;
}

const PATH = '/api/files';

/** Bytes that are read at once, at most. */
const READ = 1024 * 1024;

export class HttpFilesApi implements FilesApi {
  constructor(
    private readonly token: string,
    private readonly ask: typeof fetch = (input, init) => fetch(input, init),
  ) {}

  async list(): Promise<FileList> {
    return (await (await this.#request('GET', '')).json()) as FileList;
  }

  async begin(name: string, size: number, type: string): Promise<string> {
    const answer = await this.#request('POST', '', { body: JSON.stringify({ name, size, type }) });
    return ((await answer.json()) as { file: string }).file;
  }

  async offset(file: string, signal: AbortSignal): Promise<number> {
    return offsetOf(await this.#request('HEAD', `/${file}`, { signal }));
  }

  async send(file: string, offset: number, piece: Blob, signal: AbortSignal): Promise<number> {
    // a Blob and no bytes: these would be copied by the page itself, which stands still meanwhile
    const headers = { 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(offset) };
    return offsetOf(await this.#request('PATCH', `/${file}`, { body: piece, headers, signal }));
  }

  async finish(file: string, digest: string, signal: AbortSignal): Promise<RoomFile | null> {
    const answer = await this.#request('POST', `/${file}`, { body: JSON.stringify({ digest }), signal });
    const about = (await answer.json()) as RoomFile;
    return answer.status === 202 ? null : about;
  }

  async fetch(file: string, from: number, to: number, signal: AbortSignal, take: Take): Promise<void> {
    if (from >= to) return;
    const answer = await this.#request('GET', `/${file}`, { headers: { Range: `bytes=${from}-${to - 1}` }, signal });
    const next = readerOf(answer.body);
    let lacking = to - from;
    for (let read = await next(); read !== null; read = await next()) {
      lacking -= read.length;
      if (lacking < 0) break;
      await take(read);
    }
    if (lacking !== 0) throw new FileRequestError(0, 'unreachable', 'Less came than was asked for, or more.');
  }

  async remove(file: string): Promise<void> {
    await this.#request('DELETE', `/${file}`);
  }

  async #request(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...init.headers, Authorization: `Bearer ${this.token}` };
    const answer = await broken(this.ask(PATH + path, { ...init, method, headers, cache: 'no-store' }));
    if (answer.ok) return answer;
    const said = (await answer.json().catch(() => ({}))) as { code?: string; message?: string };
    throw new FileRequestError(answer.status, said.code ?? 'unknown', said.message ?? answer.statusText);
  }
}

/** What fetch throws when the line breaks is a TypeError; what was called off stays what it is. */
async function broken<Value>(asked: Promise<Value>): Promise<Value> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new FileRequestError(0, 'unreachable', 'The server cannot be reached.');
  }
}

/** Gives what comes next, null at the end; into one buffer over and over where the browser can: memory is dear to get. */
function readerOf(body: ReadableStream<Uint8Array<ArrayBuffer>> | null): () => Promise<Uint8Array<ArrayBuffer> | null> {
  if (body === null) return async () => null;
  let reader: ReadableStreamBYOBReader;
  try {
    reader = body.getReader({ mode: 'byob' });
  } catch {
    const plain = body.getReader();
    return async () => (await broken(plain.read())).value ?? null;
  }
  let buffer = new ArrayBuffer(READ);
  return async () => {
    const { value } = await broken(reader.read(new Uint8Array(buffer)));
    if (value === undefined || value.length === 0) return null;
    buffer = value.buffer;
    return value;
  };
}

function offsetOf(answer: Response): number {
  const offset = Number(answer.headers.get('Upload-Offset') ?? NaN);
  if (!Number.isSafeInteger(offset)) throw new FileRequestError(answer.status, 'not_found', 'The file is not there any more.');
  return offset;
}
