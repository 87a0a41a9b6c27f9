import { createHash } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { FileRequestError, HttpFilesApi, type FileList, type FilesApi, type RoomFile, type Take } from '../src/files/api';
import { Files } from '../src/files/files';
import { BLOCK } from '../src/files/hashing';
import { IncomingFile, InMemory } from '../src/files/incoming';
import type { Fetching, Readable } from '../src/files/transfer';
import { settled } from './fakes/peer';
import { FakeTimers } from './fakes/timers';

/** The hash of a file, written down once more with another library. */
function digestOf(data: Uint8Array): string {
  const whole = createHash('sha256');
  for (let at = 0; at < data.length; at += BLOCK) whole.update(createHash('sha256').update(data.subarray(at, at + BLOCK)).digest());
  return whole.digest('hex');
}

/** A server's disk: takes pieces in order, and breaks when told to. */
class FakeDisk implements FilesApi {
  files = new Map<string, { name: string; size: number; data: Uint8Array; about: RoomFile | null }>();
  /** Called before each request; may throw. */
  before: (kind: string) => void | Promise<void> = () => undefined;
  /** Called after a request was carried out; may throw: the answer is lost. */
  after: (kind: string) => void = () => undefined;
  scans = 0;
  asked: string[] = [];

  async #did(kind: string): Promise<void> {
    this.asked.push(kind);
    await this.before(kind);
  }

  async list(): Promise<FileList> {
    await this.#did('list');
    return { files: [...this.files.values()].flatMap(({ about }) => about ?? []), size: 1 << 30, scanned: true };
  }

  async begin(name: string, size: number): Promise<string> {
    await this.#did('begin');
    const file = `f-${this.files.size}`;
    this.files.set(file, { name, size, data: new Uint8Array(), about: null });
    this.after('begin');
    return file;
  }

  async offset(file: string): Promise<number> {
    await this.#did('offset');
    return this.#of(file).data.length;
  }

  async send(file: string, offset: number, piece: Blob, signal: AbortSignal): Promise<number> {
    await this.#did('send');
    if (signal.aborted) throw new DOMException('called off', 'AbortError');
    const it = this.#of(file);
    if (offset !== it.data.length) throw new FileRequestError(409, 'conflict', `This file goes on at byte ${it.data.length}.`);
    const bytes = new Uint8Array(await piece.arrayBuffer());
    const data = new Uint8Array(offset + bytes.length);
    data.set(it.data);
    data.set(bytes, offset);
    it.data = data;
    this.after('send');
    return it.data.length;
  }

  async finish(file: string, digest: string): Promise<RoomFile | null> {
    await this.#did('finish');
    if (this.scans-- > 0) return null;
    const it = this.#of(file);
    if (digest !== digestOf(it.data)) throw new FileRequestError(422, 'file_damaged', 'Damaged.');
    it.about ??= { file, name: it.name, size: it.size, type: '', digest, by: 'Dr. Li', since: 1, until: 2, scanned: true, deletable: true };
    this.after('finish');
    return it.about;
  }

  async fetch(file: string, from: number, to: number, signal: AbortSignal, take: Take): Promise<void> {
    await this.#did('fetch');
    signal.throwIfAborted();
    await take(this.#of(file).data.slice(from, to) as Uint8Array<ArrayBuffer>);
  }

  async remove(file: string): Promise<void> {
    await this.#did('remove');
    this.files.delete(file);
  }

  #of(file: string) {
    const found = this.files.get(file);
    if (found === undefined) throw new FileRequestError(404, 'not_found', 'There is no such file any more.');
    return found;
  }
}

const away = (): never => {
  throw new FileRequestError(0, 'unreachable', 'The server cannot be reached.');
};
/** Throw once, at the nth of a kind. */
function once(kind: string, nth = 1, what: () => never = away): (asked: string) => void {
  let seen = 0;
  return (asked) => {
    if (asked === kind && ++seen === nth) what();
  };
}

/** Hold the nth of a kind for ever: it is called off or not at all. */
function held(kind: string, nth: number): (asked: string) => void | Promise<void> {
  let seen = 0;
  return (asked) => (asked === kind && ++seen === nth ? new Promise<void>(() => undefined) : undefined);
}

/** Larger than two of the first pieces. */
const SIZE = 2_500_000;
const DATA = Uint8Array.from({ length: SIZE }, (_, index) => (index * 31) >> 3);

function source(data: Uint8Array = DATA, name = 'scan.dcm'): Readable {
  return { name, size: data.length, type: 'application/dicom', slice: (from, to) => new Blob([data.slice(from, to)]) };
}

let disk: FakeDisk;
let timers: FakeTimers;
let files: Files;
let fetched: Fetching[];
let holding: () => InMemory;

beforeEach(() => {
  disk = new FakeDisk();
  timers = new FakeTimers();
  files = new Files({
    api: disk,
    timers,
    receive: (file) => new IncomingFile(disk, file, holding()),
  });
  fetched = [];
  holding = () => new InMemory();
  files.on('fetched', (transfer) => fetched.push(transfer));
});

const state = (): string => files.transfers.map((each) => each.state).join(' ');

/** Wait for promises that lie deep, and move the clock meanwhile. */
async function until(reached: () => boolean, milliseconds = 0): Promise<void> {
  for (let turn = 0; turn < 400 && !reached(); turn++) {
    await settled();
    await new Promise((resolve) => setTimeout(resolve, 0));
    timers.advance(milliseconds);
  }
  expect(reached(), state()).toBe(true);
}

test('a file goes out in pieces and is there when both hashes agree and the scanner is through', async () => {
  disk.scans = 2;
  files.send([source()]);
  await until(() => state() === 'done');
  expect(disk.files.get('f-0')?.about?.digest).toBe(digestOf(DATA));
  expect(disk.asked.filter((kind) => kind === 'finish')).toHaveLength(3);
  await until(() => files.list.files.length === 1);
  files.dismiss(() => true);
  expect(files.transfers).toEqual([]);
});

test('a line that breaks is waited for, and the file goes on where it stood', async () => {
  disk.before = once('send', 2);
  files.send([source()]);
  await until(() => state() === 'waiting');
  expect(files.transfers[0]?.done).toBe(1 << 20);
  timers.advance(500);
  await until(() => state() === 'done');
  expect(digestOf(disk.files.get('f-0')!.data)).toBe(digestOf(DATA));
  expect(disk.asked).toContain('offset');
});

test('an answer that is lost costs nothing: no byte is hashed twice', async () => {
  disk.after = once('send', 2);
  files.send([source()]);
  await until(() => state() === 'waiting');
  timers.advance(500);
  await until(() => state() === 'done');
  expect(disk.files.get('f-0')?.about?.digest).toBe(digestOf(DATA));
});

test('nor does the last answer: it is asked for again, and nothing is sent anew', async () => {
  disk.after = once('finish');
  files.send([source()]);
  await until(() => state() === 'waiting');
  const sent = disk.asked.filter((kind) => kind === 'send').length;
  timers.advance(500);
  await until(() => state() === 'done');
  expect(disk.asked.filter((kind) => kind === 'send')).toHaveLength(sent);
});

test('it is waited longer and longer, and for ever', async () => {
  disk.before = (kind) => (kind === 'send' || kind === 'offset' ? away() : undefined);
  files.send([source()]);
  await until(() => disk.asked.filter((kind) => kind === 'offset').length > 30, 10_000);
  await until(() => state() === 'waiting');
});

test('a server that only ever says "later" is given up, and may be asked again by hand', async () => {
  const later = (): never => {
    throw new FileRequestError(429, 'too_many_requests', 'Please wait a little.');
  };
  disk.before = (kind) => (kind === 'begin' ? later() : undefined);
  files.send([source()]);
  await until(() => state() === 'failed', 10_000);
  expect(files.transfers[0]?.reason).toBe('Please wait a little.');
  disk.before = () => undefined;
  files.transfers[0]?.resume();
  await until(() => state() === 'done');
});

test('a pause holds until somebody ends it', async () => {
  disk.before = held('send', 2);
  files.send([source()]);
  await until(() => (files.transfers[0]?.done ?? 0) > 0);
  files.transfers[0]?.pause();
  timers.advance(60_000);
  await settled();
  expect(state()).toBe('paused');
  files.transfers[0]?.resume();
  await until(() => state() === 'done');
  expect(digestOf(disk.files.get('f-0')!.data)).toBe(digestOf(DATA));
});

test('what is cancelled is deleted at the server and is gone from the list', async () => {
  disk.before = held('send', 2);
  files.send([source()]);
  await until(() => (files.transfers[0]?.done ?? 0) > 0);
  files.transfers[0]?.cancel();
  await until(() => disk.files.size === 0);
  expect(files.transfers).toEqual([]);
});

test('a refusal is said in the words of the server, and tried again from the first byte where it must be', async () => {
  disk.before = once('finish', 1, () => {
    throw new FileRequestError(422, 'file_damaged', 'The file was damaged on its way.');
  });
  files.send([source()]);
  await until(() => state() === 'failed');
  expect([files.transfers[0]?.code, files.transfers[0]?.reason]).toEqual(['file_damaged', 'The file was damaged on its way.']);
  files.transfers[0]?.resume();
  await until(() => state() === 'done');
  expect(disk.files.get('f-1')?.about?.digest).toBe(digestOf(DATA));
});

test('a scanner that fails ends the waiting, and nothing is sent twice for it', async () => {
  disk.before = once('finish', 1, () => {
    throw new FileRequestError(503, 'scanner_failed', 'The virus scanner failed: the file is not passed on.');
  });
  files.send([source()]);
  await until(() => state() === 'failed');
  const sent = disk.asked.filter((kind) => kind === 'send').length;
  files.transfers[0]?.resume();
  await until(() => state() === 'done');
  expect(disk.asked.filter((kind) => kind === 'send')).toHaveLength(sent);
});

test('a file that cannot be read any more says so', async () => {
  const gone = new Blob(['x']);
  gone.slice = () => gone;
  gone.arrayBuffer = () => Promise.reject(new DOMException('gone', 'NotReadableError'));
  files.send([{ ...source(), slice: () => gone }]);
  await until(() => state() === 'failed');
  expect(files.transfers[0]?.code).toBe('unreadable');
});

test('an empty file goes too', async () => {
  files.send([source(new Uint8Array())]);
  await until(() => state() === 'done');
});

test('two at once, the others wait for their turn', async () => {
  disk.before = (kind) => (kind === 'begin' ? away() : undefined);
  files.send([source(DATA, 'a'), source(DATA, 'b'), source(DATA, 'c')]);
  await until(() => state() === 'waiting waiting running');
  expect(files.isQueued(files.transfers[2]!)).toBe(true);
  files.transfers[0]?.cancel();
  await settled();
  await until(() => state() === 'waiting waiting');
});

async function sent(): Promise<void> {
  files.send([source()]);
  await until(() => state() === 'done' && files.list.files.length === 1);
  files.dismiss(() => true);
}

test('a file comes in over a line that breaks, and is saved when its hash is right', async () => {
  await sent();
  disk.before = once('fetch', 2);
  files.fetch('f-0');
  files.fetch('f-0');
  await until(() => state() === 'waiting');
  timers.advance(500);
  await until(() => fetched.length === 1);
  expect(digestOf(new Uint8Array(await fetched[0]!.whole!.arrayBuffer()))).toBe(digestOf(DATA));
});

test('what comes in damaged is never saved', async () => {
  await sent();
  const kept = disk.files.get('f-0')!;
  kept.data = kept.data.map((byte, index) => (index === 7 ? byte ^ 1 : byte));
  files.fetch('f-0');
  await until(() => state() === 'failed');
  expect([files.transfers[0]?.code, fetched]).toEqual(['file_damaged', []]);
  kept.data = DATA;
  files.transfers[0]?.resume();
  await until(() => fetched.length === 1);
  expect(fetched[0]?.whole?.size).toBe(SIZE);
});

test('what a browser has no space for is said, and tried again from the first byte', async () => {
  await sent();
  let full = true;
  holding = () => {
    const memory = new InMemory();
    const add = memory.add.bind(memory);
    memory.add = (bytes) => {
      if (full) throw new DOMException('full', 'QuotaExceededError');
      add(bytes);
    };
    return memory;
  };
  files.fetch('f-0');
  await until(() => state() === 'failed');
  expect(files.transfers[0]?.code).toBe('no_space_here');
  full = false;
  files.transfers[0]?.resume();
  await until(() => fetched.length === 1);
  expect(digestOf(new Uint8Array(await fetched[0]!.whole!.arrayBuffer()))).toBe(digestOf(DATA));
});

test('how fast it goes and how long it still takes is told once a piece is through', async () => {
  const way = disk.send.bind(disk);
  disk.send = async (...piece) => {
    timers.advance(250);
    return way(...piece);
  };
  disk.before = held('send', 2);
  files.send([source()]);
  const [transfer] = files.transfers;
  expect([transfer?.rate, transfer?.secondsLeft]).toEqual([0, null]);
  await until(() => (transfer?.done ?? 0) > 0);
  expect(transfer?.rate).toBe((1 << 20) * 4);
  expect(transfer?.secondsLeft).toBeCloseTo((SIZE - (1 << 20)) / ((1 << 20) * 4));
});

test('the list says why it cannot be read', async () => {
  disk.before = once('list', 1, () => {
    throw new FileRequestError(403, 'forbidden', 'A trainee may not fetch files.');
  });
  await files.refresh();
  expect(files.reason).toBe('A trainee may not fetch files.');
  await files.refresh();
  expect(files.reason).toBe('');
});

test('over HTTP: the token is in a header, a broken line is no answer, and an error has a code and a sentence', async () => {
  const asked: [string, RequestInit][] = [];
  let answer: () => Promise<Response> = async () => Response.json({ file: 'f-1' }, { status: 201 });
  const api = new HttpFilesApi('eyJ', (async (url: string, init: RequestInit) => {
    asked.push([url, init]);
    return answer();
  }) as typeof fetch);
  const { signal } = new AbortController();
  expect(await api.begin('a.pdf', 1, '')).toBe('f-1');
  expect(asked[0]).toMatchObject(['/api/files', { method: 'POST', headers: { Authorization: 'Bearer eyJ' } }]);
  answer = async () => new Response(null, { status: 204, headers: { 'Upload-Offset': '5' } });
  expect(await api.send('f-1', 0, new Blob(['12345']), signal)).toBe(5);
  answer = () => Promise.reject(new TypeError('Failed to fetch'));
  await expect(api.offset('f-1', signal)).rejects.toMatchObject({ status: 0, passing: true });
  answer = async () => Response.json({ code: 'file_infected', message: 'Refused.' }, { status: 422 });
  await expect(api.finish('f-1', 'x', signal)).rejects.toMatchObject({ status: 422, code: 'file_infected', passing: false });
  answer = async () => new Response('<html>', { status: 502 });
  await expect(api.list()).rejects.toMatchObject({ status: 502, passing: true });
  answer = async () => new Response('abc', { status: 206 });
  const came: number[] = [];
  const take = async (bytes: Uint8Array): Promise<void> => void came.push(...bytes);
  await expect(api.fetch('f-1', 0, 5, signal, take)).rejects.toMatchObject({ passing: true });
  answer = async () => new Response('abc', { status: 206 });
  await expect(api.fetch('f-1', 0, 2, signal, take)).rejects.toMatchObject({ passing: true });
  answer = async () => new Response('de', { status: 206 });
  await api.fetch('f-1', 3, 5, signal, take);
  expect(String.fromCharCode(...came)).toBe('abcde');
  // a browser that reads into no buffer of ours
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(stream) {
      for (const part of ['f', 'gh']) stream.enqueue(new TextEncoder().encode(part));
      stream.close();
    },
  });
  expect(() => body.getReader({ mode: 'byob' })).toThrow(TypeError);
  answer = async () => new Response(body, { status: 206 });
  await api.fetch('f-1', 5, 8, signal, take);
  expect(String.fromCharCode(...came)).toBe('abcdefgh');
});
