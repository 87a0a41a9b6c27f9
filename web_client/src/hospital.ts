/** The hospital as a page asks for it (PROTOCOL.md §12): worklist, search, fetching, sending. Nothing of a patient stands in an address. */

/** Whose a study is, held against the room's patient. */
export type Match = 'same' | 'doubtful' | 'unknown' | 'other' | 'unchosen';

export type ObjectKind = 'presentation' | 'report' | 'key_objects' | 'capture_marked' | 'capture_plain' | 'film';

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
  /** The server's own sentence, and a word for it. */
  message: string;
  code?: string;
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
  code?: string;
  done: number;
  total: number;
  objects: SentObject[];
}

export interface SentObject {
  kind: ObjectKind;
  images: number;
  marks: number;
  state: 'waiting' | 'sent' | 'refused';
  message: string;
  /** Why it was refused, as a word, and the archive's status. */
  code?: string;
  status?: string;
}

/** A de-identified copy: `total` images, `done` objects of all kinds. */
export interface CopyJob {
  job: string;
  kind: 'copy';
  by: string;
  time: number;
  state: 'writing' | 'done' | 'failed' | 'cancelled';
  message: string;
  code?: string;
  done: number;
  total: number;
  /** How many objects could not be written. */
  missing: number;
  bytes: number;
}

export type Job = FetchJob | SendJob | CopyJob;

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

export type CopyKind = ObjectKind | 'annotations';
export const COPY_KINDS: readonly CopyKind[] = ['presentation', 'report', 'key_objects', 'capture_marked', 'capture_plain', 'annotations'];

/** What could be in a copy for outside the house, with all that somebody has to look at first. */
export interface CopyPreview {
  patient: { key: string } | null;
  series: CopySeries[];
  stills: { still: string; label: string; marks: number }[];
  texts: { text: string; kind: 'mark' | 'instruction'; words: string; by: string }[];
  left_out: SendPreview['left_out'];
}

export interface CopySeries {
  study: string;
  series: string;
  modality: string;
  number: number;
  description: string;
  images: number;
  marks: number;
  /** Those in which words may stand, and why that is feared. */
  pictures: { picture: string; why: string; marks: number; frames: number }[];
}

export interface CopyChoice {
  want: CopyKind[];
  series: string[];
  pictures: string[];
  stills: string[];
  texts: string[];
  dates: 'removed' | 'moved';
  characteristics: boolean;
  patient: string;
}

/** How many images a choice comes to: a picture in which words may stand is one only if it was ticked itself. */
export function imagesOf({ series }: CopyPreview, chosen: ReadonlySet<string>, looked: ReadonlySet<string>): number {
  return series
    .filter((one) => chosen.has(one.series))
    .reduce((sum, one) => sum + one.images - one.pictures.filter(({ picture }) => !looked.has(picture)).length, 0);
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

  /** The chosen patient's marks as Web Annotations, in JSON-LD. */
  async annotations(): Promise<Blob> {
    const answer = await this.#ask('annotations', { method: 'GET' });
    if (answer.ok) return answer.blob();
    throw await refused(answer);
  }

  async act(job: string, action: 'cancel' | 'retry' | 'dismiss'): Promise<void> {
    await this.#post(`jobs/${encodeURIComponent(job)}`, { action });
  }

  async previewCopy(signal?: AbortSignal): Promise<CopyPreview> {
    return (await this.#post('copy/preview', {}, signal)) as CopyPreview;
  }

  /** Fetch a picture that is to be looked at. */
  async picture(address: string): Promise<Blob> {
    const answer = await this.ask(address, { headers: { Authorization: `Bearer ${this.token}` }, credentials: 'same-origin' });
    if (!answer.ok) throw await refused(answer);
    return answer.blob();
  }

  /** Ask for a copy: gives the address from which the browser saves it, once. */
  async copy(choice: CopyChoice): Promise<string> {
    return ((await this.#post('copy', { ...choice })) as { copy: string }).copy;
  }

  async #post(path: string, body: object, signal?: AbortSignal): Promise<unknown> {
    const answer = await this.#ask(path, { method: 'POST', body: JSON.stringify(body), ...(signal === undefined ? {} : { signal }) });
    if (answer.status === 204) return null;
    if (answer.ok) return answer.json();
    throw await refused(answer);
  }

  async #ask(path: string, init: RequestInit): Promise<Response> {
    try {
      return await this.ask(`/api/hospital/${path}`, {
        ...init,
        headers: { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' },
        credentials: 'same-origin',
      });
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') throw error;
      throw new HospitalError(0, 'server_away', '');
    }
  }
}

async function refused(answer: Response): Promise<HospitalError> {
  const said = (await answer.json().catch(() => ({}))) as { code?: string; message?: string };
  return new HospitalError(answer.status, said.code ?? '', said.message ?? '');
}
