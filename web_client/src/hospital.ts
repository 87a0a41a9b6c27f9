/** The hospital as a page asks for it (PROTOCOL.md §12): worklist, search, fetching, sending. Nothing of a patient stands in an address. */

/** Whose a study is, held against the room's patient. */
export type Match = 'same' | 'doubtful' | 'unknown' | 'other' | 'unchosen';

export type ObjectKind = 'presentation' | 'report' | 'key_objects' | 'capture_marked' | 'capture_plain';

export interface WorklistEntry {
  entry: string;
  name: string;
  patient_id: string;
  issuer: string;
  birth_date: string;
  sex: string;
  accession: string;
  procedure: string;
  /** YYYYMMDDHHMM, or shorter. */
  starts: string;
  modality: string;
  station: string;
}

export interface FoundStudy {
  study: string;
  name: string;
  patient_id: string;
  birth_date: string;
  sex: string;
  accession: string;
  date: string;
  description: string;
  modalities: string[];
  instances: number;
  match: Match;
}

export interface StudyQuery {
  patient_id: string;
  name: string;
  accession: string;
  /** YYYYMMDD, or a range with a hyphen. */
  date: string;
  modality: string;
}

export interface FetchJob {
  job: string;
  kind: 'fetch';
  by: string;
  time: number;
  description: string;
  state: 'running' | 'done' | 'failed' | 'cancelled';
  message: string;
  done: number;
  total: number;
  refused: number;
}

export interface SendJob {
  job: string;
  kind: 'send';
  by: string;
  time: number;
  state: 'writing' | 'waiting' | 'sending' | 'done' | 'refused' | 'failed' | 'cancelled';
  message: string;
  done: number;
  total: number;
  objects: { kind: ObjectKind; images: number; marks: number; state: 'waiting' | 'sent' | 'refused'; message: string }[];
}

export type Job = FetchJob | SendJob;

/** What of a hospital is there, and how the room's jobs stand. */
export interface HospitalView {
  archive: boolean;
  /** What people call the archive. */
  name: string;
  worklist: '' | 'worklist' | 'fhir';
  /** What is looked for stands in the address of the question, which the archive and what is between may write down. */
  search_in_address?: boolean;
  jobs: Job[];
}

export type LeftOut = 'unchosen' | 'frozen_unchosen' | 'other_patient' | 'gone';

export interface SendPreview {
  objects: { kind: ObjectKind; images: number; marks: number; usual: boolean }[];
  /** Whose it is: `send` says it, so that nothing goes under another. */
  patient: { key: string } | null;
  stills: number;
  /** What stays here, and why: it is not known to be the chosen patient's. */
  left_out: { what: 'still' | 'mark'; reason: LeftOut; count: number }[];
}

/** The server said no. `status` 0: it could not be reached. */
export class HospitalError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Whether anything more comes of a job by itself. */
export function isUnderWay(job: Job): boolean {
  return job.state === 'running' || job.state === 'writing' || job.state === 'waiting' || job.state === 'sending';
}

/** What a button on a job may ask for. */
export function deedsOf(job: Job): ('cancel' | 'retry' | 'dismiss')[] {
  if (job.state === 'waiting') return ['retry', 'cancel'];
  if (isUnderWay(job)) return ['cancel'];
  return job.kind === 'send' && job.state === 'refused' ? ['retry', 'dismiss'] : ['dismiss'];
}

/** A day as DICOM writes it. */
export function dicomDate(day: string): string {
  return day.replace(/-/g, '');
}

export class HospitalApi {
  constructor(
    private readonly token: string,
    private readonly ask: typeof fetch = (input, init) => fetch(input, init),
  ) {}

  async worklist(date: string, signal?: AbortSignal): Promise<WorklistEntry[]> {
    const { entries } = (await this.#post('worklist', { date }, signal)) as { entries: WorklistEntry[] };
    return entries;
  }

  async search(query: StudyQuery, signal?: AbortSignal): Promise<{ studies: FoundStudy[]; more: boolean }> {
    return (await this.#post('search', { ...query }, signal)) as { studies: FoundStudy[]; more: boolean };
  }

  async fetchStudy(study: string): Promise<void> {
    await this.#post('fetch', { study });
  }

  async preview(signal?: AbortSignal): Promise<SendPreview> {
    return (await this.#post('preview', {}, signal)) as SendPreview;
  }

  async send(want: ObjectKind[], patient: string): Promise<void> {
    await this.#post('send', { want, patient });
  }

  async act(job: string, action: 'cancel' | 'retry' | 'dismiss'): Promise<void> {
    await this.#post(`jobs/${encodeURIComponent(job)}`, { action });
  }

  async #post(path: string, body: object, signal?: AbortSignal): Promise<unknown> {
    let answer: Response;
    try {
      answer = await this.ask(`/api/hospital/${path}`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
        credentials: 'same-origin',
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') throw error;
      throw new HospitalError(0, 'server_away', '');
    }
    if (answer.status === 204) return null;
    const said = (await answer.json().catch(() => ({}))) as { code?: string; message?: string };
    if (answer.ok) return said;
    throw new HospitalError(answer.status, said.code ?? '', said.message ?? '');
  }
}
