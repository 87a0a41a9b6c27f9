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
import type { Hashing } from './hashing';

export type TransferState = 'running' | 'waiting' | 'paused' | 'checking' | 'done' | 'failed' | 'cancelled';

/** A piece is as large as the line carries in about a second, within these bounds, bytes. */
const SMALLEST = 256 * 1024;
const LARGEST = 16 * 1024 * 1024;
const QUICK_MS = 500;
const SLOW_MS = 2000;

/** How long it is waited after a line broke; the longest again and again. */
const WAITS_MS = [500, 1000, 2000, 5000, 10_000];
/** A server that says "later" is believed so often in a row. */
const MOST_LATER = 20;
/** After these a file that is sent again begins at its first byte. */
const LOST: ReadonlySet<string> = new Set(['file_damaged', 'file_infected', 'not_found', 'unreadable']);

export interface Means {
  api: FilesApi;
  timers: Timers;
  hashing: () => Hashing;
}

export abstract class Transfer extends Emitter<{ changed: undefined }> {
  state: TransferState = 'running';
  /** Bytes that are through. */
  done = 0;
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
    this.start();
  }

  cancel(): void {
    if (this.state === 'done' || this.state === 'cancelled') return;
    this.#stop('cancelled');
    this.release();
  }

  /** The pieces grow on a quick line and shrink on a slow one. */
  protected measured(milliseconds: number): void {
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
  #hashing: Hashing | null = null;
  #sm3: string | null = null;

  constructor(
    private readonly source: Readable,
    means: Means,
  ) {
    super(source.name, source.size, means);
  }

  protected async seek(): Promise<void> {
    // all is there, and only the last answer is lacking
    if (this.#sm3 !== null) return;
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
      const [hashed, sent] = await Promise.allSettled([this.#hash(piece, done), sending]);
      if (signal.aborted) return;
      if (hashed.status === 'rejected') throw hashed.reason;
      if (sent.status === 'rejected') throw sent.reason;
      this.done = sent.value;
    } catch (error) {
      // it goes on elsewhere: an answer was lost
      if (!(error instanceof FileRequestError) || error.status !== 409) throw error;
      throw new FileRequestError(0, error.code, error.message);
    }
    this.measured(this.means.timers.now() - began);
    this.progressed();
  }

  protected async finish(): Promise<void> {
    // what came before an answer was lost has been hashed when it was sent
    this.#sm3 ??= await this.#opened().digest();
    while (this.sent === null && !this.signal.aborted) {
      this.sent = await this.means.api.finish(this.#file!, this.#sm3, this.signal);
    }
  }

  protected release(): void {
    this.#hashing?.close();
    this.#hashing = null;
    if (this.state === 'cancelled' && this.#file !== null) void this.means.api.remove(this.#file).catch(() => undefined);
  }

  protected forget(code: string): void {
    if (!LOST.has(code)) return;
    this.#hashing?.close();
    [this.#file, this.#sm3, this.#hashing, this.#hashed, this.done] = [null, null, null, 0, 0];
    this.#reading = Promise.resolve();
  }

  /** Each byte once and in order, however often it is sent, and whatever was paused meanwhile. */
  #hash(piece: Blob, from: number): Promise<void> {
    const known = Math.max(0, this.#hashed - from);
    if (known < piece.size) {
      this.#hashed = from + piece.size;
      this.#reading = this.#reading.then(() => this.#feed(piece.slice(known)));
    }
    return this.#reading;
  }

  async #feed(piece: Blob): Promise<void> {
    try {
      this.#opened().update(new Uint8Array(await piece.arrayBuffer()));
    } catch {
      // of what comes after a gap nothing can be said
      throw new FileRequestError(400, 'unreadable', 'The file cannot be read any more.');
    }
  }

  #opened(): Hashing {
    this.#hashing ??= this.means.hashing();
    return this.#hashing;
  }
}

export class Fetching extends Transfer {
  readonly way = 'in';
  /** What came, in pieces that the browser may keep on its disk. */
  readonly parts: Blob[] = [];
  #hashing: Hashing | null = null;

  constructor(
    readonly of: RoomFile,
    means: Means,
  ) {
    super(of.name, of.size, means);
  }

  protected async seek(): Promise<void> {
    this.#hashing ??= this.means.hashing();
  }

  protected async carry(): Promise<void> {
    const { signal } = this;
    const began = this.means.timers.now();
    const data = await this.means.api.fetch(this.of.file, this.done, Math.min(this.size, this.done + this.piece), signal);
    if (signal.aborted) return;
    this.parts.push(new Blob([data]));
    this.done += data.length;
    this.#hashing!.update(data);
    this.measured(this.means.timers.now() - began);
    this.progressed();
  }

  protected async finish(): Promise<void> {
    const sm3 = await this.#hashing!.digest();
    if (sm3 === this.of.sm3) return;
    // nothing of it can be trusted: the next try begins anew
    this.release();
    [this.done, this.parts.length] = [0, 0];
    throw new FileRequestError(422, 'file_damaged', 'The file was damaged on its way.');
  }

  protected release(): void {
    this.#hashing?.close();
    this.#hashing = null;
    if (this.state === 'cancelled') this.parts.length = 0;
  }

  protected forget(): void {
    // what came damaged has been given up already, and of the rest nothing is lost
  }
}
