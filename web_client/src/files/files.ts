/** The files of a room: what can be fetched, and what is on its way out or in. No page in here. */
import { Emitter } from '../emitter';
import type { FileList } from './api';
import { FileRequestError } from './api';
import { Fetching, Sending, type Means, type Readable } from './transfer';

/** So many are on their way at once, the others wait for their turn. */
const AT_ONCE = 2;

interface FilesEvents {
  changed: undefined;
  /** A file has come whole and its hash is right: it is to be saved. */
  fetched: Fetching;
}

export class Files extends Emitter<FilesEvents> {
  list: FileList = { files: [], size: 0, scanned: false };
  wasRead = false;
  /** Why the list could not be read; empty: it could. */
  code = '';
  reason = '';
  transfers: (Sending | Fetching)[] = [];
  readonly #queue: (Sending | Fetching)[] = [];
  #reading = false;
  #readAgain = false;

  constructor(private readonly means: Means) {
    super();
  }

  /** Read the list anew; asked for while it is read, it is read once more. */
  async refresh(): Promise<void> {
    if (this.#reading) {
      this.#readAgain = true;
      return;
    }
    this.#reading = true;
    do {
      this.#readAgain = false;
      try {
        this.list = await this.means.api.list();
        this.wasRead = true;
        [this.code, this.reason] = ['', ''];
      } catch (error) {
        if (!(error instanceof FileRequestError)) throw error;
        [this.code, this.reason] = [error.code, error.message];
      }
    } while (this.#readAgain);
    this.#reading = false;
    this.emit('changed', undefined);
  }

  send(sources: readonly Readable[]): void {
    for (const source of sources) this.#add(new Sending(source, this.means));
  }

  fetch(file: string): void {
    const known = this.list.files.find((each) => each.file === file);
    const underWay = this.transfers.some((each) => each.way === 'in' && each.of.file === file && each.state !== 'done' && each.state !== 'failed');
    if (known === undefined || underWay) return;
    this.dismiss((each) => each.way === 'in' && each.of.file === file);
    this.#add(new Fetching(known, this.means));
  }

  async remove(file: string): Promise<void> {
    try {
      await this.means.api.remove(file);
    } catch (error) {
      if (!(error instanceof FileRequestError)) throw error;
    }
    await this.refresh();
  }

  /** Take what is over out of sight. */
  dismiss(which: (transfer: Sending | Fetching) => boolean): void {
    const over = (each: Sending | Fetching): boolean => each.state === 'done' || each.state === 'failed' || each.state === 'cancelled';
    for (const each of this.transfers) if (each.state === 'failed' && which(each)) each.cancel();
    this.transfers = this.transfers.filter((each) => !(over(each) && which(each)));
    this.emit('changed', undefined);
  }

  /** End everything. */
  close(): void {
    for (const transfer of this.transfers) transfer.cancel();
  }

  #add(transfer: Sending | Fetching): void {
    this.transfers = [...this.transfers, transfer];
    this.#queue.push(transfer);
    transfer.on('changed', () => this.#handleChange(transfer));
    this.#startNext();
    this.emit('changed', undefined);
  }

  #handleChange(transfer: Sending | Fetching): void {
    if (transfer.state === 'done') {
      if (transfer.way === 'in') this.emit('fetched', transfer);
      else void this.refresh();
    }
    if (transfer.state === 'cancelled') this.transfers = this.transfers.filter((each) => each !== transfer);
    this.#startNext();
    this.emit('changed', undefined);
  }

  /** Whether a transfer has not had its turn yet. */
  isQueued(transfer: Sending | Fetching): boolean {
    return this.#queue.includes(transfer);
  }

  #startNext(): void {
    const busy = this.transfers.filter(
      (each) => !this.#queue.includes(each) && (each.state === 'running' || each.state === 'waiting' || each.state === 'checking'),
    ).length;
    for (let free = AT_ONCE - busy; free > 0; free--) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      // one that was paused or cancelled before its turn is started by hand, if at all
      if (next.state !== 'running') free++;
      else next.start();
    }
  }
}
