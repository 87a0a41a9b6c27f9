/** The room's images over DICOMweb (annotation/dicom/DICOMWEB.md): what there is, its metadata, its frames. */
import type { Attributes } from './attributes';
import type { Frame, Instance } from './image';
import type { Window } from './viewport';

/** What the server said instead of an image. */
export class ImageError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'ImageError';
  }
}

/** What a film is, and how a page's player names it; `type` is empty where none plays it. */
export interface FilmFacts {
  codec: string;
  type: string;
  /** Frames a second. */
  rate: number;
  frames: number;
}

/** A frame that the server renders. */
type Shown = Pick<Frame, 'of' | 'frame'> & Partial<Pick<Frame, 'windowFunction'>>;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export class DicomWeb {
  constructor(
    private readonly token: string,
    private readonly fetch: Fetch = (url, init) => globalThis.fetch(url, init),
  ) {}

  /** The metadata of a series, instance by instance. Raise ImageError. */
  async metadata(study: string, series: string): Promise<Attributes[]> {
    const answer = await this.#ask(`/dicom/studies/${study}/series/${series}/metadata`, 'application/dicom+json');
    return (await answer.json()) as Attributes[];
  }

  /** A frame's decoded bytes. Raise ImageError, or AbortError. */
  async frame({ of, frame }: Frame, signal: AbortSignal): Promise<ArrayBuffer> {
    const path = `${pathOf(of)}/frames/${frame}`;
    return (await this.#ask(path, 'application/octet-stream', signal)).arrayBuffer();
  }

  /** What a film is. From then on the browser's player may fetch it at its address, for an hour. Raise ImageError. */
  async film(of: Instance, signal: AbortSignal): Promise<FilmFacts> {
    return (await this.#ask(`${pathOf(of)}/film`, 'application/json', signal)).json() as Promise<FilmFacts>;
  }

  filmAddress(of: Instance): string {
    return `${pathOf(of)}/film.mp4`;
  }

  /**
   * A frame as a picture, as the server renders it; `side` bounds its longer side, 0: nothing does. `window` null: the file's own.
   * Raise ImageError.
   */
  async rendered({ of, frame, windowFunction }: Shown, side: number, signal: AbortSignal, window: Window | null = null): Promise<Blob> {
    const kind = windowFunction === undefined || windowFunction === 'LINEAR' ? '' : `,${windowFunction.toLowerCase().replace('_', '-')}`;
    const asked = [side > 0 ? `viewport=${side},${side}` : '', window === null ? '' : `window=${window.join()}${kind}`].filter((part) => part !== '');
    const path = `${pathOf(of)}/frames/${frame}/rendered${asked.length > 0 ? `?${asked.join('&')}` : ''}`;
    return (await this.#ask(path, side > 0 ? 'image/jpeg' : 'image/png', signal)).blob();
  }

  /** A value too large for the metadata, by the address that they name. */
  async bulk(study: string, series: string, instance: string, uri: string): Promise<ArrayBuffer> {
    const path = `/dicom/studies/${study}/series/${series}/instances/${instance}/${uri}`;
    return (await this.#ask(path, 'application/octet-stream')).arrayBuffer();
  }

  async #ask(path: string, accept: string, signal?: AbortSignal): Promise<Response> {
    const headers = { Authorization: `Bearer ${this.token}`, Accept: accept };
    const answer = await this.fetch(path, signal === undefined ? { headers } : { headers, signal });
    if (answer.ok) return answer;
    const said = (await answer.json().catch(() => ({}))) as { code?: string; message?: string };
    throw new ImageError(answer.status, said.code ?? '', said.message ?? '');
  }
}

function pathOf({ study, series, instance }: Instance): string {
  return `/dicom/studies/${study}/series/${series}/instances/${instance}`;
}
