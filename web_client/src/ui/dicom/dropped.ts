/** What was dropped onto the page: files, and all files of folders with their paths. */
import type { Offered } from '../../dicom/upload';

/** Most files of one drop. */
const FILES_LIMIT = 20_000;

/** Read the entries at once: they are gone when the event is over. */
export function entriesOf(transfer: DataTransfer): FileSystemEntry[] {
  return [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
}

/** Give all files below these entries; what cannot be read is left out. */
export async function filesOf(entries: readonly FileSystemEntry[]): Promise<Offered[]> {
  const found: Offered[] = [];
  const waiting = [...entries];
  for (let entry = waiting.shift(); entry !== undefined && found.length < FILES_LIMIT; entry = waiting.shift()) {
    if (entry.isDirectory) waiting.push(...(await childrenOf(entry as FileSystemDirectoryEntry)));
    else {
      const data = await fileOf(entry as FileSystemFileEntry);
      if (data !== null) found.push({ name: entry.fullPath.replace(/^\//, ''), data });
    }
  }
  return found;
}

/** Give files that were chosen in a dialog; those of a folder bear their paths. */
export function chosen(list: FileList | null): Offered[] {
  return [...(list ?? [])].map((data) => ({ name: data.webkitRelativePath || data.name, data }));
}

async function childrenOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const children: FileSystemEntry[] = [];
  for (;;) {
    // a hundred at a time, until none comes
    const some = await new Promise<FileSystemEntry[]>((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (some.length === 0) return children;
    children.push(...some);
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File | null> {
  return new Promise((resolve) => entry.file(resolve, () => resolve(null)));
}
