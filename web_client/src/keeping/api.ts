/** How recordings are kept, over HTTP (PROTOCOL.md, Keeping the archive). Times are Unix milliseconds. */
import { ReplayError } from '../replay/api';

export const PURPOSES = ['treatment', 'teaching', 'research'] as const;
export type Purpose = (typeof PURPOSES)[number];

export interface Term {
  class: string;
  /** Null: as long as there is consent to teaching. */
  years: number | null;
  least: number;
  usual: number;
  recordings: number;
}

export interface Hold {
  number: number;
  reason: string;
  since: number;
  by: string;
}

export interface Consent {
  given: boolean;
  stands: boolean;
  at: number;
  until: number | null;
  reference: string;
  by: string;
}

export interface DeletionRequest {
  number: number;
  state: 'asked' | 'agreed' | 'done';
  reason: string;
  by: string;
  mine: boolean;
  asked: number;
  expires: number;
  agreed_by: string | null;
  /** Where something is left that could not be removed yet. */
  remaining: string;
}

/** Of a recording's patient what is hidden; texts may be empty. */
export interface RecordedPatient {
  name: string;
  patient_id: string;
  /** YYYYMMDD. */
  birth_date: string;
  accession: string;
}

export type NewPatient = Omit<RecordedPatient, 'accession'>;

export interface Kept {
  recording: string;
  started: number;
  class: string;
  due: number | null;
  over: boolean;
  deleted: number | null;
  holds: Hold[];
  consent: Record<Purpose, Consent | null>;
  request: DeletionRequest | null;
  copy: { whole: number | null; problem: string } | null;
  /** Whose it is is surely known; else trainees read no words of others on it. */
  patients_known: boolean;
}

export interface Keeping {
  now: number;
  classes: Term[];
  recordings: Kept[];
}

export interface Month {
  month: string;
  here: number;
  moved: number;
  recordings: number;
}

export interface Usage {
  disk: { total: number; free: number; reserve: number; exports: number };
  rooms: { room: string; bytes: number }[];
  classes: { class: string; bytes: number }[];
  months: Month[];
  /** Bytes a day. */
  growth: number;
  full: number | null;
  copies: { whole: number; failed: number; waiting: number; moved: number };
  second_place: boolean;
  sizes: Record<string, { here: number; moved: number }>;
}

export interface Entry {
  number: number;
  at: number;
  deed: string;
  name: string;
  role: string;
  recording: string | null;
  about: Record<string, unknown>;
}

export class KeepingApi {
  constructor(private readonly token: string) {}

  show(): Promise<Keeping> {
    return this.#ask<Keeping>('GET', '');
  }

  usage(): Promise<Usage> {
    return this.#ask<Usage>('GET', '/usage');
  }

  async book(): Promise<Entry[]> {
    return (await this.#ask<{ entries: Entry[] }>('GET', '/audit')).entries;
  }

  choose(recording: string, name: string): Promise<Keeping> {
    return this.#of(recording, 'PUT', 'class', { class: name });
  }

  hold(recording: string, reason: string): Promise<Keeping> {
    return this.#of(recording, 'POST', 'holds', { reason });
  }

  lift(recording: string, hold: number, reason: string): Promise<Keeping> {
    return this.#of(recording, 'POST', `holds/${hold}/lift`, { reason });
  }

  consent(recording: string, purpose: Purpose, given: boolean, reference: string, until: number | null): Promise<Keeping> {
    return this.#of(recording, 'POST', 'consent', { purpose, given, reference, ...(until === null ? {} : { until }) });
  }

  askDeletion(recording: string, reason: string): Promise<Keeping> {
    return this.#of(recording, 'POST', 'deletion', { reason });
  }

  answerDeletion(recording: string, request: number, agree: boolean): Promise<Keeping> {
    return this.#of(recording, 'POST', `deletion/${request}`, { agree });
  }

  patients(recording: string): Promise<{ patients: RecordedPatient[]; all_known: boolean }> {
    return this.#ask('GET', `/recordings/${encodeURIComponent(recording)}/patients`);
  }

  /** Add patients, and confirm that with those who are known they are all. */
  completePatients(recording: string, added: readonly NewPatient[]): Promise<Keeping> {
    return this.#of(recording, 'POST', 'patients', { added });
  }

  #of(recording: string, method: string, path: string, body: object): Promise<Keeping> {
    return this.#ask<Keeping>(method, `/recordings/${encodeURIComponent(recording)}/${path}`, body);
  }

  /** Raises ReplayError. */
  async #ask<Body>(method: string, path: string, body?: object): Promise<Body> {
    const headers = { Authorization: `Bearer ${this.token}` };
    let response: Response;
    try {
      response = await fetch(`/api/keeping${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    } catch {
      throw new ReplayError(0, 'server_away', '');
    }
    if (response.ok) return (await response.json()) as Body;
    const said = (await response.json().catch(() => ({}))) as { code?: string; message?: string };
    throw new ReplayError(response.status, said.code ?? '', said.message ?? '');
  }
}
