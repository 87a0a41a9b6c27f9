/**
 * One file on its way, out or in. A broken line is waited for and the way goes on where it stood; a pause is the same,
 * until somebody ends it.
 *
 *   running ─line breaks─▶ waiting ─after a while─▶ running
 *   running, waiting ─pause─▶ paused ─resume─▶ running
 *   running ─all bytes there─▶ checking ─hashes agree, scanner content─▶ done
 *   any of them ─cancel─▶ cancelled;  the server says no, or the hashes differ ─▶ failed ─retry─▶ running
 */
import { Emitter } from '../emitter';
import type { Timers } from '../timers';
import { FileRequestError, type FilesApi, type RoomFile } from './api';
import { BLOCK, FileDigest } from './hashing';
import type { Incoming } from './incoming';

export type TransferState = 'running' | 'waiting' | 'paused' | 'checking' | 'done' | 'failed' | 'cancelled';

/** A piece is as large as the line carries in about a second, within these bounds, bytes. */
const SMALLEST = 256 * 1024;
const LARGEST = 64 * 1024 * 1024;
const QUICK_MS = 500;
const SLOW_MS = 2000;
/** How much the newest piece weighs in what is said of the line's speed. */
const NEWEST = 0.2;

/** How long it is waited after a line broke; the longest again and again. */
const WAITS_MS = [500, 1000, 2000, 5000, 10_000];
/** A server that says "later" is believed so often in a row. */
const MOST_LATER = 20;
/** After these a file that is sent again begins at its first byte. */
const LOST: ReadonlySet<string> = new Set(['file_damaged', 'file_infected', 'not_found', 'unreadable']);
/** After these a file that is fetched again begins at its first byte: of what came nothing can be trusted. */
const AGAIN: ReadonlySet<string> = new Set(['file_damaged', 'no_space_here', 'unreadable']);

export interface Means {
  api: FilesApi;
  timers: Timers;
  receive: (file: string) => Incoming;
}

export abstract class Transfer extends Emitter<{ changed: undefined }> {
  state: TransferState = 'running';
  /** Bytes that are through. */
  done = 0;
  /** Bytes a second of late; 0: not known yet. */
  rate = 0;
  /** Why it failed: the server's code and sentence. */
  code = '';
  reason = '';
  protected piece = 1024 * 1024;
  #failures = 0;
  #aborting = new AbortController();
  #cancelWait: () => void = () => undefined;

  constructor(
    readonly name: string,
    readonly size: number,
    protected readonly means: Means,
  ) {
    super();
  }

  protected get signal(): AbortSignal {
    return this.#aborting.signal;
  }

  /** Find out where it stands. */
  protected abstract seek(): Promise<void>;
  /** Carry the next piece, `done` bytes being through. */
  protected abstract carry(): Promise<void>;
  /** All bytes are through: compare the hashes. */
  protected abstract finish(): Promise<void>;
  protected abstract release(): void;
  /** Begin anew where going on after this refusal would be refused again. */
  protected abstract forget(code: string): void;

  start(): void {
    this.#set('running');
    void this.#run();
  }

  pause(): void {
    if (this.state !== 'running' && this.state !== 'waiting') return;
    this.#stop('paused');
  }

  resume(): void {
    if (this.state !== 'paused' && this.state !== 'waiting' && this.state !== 'failed') return;
    this.#cancelWait();
    this.#failures = 0;
    if (this.state === 'failed') this.forget(this.code);
    [this.code, this.reason] = ['', ''];
    this.#aborting = new AbortController();
    this.rate = 0;
    this.start();
  }

  cancel(): void {
    if (this.state === 'done' || this.state === 'cancelled') return;
    this.#stop('cancelled');
    this.release();
  }

  /** Seconds until all is through, going on like this; null: not known yet. */
  get secondsLeft(): number | null {
    return this.rate > 0 ? (this.size - this.done) / this.rate : null;
  }

  /** The pieces grow on a quick line and shrink on a slow one. */
  protected measured(milliseconds: number, bytes: number): void {
    const rate = (bytes * 1000) / Math.max(1, milliseconds);
    this.rate = this.rate === 0 ? rate : this.rate + (rate - this.rate) * NEWEST;
    if (milliseconds < QUICK_MS) this.piece = Math.min(LARGEST, this.piece * 2);
    else if (milliseconds > SLOW_MS) this.piece = Math.max(SMALLEST, this.piece / 2);
    this.#failures = 0;
  }

  protected progressed(): void {
    this.emit('changed', undefined);
  }

  async #run(): Promise<void> {
    const { signal } = this;
    try {
      await this.seek();
      while (this.done < this.size && !signal.aborted) await this.carry();
      if (signal.aborted) return;
      this.#set('checking');
      await this.finish();
      if (signal.aborted) return;
      this.#set('done');
      this.release();
    } catch (error) {
      if (signal.aborted) return;
      this.#handleError(error);
    }
  }

  #handleError(error: unknown): void {
    if (error instanceof FileRequestError && error.passing) {
      this.#failures += 1;
      // a line that is away may stay away as long as it likes, a server that only ever says "later" may not
      if (error.status === 0 || this.#failures <= MOST_LATER) return this.#wait();
    }
    if (error instanceof FileRequestError) [this.code, this.reason] = [error.code, error.message];
    else [this.code, this.reason] = ['unreadable', String(error)];
    this.#set('failed');
  }

  #wait(): void {
    this.#set('waiting');
    const after = WAITS_MS[Math.min(this.#failures, WAITS_MS.length) - 1] ?? 500;
    this.#cancelWait = this.means.timers.after(after, () => {
      if (this.state === 'waiting') this.start();
    });
  }

  #stop(state: 'paused' | 'cancelled'): void {
    this.#cancelWait();
    this.#aborting.abort();
    this.#set(state);
  }

  #set(state: TransferState): void {
    this.state = state;
    this.emit('changed', undefined);
  }
}

/** What is read of a file on this computer; a `File` of the page is one. */
export interface Readable {
  name: string;
  size: number;
  type: string;
  slice(from: number, to: number): Blob;
}

export class Sending extends Transfer {
  readonly way = 'out';
  /** What the server made of it. */
  sent: RoomFile | null = null;
  #file: string | null = null;
  #hashed = 0;
  #reading: Promise<void> = Promise.resolve();
  #hash = new FileDigest();
  #digest: string | null = null;

  constructor(
    private readonly source: Readable,
    means: Means,
  ) {
    super(source.name, source.size, means);
  }

  protected async seek(): Promise<void> {
    // all is there, and only the last answer is lacking
    if (this.#digest !== null) return;
    if (this.#file === null) this.#file = await this.means.api.begin(this.name, this.size, this.source.type);
    else this.done = await this.means.api.offset(this.#file, this.signal);
    this.progressed();
  }

  protected async carry(): Promise<void> {
    const { signal, done } = this;
    const piece = this.source.slice(done, Math.min(this.size, done + this.piece));
    const began = this.means.timers.now();
    const sending = this.means.api.send(this.#file!, done, piece, signal);
    try {
      // both must be over, whatever becomes of either: each byte is hashed once and in its order
      const [hashed, sent] = await Promise.allSettled([this.#read(piece, done), sending]);
      if (signal.aborted) return;
      if (hashed.status === 'rejected') throw hashed.reason;
      if (sent.status === 'rejected') throw sent.reason;
      this.done = sent.value;
    } catch (error) {
      // it goes on elsewhere: an answer was lost
      if (!(error instanceof FileRequestError) || error.status !== 409) throw error;
      throw new FileRequestError(0, error.code, error.message);
    }
    this.measured(this.means.timers.now() - began, this.done - done);
    this.progressed();
  }

  protected async finish(): Promise<void> {
    // what came before an answer was lost has been hashed when it was sent
    this.#digest ??= await this.#hash.digest();
    while (this.sent === null && !this.signal.aborted) {
      this.sent = await this.means.api.finish(this.#file!, this.#digest, this.signal);
    }
  }

  protected release(): void {
    if (this.state === 'cancelled' && this.#file !== null) void this.means.api.remove(this.#file).catch(() => undefined);
  }

  protected forget(code: string): void {
    if (!LOST.has(code)) return;
    [this.#file, this.#digest, this.#hash, this.#hashed, this.done] = [null, null, new FileDigest(), 0, 0];
    this.#reading = Promise.resolve();
  }

  /** Each byte once and in order, however often it is sent, and whatever was paused meanwhile. */
  #read(piece: Blob, from: number): Promise<void> {
    const known = Math.max(0, this.#hashed - from);
    if (known < piece.size) {
      this.#hashed = from + piece.size;
      this.#reading = this.#reading.then(() => this.#feed(piece.slice(known)));
    }
    return this.#reading;
  }

  async #feed(piece: Blob): Promise<void> {
    try {
      // by blocks: a piece may be larger than what one wants in memory
      for (let at = 0; at < piece.size; at += BLOCK) {
        await this.#hash.update(new Uint8Array(await piece.slice(at, at + BLOCK).arrayBuffer()));
      }
    } catch (error) {
      if (error instanceof FileRequestError) throw error;
      // of what comes after a gap nothing can be said
      throw new FileRequestError(400, 'unreadable', 'The file cannot be read any more.');
    }
  }
}

export class Fetching extends Transfer {
  readonly way = 'in';
  /** All of it, once its hash is right. */
  whole: Blob | null = null;
  #incoming: Incoming | null = null;

  constructor(
    readonly of: RoomFile,
    means: Means,
  ) {
    super(of.name, of.size, means);
  }

  protected async seek(): Promise<void> {
    this.#incoming ??= this.means.receive(this.of.file);
    this.done = this.#incoming.come;
  }

  protected async carry(): Promise<void> {
    const { signal, done } = this;
    const incoming = this.#incoming!;
    const began = this.means.timers.now();
    await incoming.fetch(Math.min(this.size, done + this.piece), signal);
    if (signal.aborted) return;
    this.done = incoming.come;
    this.measured(this.means.timers.now() - began, this.done - done);
    this.progressed();
  }

  protected async finish(): Promise<void> {
    const incoming = this.#incoming!;
    if ((await incoming.digest()) !== this.of.digest) throw new FileRequestError(422, 'file_damaged', 'The file was damaged on its way.');
    this.whole = await incoming.file();
  }

  protected release(): void {
    // what has come whole is being saved still
    if (this.state === 'cancelled') this.drop();
  }

  protected forget(code: string): void {
    if (!AGAIN.has(code)) return;
    this.drop();
    this.done = 0;
  }

  /** Hold nothing of it any more. */
  drop(): void {
    this.#incoming?.drop();
    [this.#incoming, this.whole] = [null, null];
  }
}
