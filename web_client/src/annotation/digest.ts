/** The hash of what is visible: the twin of `annotation/digest.py`. */
import type { LoggedOperation, Track } from '../signalling/marks';
import { SHELVES, type Notebook } from './notebook';
import type { VisibleMark } from './sum';

/** JSON in canonical form (RFC 8785): sorted keys, numbers as ECMAScript writes them. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`;
}

/** SHA-256, in hexadecimal, of the visible marks with their newest tracks, and of the notes. */
export async function digest(
  marks: readonly VisibleMark[],
  trackOf: (mark: VisibleMark) => Track | null,
  notebook: Notebook,
): Promise<string> {
  const shown = marks.map((visible) => {
    const { mark, author, name, colour, sequence } = visible;
    const track = trackOf(visible);
    const body = { sequence, author, name, colour, operation: { kind: 'add', mark } };
    return track === null ? body : { ...body, track };
  });
  const notes = Object.fromEntries(SHELVES.map((shelf) => [shelf, notebook.entries(shelf).map(timeless)]));
  const bytes = new TextEncoder().encode(canonical({ marks: shown, notes }));
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function timeless({ sequence, author, name, colour, operation }: LoggedOperation): object {
  return { sequence, author, name, colour, operation };
}
