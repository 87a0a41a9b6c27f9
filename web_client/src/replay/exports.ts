/** What is taken out of a recording (PROTOCOL.md §6): asked for, watched, fetched, removed. */
import type { Role } from '../signalling/protocol';
import type { Camera } from './description';

/** In the order in which they are offered. */
export const KINDS = ['composed', 'camera', 'captions', 'annotations'] as const;
export type Kind = (typeof KINDS)[number];

export interface ExportedFile {
  name: string;
  bytes: number;
  type: string;
  /** Where a clip really begins and ends, in seconds of the recording. */
  from?: number;
  to?: number;
}

export interface ExportJob {
  export: string;
  kind: string;
  state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled' | 'needs_sign_off';
  /** Unix ms. */
  asked: number;
  /** 0-1. */
  progress: number;
  seconds_left: number | null;
  files: ExportedFile[];
  error: string;
}

/** What somebody has chosen in the form. */
export interface Choice {
  kind: Kind;
  /** Seconds of the recording; null: to its end. */
  from: number;
  to: number | null;
  /** Producers; empty: all. */
  cameras: number[];
  names: boolean;
  marks: boolean;
  pointers: boolean;
  sound: boolean;
  title: boolean;
  height: 720 | 1080 | 2160;
  language: 'en' | 'zh';
  bookmarks: { at: number; text: string }[];
}

/** Who may take films of a recording out (signalling/permissions.py `export`): read for display, the server decides. */
export function mayExport(role: Role): boolean {
  return role === 'surgeon' || role === 'chair';
}

/** The request's `kind` and `options`: only what the kind knows. */
export function requestOf(choice: Choice): { kind: string; options: Record<string, unknown> } {
  const { kind, from, to, cameras, names, language, bookmarks, sound } = choice;
  const range = { ...(from > 0 ? { from } : {}), ...(to === null ? {} : { to }) };
  const chosen = cameras.length === 0 ? {} : { producers: cameras };
  if (kind === 'camera') return { kind: to === null ? 'camera' : 'clip', options: { ...range, ...chosen, sound } };
  if (kind === 'captions') return { kind, options: { ...range, names, language, ...(bookmarks.length > 0 ? { bookmarks } : {}) } };
  if (kind === 'annotations') return { kind, options: { ...range, names, language } };
  const { marks, pointers, title, height } = choice;
  const options = { ...range, ...chosen, names, marks, pointers, sound, title, height, language };
  return { kind, options: { ...options, ...(bookmarks.length > 0 ? { bookmarks } : {}) } };
}

/** What is being repeated between A and B as the part that is likely meant; null: nothing is. */
export function rangeOf({ from, until, on }: { from: number | null; until: number | null; on: boolean }): { from: number; to: number } | null {
  return on && from !== null && until !== null && until > from ? { from, to: until } : null;
}

/** Seconds out of "1:02:03.5", "2:03" or "3.5"; null: it is none. */
export function readTime(typed: string): number | null {
  const plain = typed.normalize('NFKC').trim().replace(',', '.');
  if (!/^(\d+:)?(\d+:)?\d+(\.\d+)?$/.test(plain)) return null;
  const parts = plain.split(':').map(Number);
  if (parts.slice(1).some((part) => part >= 60)) return null;
  return parts.reduce((sum, part) => sum * 60 + part, 0);
}

/** "1:02:03.5", as short as it can be. */
export function writeTime(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  const [whole, rest] = [Math.floor(tenths / 10), tenths % 10];
  const [hours, minutes, left] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const end = `${String(left).padStart(2, '0')}${rest === 0 ? '' : `.${rest}`}`;
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${end}` : `${minutes}:${end}`;
}

/** The cameras that a film may show, a sound alone not among them. */
export function picturesOf(cameras: readonly Camera[]): Camera[] {
  return cameras.filter(({ source }) => source !== 'microphone');
}

export function isUnderWay({ state }: ExportJob): boolean {
  return state === 'waiting' || state === 'running';
}

/** The server said no. `status` 0: it could not be reached. */
export class ExportRefused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'ExportRefused';
  }
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export class ExportsApi {
  constructor(
    private readonly token: string,
    private readonly recording: string,
    private readonly fetch: Fetch = (url, init) => globalThis.fetch(url, init),
  ) {}

  /** The newest first. Also fetches the cookie by which the browser saves files. */
  async list(): Promise<ExportJob[]> {
    return (await (await this.#ask('GET', `?recording=${encodeURIComponent(this.recording)}`)).json()) as ExportJob[];
  }

  async begin(choice: Choice): Promise<void> {
    await this.#ask('POST', '', { recording: this.recording, ...requestOf(choice) });
  }

  async remove(job: string): Promise<void> {
    await this.#ask('DELETE', `/${encodeURIComponent(job)}`);
  }

  /** Bookmarks and clips that the reader may see; none where the server keeps none. */
  async notes(): Promise<{ kind: string; at: number; until?: number; text: string }[]> {
    try {
      const answer = await this.fetch(`/api/study/${encodeURIComponent(this.recording)}/notes`, this.#init('GET'));
      const body = answer.ok ? ((await answer.json()) as { notes?: [] } | []) : [];
      return Array.isArray(body) ? body : (body.notes ?? []);
    } catch {
      return [];
    }
  }

  fileAddress(job: string, file: string): string {
    return `/api/exports/${encodeURIComponent(job)}/${encodeURIComponent(file)}`;
  }

  #init(method: string, body?: object): RequestInit {
    const headers = { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' };
    return { method, headers, credentials: 'same-origin', ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  }

  async #ask(method: string, path: string, body?: object): Promise<Response> {
    let answer: Response;
    try {
      answer = await this.fetch(`/api/exports${path}`, this.#init(method, body));
    } catch {
      throw new ExportRefused(0, '');
    }
    if (answer.ok) return answer;
    const said = (await answer.json().catch(() => ({}))) as { message?: string };
    throw new ExportRefused(answer.status, said.message ?? '');
  }
}
