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

/** Takes bytes in their order; what it throws ends the fetching. */
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
    const reader = answer.body?.getReader();
    let lacking = to - from;
    for (let read = await next(reader); read !== null; read = await next(reader)) {
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

async function next(reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined): Promise<Uint8Array<ArrayBuffer> | null> {
  if (reader === undefined) return null;
  return (await broken(reader.read())).value ?? null;
}

function offsetOf(answer: Response): number {
  const offset = Number(answer.headers.get('Upload-Offset') ?? NaN);
  if (!Number.isSafeInteger(offset)) throw new FileRequestError(answer.status, 'not_found', 'The file is not there any more.');
  return offset;
}
