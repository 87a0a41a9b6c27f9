/** A moment of a recording as the page's address bears it: `#token=…&recording=…&at=754.2`. */

/** Tenths: nobody means a frame by a link, and addresses are read aloud. */
function figure(position: number): string {
  return (Math.max(0, Math.floor(position * 10)) / 10).toFixed(1);
}

/** The position in a fragment, seconds; null: there is none. */
export function momentOf(fragment: string): number | null {
  const at = new URLSearchParams(fragment.replace(/^#/, '')).get('at');
  return at !== null && /^\d{1,7}(\.\d{1,6})?$/.test(at) ? Number(at) : null;
}

/** The same fragment at another position. */
export function fragmentAt(fragment: string, position: number): string {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ''));
  parameters.set('at', figure(position));
  return `#${parameters.toString()}`;
}

/** A link for others: it leads to the moment and opens nothing, since each has a key of his own. */
export function linkTo(page: string, recording: string, position: number): string {
  return `${page.replace(/[?#].*$/, '')}#${new URLSearchParams({ recording, at: figure(position) }).toString()}`;
}

/** What somebody pasted who was asked for his own link: its token; null: there is none in it. */
export function tokenIn(pasted: string): string | null {
  const text = pasted.trim();
  const fragment = text.includes('#') ? text.slice(text.indexOf('#') + 1) : text;
  const token = new URLSearchParams(fragment).get('token') ?? text;
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token) ? token : null;
}
