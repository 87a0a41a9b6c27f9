/** What is taken out of a recording (PROTOCOL.md §6): asked for, watched, fetched, removed. */
import type { Role } from '../signalling/protocol';
import type { Camera } from './description';
import type { Mask } from './masks';

/** In the order in which they are offered. */
export const KINDS = ['composed', 'camera', 'captions', 'annotations', 'dicom', 'teaching'] as const;
export type Kind = (typeof KINDS)[number];

export interface ExportedFile {
  name: string;
  bytes: number;
  type: string;
  /** Where a clip really begins and ends, in seconds of the recording. */
  from?: number;
  to?: number;
  /** How it stands on its way to the hospital’s archive, and why not further; null: that is over long since. Missing: it does not go there. */
  archive?: { state: string; message: string; code: string } | null;
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
  /** Why it failed: a sentence in English, and a code for words of one's own, empty where there is none. */
  error: string;
  code: string;
  /** When somebody signed it off, Unix ms; null: nobody has. */
  signed?: number | null;
}

/** What only films of a patient and copies without one have. */
export interface Careful {
  /** One camera, where a film shows one. */
  camera: number | null;
  /** Lines of a DICOM film; 0: as the camera has them. */
  lines: 0 | 1080 | 2160;
  deidentified: boolean;
  dates: 'removed' | 'moved';
  send: boolean;
  view: 'composed' | 'camera';
  /** Voices are off unless somebody wants them. */
  voices: boolean;
  texts: boolean;
  masks: Mask[];
}

export const CAREFUL: Careful = {
  camera: null, lines: 0, deidentified: false, dates: 'removed', send: false, view: 'composed', voices: false, texts: false, masks: [],
};

/** What somebody confirms to have looked at before learners may. */
export const LOOKS = ['pictures', 'sound', 'texts'] as const;
export type Look = (typeof LOOKS)[number];

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
  careful: Careful;
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
  if (kind === 'dicom') return { kind, options: { ...range, ...dicomOptions(choice.careful) } };
  if (kind === 'teaching') return { kind, options: { ...range, ...teachingOptions(choice) } };
  const { marks, pointers, title, height } = choice;
  const options = { ...range, ...chosen, names, marks, pointers, sound, title, height, language };
  return { kind, options: { ...options, ...(bookmarks.length > 0 ? { bookmarks } : {}) } };
}

function masksOn(masks: readonly Mask[], producers: readonly number[]): { masks?: Mask[] } {
  const found = masks.filter(({ producer }) => producers.length === 0 || producers.includes(producer));
  return found.length === 0 ? {} : { masks: found };
}

/** Nobody's film does not go to the archive, and dates and masks are matters of such a film. */
function dicomOptions({ camera, lines, deidentified, dates, send, voices, masks }: Careful): Record<string, unknown> {
  const chosen = camera === null ? {} : { producers: [camera] };
  const whose = deidentified ? { deidentified, dates, ...masksOn(masks, camera === null ? [] : [camera]) } : { send };
  return { ...chosen, height: lines, sound: voices, ...whose };
}

function teachingOptions({ careful, cameras, marks, pointers, height, language }: Choice): Record<string, unknown> {
  const { view, camera, voices, texts, masks } = careful;
  const producers = view === 'camera' ? (camera === null ? [] : [camera]) : cameras;
  const chosen = producers.length === 0 ? {} : { producers };
  const drawn = view === 'camera' ? {} : { marks, pointers };
  return { ...chosen, view, ...drawn, sound: voices, texts, height, language, ...masksOn(masks, producers) };
}

/** Cameras that a teaching copy shows unless more are asked for: no faces. */
export function isFace({ source }: Pick<Camera, 'source'>): boolean {
  return source === 'camera';
}

/** The one camera that a film shows: the chosen one, else the field, else the first. Masks are drawn on this one. */
export function oneCamera(cameras: readonly Camera[], { camera }: Careful): Camera | undefined {
  return cameras.find(({ producer }) => producer === camera) ?? cameras.find(({ source }) => source === 'field') ?? cameras[0];
}

/** The words of a copy's captions (WebVTT as the server writes it), each with its time and who says it. */
export function cuesOf(vtt: string): { at: string; voice: string; text: string }[] {
  const plain = (text: string): string => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  return vtt.split('\n\n').flatMap((block) => {
    const lines = block.split('\n').filter((line) => line !== '');
    const times = lines.findIndex((line) => line.includes(' --> '));
    if (times === -1) return [];
    const said = lines.slice(times + 1).join(' ');
    const [, voice = '', text = said] = /^<v ([^>]*)>(.*)$/.exec(said) ?? [];
    return [{ at: (lines[times] ?? '').split('.')[0] ?? '', voice: plain(voice), text: plain(text) }];
  });
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
    readonly code: string,
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

  /** Say that one has looked at all of a teaching copy: learners are given it. */
  async signOff(job: string): Promise<void> {
    await this.#ask('POST', `/${encodeURIComponent(job)}/sign-off`, { looked_at: LOOKS });
  }

  /** Read a small file. */
  async read(job: string, file: string): Promise<string> {
    return (await this.#ask('GET', `/${encodeURIComponent(job)}/${encodeURIComponent(file)}`)).text();
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
      throw new ExportRefused(0, '', '');
    }
    if (answer.ok) return answer;
    const said = (await answer.json().catch(() => ({}))) as { code?: string; message?: string };
    throw new ExportRefused(answer.status, said.code ?? '', said.message ?? '');
  }
}
