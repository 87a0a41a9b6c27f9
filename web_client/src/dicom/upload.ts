/**
 * Images that are brought into the room: files are sent one after the other, a few at a time, and each is answered with what
 * became of it. Never touches the page: files come from `add`, how they are sent is given.
 */
import { Emitter } from '../emitter';

/** What the server says became of a file (annotation/dicom/DICOMWEB.md); a ZIP file brings several. */
export interface Verdict {
  name: string;
  taken: boolean;
  again?: boolean;
  /** Why those who may not see the patient do not see it; empty: they do. */
  withheld?: string;
  code?: string;
  /** What exactly, beside the code; may be empty. */
  detail?: string;
  message?: string;
}

/** A file with its path within the folder that was dropped. */
export interface Offered {
  name: string;
  data: Blob;
}

/** Sends one file; `progress` is told the bytes that have gone. Throws SendError, or AbortError. */
export type Send = (file: Offered, progress: (sent: number) => void, signal: AbortSignal) => Promise<Verdict[]>;

/** A file could not be sent. `status` 0: the server could not be reached. */
export class SendError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** What became of a file; `code` is why it was refused, or withheld from some. */
export interface Outcome {
  name: string;
  kind: 'taken' | 'again' | 'withheld' | 'refused' | 'unsent';
  code: string;
  detail: string;
  message: string;
}

/** A file that was not taken, and why; or that could not be sent. */
export interface Refusal {
  name: string;
  code: string;
  message: string;
  /** It did not arrive: it can be sent again. */
  unsent: boolean;
}

export interface Progress {
  running: boolean;
  /** Files that were offered, and how many of them are through. */
  files: number;
  done: number;
  bytes: number;
  sent: number;
  /** What became of what was in them. */
  taken: number;
  again: number;
  withheld: number;
  refused: readonly Refusal[];
  /** File by file, what needs a look first; of what is simply there only the first ones. */
  outcomes: readonly Outcome[];
  canceled: boolean;
}

/** Files that are simply there and are listed by name. */
const LISTED = 500;

/** Two senders: the server reads one file while the next one is on its way. */
const AT_ONCE = 2;

const NOTHING: Progress = { running: false, files: 0, done: 0, bytes: 0, sent: 0, taken: 0, again: 0, withheld: 0, refused: [], outcomes: [], canceled: false };

export class Uploads extends Emitter<{ changed: Progress }> {
  progress: Progress = NOTHING;
  readonly #send: Send;
  #waiting: Offered[] = [];
  #unsent: Offered[] = [];
  #telling: readonly Outcome[] = [];
  #plain: readonly Outcome[] = [];
  #under = new Map<Offered, number>();
  #finished = 0;
  #stop = new AbortController();

  constructor(send: Send) {
    super();
    this.#send = send;
  }

  /** Send these files too. */
  add(files: readonly Offered[]): void {
    if (files.length === 0) return;
    if (!this.progress.running) this.#clear();
    this.#waiting.push(...files);
    const bytes = files.reduce((sum, { data }) => sum + data.size, 0);
    this.#change({ running: true, canceled: false, files: this.progress.files + files.length, bytes: this.progress.bytes + bytes });
    while (this.#under.size < AT_ONCE && this.#waiting.length > 0) void this.#next();
  }

  /** Send nothing more; what has arrived stays. */
  cancel(): void {
    if (!this.progress.running) return;
    this.#waiting = [];
    this.#stop.abort();
    this.#change({ canceled: true });
  }

  /** Send what did not arrive once more. */
  retry(): void {
    if (this.progress.running) return;
    this.add(this.#unsent);
  }

  /** Forget what was, when it is over. */
  dismiss(): void {
    if (this.progress.running) return;
    this.#clear();
    this.#change({});
  }

  #clear(): void {
    this.progress = NOTHING;
    [this.#unsent, this.#telling, this.#plain, this.#finished] = [[], [], [], 0];
    this.#stop = new AbortController();
  }

  async #next(): Promise<void> {
    const file = this.#waiting.shift();
    if (file === undefined) return;
    this.#under.set(file, 0);
    try {
      const verdicts = await this.#send(file, (sent) => this.#told(file, sent), this.#stop.signal);
      this.#judge(verdicts);
    } catch (error) {
      if (!this.#stop.signal.aborted) {
        this.#unsent.push(file);
        const { code, message } = error instanceof SendError ? error : { code: '', message: '' };
        this.#list([{ name: file.name, kind: 'unsent', code, detail: '', message }]);
        this.#change({ refused: [...this.progress.refused, { name: file.name, code, message, unsent: true }] });
      }
    }
    this.#under.delete(file);
    this.#finished += file.data.size;
    const running = this.#under.size > 0 || this.#waiting.length > 0;
    this.#change({ done: this.progress.done + 1, sent: this.#all(), running });
    await this.#next();
  }

  #judge(verdicts: readonly Verdict[]): void {
    const taken = verdicts.filter((verdict) => verdict.taken);
    const refused = verdicts.filter((verdict) => !verdict.taken).map(({ name, code, message }) => ({ name, code: code ?? '', message: message ?? '', unsent: false }));
    this.#list(verdicts.map(outcomeOf));
    this.#change({
      taken: this.progress.taken + taken.filter(({ again }) => again !== true).length,
      again: this.progress.again + taken.filter(({ again }) => again === true).length,
      withheld: this.progress.withheld + taken.filter(({ withheld }) => (withheld ?? '') !== '').length,
      refused: [...this.progress.refused, ...refused],
    });
  }

  #list(more: readonly Outcome[]): void {
    const all = [...this.#telling, ...more.filter(({ kind }) => TELLING.has(kind))];
    const plain = [...this.#plain, ...more.filter(({ kind }) => !TELLING.has(kind))].slice(0, LISTED);
    [this.#telling, this.#plain] = [all, plain];
    this.#change({ outcomes: [...all, ...plain] });
  }

  #told(file: Offered, sent: number): void {
    if (!this.#under.has(file)) return;
    this.#under.set(file, Math.min(sent, file.data.size));
    this.#change({ sent: this.#all() });
  }

  #all(): number {
    return [...this.#under.values()].reduce((sum, sent) => sum + sent, this.#finished);
  }

  #change(news: Partial<Progress>): void {
    this.progress = { ...this.progress, ...news };
    this.emit('changed', this.progress);
  }
}

/** What somebody should look at. */
const TELLING: ReadonlySet<Outcome['kind']> = new Set<Outcome['kind']>(['withheld', 'refused', 'unsent']);

function outcomeOf({ name, taken, again, withheld, code, detail, message }: Verdict): Outcome {
  const why = withheld ?? '';
  const kind = !taken ? 'refused' : why !== '' ? 'withheld' : again === true ? 'again' : 'taken';
  return { name, kind, code: taken ? why : (code ?? ''), detail: detail ?? '', message: message ?? '' };
}

/** Send with the browser's own request, which alone tells how much of a body has gone. */
export function sendByRequest(token: string): Send {
  return (file, progress, signal) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const abort = (): void => request.abort();
      const end = (): void => signal.removeEventListener('abort', abort);
      if (signal.aborted) {
        reject(new DOMException('', 'AbortError'));
        return;
      }
      signal.addEventListener('abort', abort);
      request.open('POST', '/dicom/upload');
      request.setRequestHeader('Authorization', `Bearer ${token}`);
      request.setRequestHeader('Konsil-File-Name', encodeURIComponent(file.name));
      request.responseType = 'json';
      request.upload.onprogress = (event) => progress(event.loaded);
      request.onabort = () => {
        end();
        reject(new DOMException('', 'AbortError'));
      };
      request.onerror = () => {
        end();
        reject(new SendError(0, '', ''));
      };
      request.onload = () => {
        end();
        const said = request.response as { files?: Verdict[]; code?: string; message?: string } | null;
        if (request.status === 200 && said?.files !== undefined) resolve(said.files);
        else reject(new SendError(request.status, said?.code ?? '', said?.message ?? ''));
      };
      request.send(file.data);
    });
}
