/** Have the browser save a file: it asks where, or puts it where it puts all. */

/** Milliseconds after which the browser has taken what it is given. */
const TAKEN_MS = 60_000;

/** Save what is in the page. */
export function saveAs(data: Blob, name: string): void {
  const address = URL.createObjectURL(data);
  saveFrom(address, name);
  setTimeout(() => URL.revokeObjectURL(address), TAKEN_MS);
}

/** Save what stands at an address, as it comes; the server says what it is called where `name` is empty. */
export function saveFrom(address: string, name = ''): void {
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
}
