/** Chat and files of the live room as the components see them. */
import { Unread, linesOf, sayable, type TalkLine } from '../chat';
import { HttpFilesApi, type FileList } from '../files/api';
import { Files } from '../files/files';
import { IncomingLink } from '../files/incoming_link';
import type { Fetching, Readable, Sending, TransferState } from '../files/transfer';
import type { Session } from '../session';
import { pageTimers } from '../timers';
import { sayCode, t } from '../words/language.svelte';

export const PANEL_TABS = ['people', 'chat', 'files'] as const;
export type PanelTab = (typeof PANEL_TABS)[number];

/** One transfer as it is shown. */
export interface TransferRow {
  of: Sending | Fetching;
  state: TransferState | 'queued';
  share: number;
  done: number;
  /** Bytes a second; 0: not known yet. */
  rate: number;
  secondsLeft: number | null;
  why: string;
}

/** How long the browser is given to save a file, milliseconds. */
const SAVING_MS = 600_000;

export class Talk {
  /** Which tab of the panel is open; null: the panel is closed. */
  tab = $state<PanelTab | null>(null);
  /** The page of the whiteboard that one looks at. */
  page = $state(1);
  lines = $state.raw<readonly TalkLine[]>([]);
  unread = $state(0);
  newFiles = $state(0);
  /** The newest message, for those who hear the page. */
  spoken = $state('');
  list = $state.raw<FileList>({ files: [], size: 0, scanned: false });
  /** Whether the list has been read, and why it could not be. */
  listed = $state(false);
  listProblem = $state('');
  mayWrite = $state(false);
  mayFetch = $state(false);
  transfers = $state.raw<readonly TransferRow[]>([]);
  readonly #files: Files;
  readonly #unread = new Unread();
  readonly #unseenFiles = new Unread();
  #known = 0;

  constructor(
    private readonly session: Session,
    token: string,
  ) {
    this.#files = new Files({ api: new HttpFilesApi(token), timers: pageTimers, receive: (file) => new IncomingLink(file, token) });
    this.#files.on('changed', () => this.#readFiles());
    this.#files.on('fetched', save);
    session.replica.on('changed', () => this.#readLog());
    session.on('room', () => {
      const { permissions } = session.room;
      [this.mayWrite, this.mayFetch] = [permissions.has('message'), permissions.has('fetch_files')];
    });
    session.on('connection', ({ state }) => {
      if (state === 'closed') this.close();
    });
    session.on('announcement', ({ kind }) => {
      if (kind !== 'rejoined') return;
      this.#unread.reset();
      this.#unseenFiles.reset();
    });
  }

  /** Open a tab, or close the panel where it is open. */
  toggle(tab: PanelTab): void {
    this.show(this.tab === tab ? null : tab);
  }

  show(tab: PanelTab | null): void {
    this.tab = tab;
    if (tab === 'files' && this.mayFetch) void this.#files.refresh();
    this.#see();
  }

  /** False: it was not sent, and why has been said. */
  async say(words: string): Promise<boolean> {
    const text = sayable(words);
    return text === '' || this.session.say(text);
  }

  send(sources: readonly Readable[]): void {
    this.#files.send(sources);
  }

  fetch(file: string): void {
    this.#files.fetch(file);
  }

  remove(file: string): void {
    void this.#files.remove(file);
  }

  dismiss(transfer: Sending | Fetching): void {
    this.#files.dismiss((each) => each === transfer);
  }

  close(): void {
    this.#files.close();
  }

  #readLog(): void {
    const { replica } = this.session;
    if (replica.sequence === this.#known) return;
    this.#known = replica.sequence;
    const lines = linesOf(replica.chat, replica.files);
    const newest = lines.at(-1);
    if (newest?.sequence === this.lines.at(-1)?.sequence && lines.length === this.lines.length) return;
    const before = this.lines.at(-1)?.sequence ?? 0;
    const isNews = this.lines.length > 0 || lines.length === 1;
    this.lines = lines;
    if (newest !== undefined && newest.sequence > before && newest.author !== this.session.room.self && isNews) {
      this.spoken = newest.kind === 'say' ? t('chat_spoken', { name: newest.name, text: newest.text }) : t('files_spoken', { name: newest.name, file: newest.shared.name });
    }
    if (lines.some(({ kind, sequence }) => kind === 'file' && sequence > before) && this.tab === 'files' && this.mayFetch) void this.#files.refresh();
    this.#see();
  }

  #see(): void {
    const files = this.lines.filter(({ kind }) => kind === 'file');
    if (this.tab === 'chat') this.#unread.see(this.lines);
    if (this.tab === 'files') this.#unseenFiles.see(files);
    const self = this.session.room.self;
    this.unread = this.#unread.count(this.lines.filter(({ kind }) => kind === 'say'), self);
    this.newFiles = this.mayFetch ? this.#unseenFiles.count(files, self) : 0;
  }

  #readFiles(): void {
    const { list, code, reason } = this.#files;
    this.list = list;
    this.listed = this.#files.wasRead;
    this.listProblem = code === '' ? '' : sayCode('files_error', code, reason);
    this.transfers = this.#files.transfers.map((of) => ({
      of,
      state: this.#files.isQueued(of) ? 'queued' : of.state,
      share: of.size === 0 ? (of.state === 'done' ? 1 : 0) : of.done / of.size,
      done: of.done,
      rate: of.rate,
      secondsLeft: of.secondsLeft,
      why: of.code === '' ? '' : sayCode('files_error', of.code, of.reason),
    }));
  }
}

/** Have the browser save what came: it asks where, or puts it where it puts all. */
function save(fetching: Fetching): void {
  const { name, whole } = fetching;
  if (whole === null) return;
  const address = URL.createObjectURL(whole.slice(0, whole.size, 'application/octet-stream'));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // it does not say when it has taken all of it, or that somebody was asked where to and answered
  setTimeout(() => {
    URL.revokeObjectURL(address);
    fetching.drop();
  }, SAVING_MS);
}

