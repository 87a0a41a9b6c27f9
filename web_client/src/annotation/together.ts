/** What one `edit` may hold: one movement of the hand is one edit, as long as the server takes it (PROTOCOL.md, limits). */
import type { Mark } from '../signalling/protocol';

const MARKS = 1000;
/** Of 262,144 that a message may have. */
const BYTES = 250_000;

/** Share marks out over as few edits as will do: seven of the longest lines fit into one. */
export function together(marks: readonly Mark[]): Mark[][] {
  const encoder = new TextEncoder();
  const parts: Mark[][] = [];
  let size = Infinity;
  for (const mark of marks) {
    // and the comma
    const bytes = encoder.encode(JSON.stringify(mark)).length + 1;
    const last = parts.at(-1);
    if (last === undefined || last.length === MARKS || size + bytes > BYTES) {
      parts.push([mark]);
      size = bytes;
    } else {
      last.push(mark);
      size += bytes;
    }
  }
  return parts;
}
