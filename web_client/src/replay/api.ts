/** The recordings over HTTP (PROTOCOL.md §6). */
import type { Description, RecordingSummary } from './description';

export class ReplayError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'ReplayError';
  }
}

export class RecordingsApi {
  readonly #headers: HeadersInit;

  constructor(token: string) {
    this.#headers = { Authorization: `Bearer ${token}` };
  }

  async list(): Promise<RecordingSummary[]> {
    const response = await this.#fetch('/api/recordings');
    const { recordings } = (await response.json()) as { recordings: RecordingSummary[] };
    return recordings;
  }

  /** Get the cookie by which a `<video>`, which sends no bearer, may fetch. */
  async openCookie(): Promise<void> {
    await this.#fetch('/api/replay', 'POST');
  }

  async describe(recording: string): Promise<Description> {
    const response = await this.#fetch(`/api/recordings/${encodeURIComponent(recording)}`);
    return (await response.json()) as Description;
  }

  async #fetch(path: string, method = 'GET'): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(path, { method, headers: this.#headers, credentials: 'same-origin' });
    } catch {
      throw new ReplayError(0, 'server_away', '');
    }
    if (response.ok) return response;
    const body = (await response.json().catch(() => ({}))) as { code?: string; message?: string };
    throw new ReplayError(response.status, body.code ?? '', body.message ?? '');
  }
}

export function fileAddress(recording: string, file: string): string {
  return `/api/recordings/${encodeURIComponent(recording)}/${encodeURIComponent(file)}`;
}
