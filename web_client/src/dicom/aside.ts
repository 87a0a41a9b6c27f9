/** What was put aside in a room: files that were not taken, pictures withheld from some (annotation/dicom/DICOMWEB.md). */
import type { Fetch } from './web';
import { ImageError } from './web';

/** How much there is: in the `studies` notice, for those who may bring images. */
export interface AsideCounts {
  refused: number;
  withheld: number;
  released: number;
}

/** A file that was not taken. */
export interface RefusedFile {
  number: number;
  name: string;
  source: string;
  code: string;
  /** What exactly, beside the code; may be empty. */
  detail: string;
  /** The server's own sentence. */
  reason: string;
  bytes: number;
  /** Whether the file itself is there to be looked at. */
  kept: boolean;
  /** Unix ms. */
  time: number;
}

/** A series with pictures in which words may stand. */
export interface WithheldSeries {
  StudyInstanceUID: string;
  SeriesInstanceUID: string;
  modality: string;
  number: number;
  description: string;
  kind: string;
  instances: number;
  released: number;
  why: string[];
  /** Some of them, spread over the series. */
  sample: string[];
}

/** What a refused file is; what could not be read is not there. */
export interface FileFacts {
  file: string;
  modality?: string;
  object?: string;
  syntax?: string;
  rows?: number;
  columns?: number;
  frames?: number;
}

export class AsideApi {
  constructor(
    private readonly token: string,
    private readonly fetch: Fetch = (url, init) => globalThis.fetch(url, init),
  ) {}

  async refused(): Promise<RefusedFile[]> {
    return ((await (await this.#ask('GET', '/quarantine')).json()) as { quarantine: RefusedFile[] }).quarantine;
  }

  async withheld(): Promise<WithheldSeries[]> {
    return ((await (await this.#ask('GET', '/withheld')).json()) as { withheld: WithheldSeries[] }).withheld;
  }

  async look(number: number): Promise<FileFacts> {
    return (await (await this.#ask('GET', `/quarantine/${number}/look`)).json()) as FileFacts;
  }

  /** Try to have a file taken once more; null: it was. */
  async again(number: number): Promise<{ code: string; detail: string; message: string } | null> {
    const said = (await (await this.#ask('POST', `/quarantine/${number}/again`)).json()) as { taken: boolean; code?: string; detail?: string; message?: string };
    return said.taken ? null : { code: said.code ?? '', detail: said.detail ?? '', message: said.message ?? '' };
  }

  async file(number: number): Promise<Blob> {
    return (await this.#ask('GET', `/quarantine/${number}`)).blob();
  }

  async forget(number: number): Promise<void> {
    await this.#ask('DELETE', `/quarantine/${number}`);
  }

  /** Show a series to those who may not see the patient, or no more. */
  async release({ StudyInstanceUID, SeriesInstanceUID }: WithheldSeries, released: boolean): Promise<void> {
    await this.#ask('POST', '/release', JSON.stringify({ StudyInstanceUID, SeriesInstanceUID, released }));
  }

  /** A small picture of an instance. */
  async picture({ StudyInstanceUID, SeriesInstanceUID }: WithheldSeries, instance: string, side: number): Promise<Blob> {
    const path = `/studies/${StudyInstanceUID}/series/${SeriesInstanceUID}/instances/${instance}/frames/1/rendered`;
    return (await this.#ask('GET', `${path}?viewport=${side},${side}`)).blob();
  }

  async #ask(method: string, path: string, body?: string): Promise<Response> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.token}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    let answer: Response;
    try {
      answer = await this.fetch(`/dicom${path}`, body === undefined ? { method, headers } : { method, headers, body });
    } catch {
      throw new ImageError(0, 'away', '');
    }
    if (answer.ok) return answer;
    const said = (await answer.json().catch(() => ({}))) as { code?: string; message?: string };
    throw new ImageError(answer.status, said.code ?? '', said.message ?? '');
  }
}
