/**
 * A file of the browser's own folder for this page, written in a worker. In memory a large file would be lost when it is
 * saved: Chromium gives up what is larger than about half a gigabyte, and tells nobody.
 */
import type { Holding } from './incoming';

declare global {
  // TypeScript has these for workers alone
  interface FileSystemSyncAccessHandle {
    write(bytes: Uint8Array<ArrayBuffer>): number;
    close(): void;
  }
  interface FileSystemFileHandle {
    createSyncAccessHandle(): Promise<FileSystemSyncAccessHandle>;
  }
}

const FOLDER = 'incoming';
/** What another visit left behind, its page having been ended: nobody saves it any more, milliseconds. */
const LEFT_BEHIND = 3_600_000;

export class OnDisk implements Holding {
  private constructor(
    private readonly folder: FileSystemDirectoryHandle,
    private readonly handle: FileSystemFileHandle,
    private readonly writing: FileSystemSyncAccessHandle,
  ) {}

  /** Begin a file. Throws where the browser has no such folder. */
  static async begin(): Promise<OnDisk> {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
    for await (const other of folder.keys()) {
      // one that another window writes just now cannot be removed
      if (Number.parseInt(other) < Date.now() - LEFT_BEHIND) await folder.removeEntry(other).catch(() => undefined);
    }
    const handle = await folder.getFileHandle(`${Date.now()}-${crypto.randomUUID()}`, { create: true });
    return new OnDisk(folder, handle, await handle.createSyncAccessHandle());
  }

  add(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.writing.write(bytes) !== bytes.length) throw new Error('Less was written than there is.');
  }

  async file(): Promise<Blob> {
    this.writing.close();
    return this.handle.getFile();
  }

  drop(): void {
    this.writing.close();
    void this.folder.removeEntry(this.handle.name).catch(() => undefined);
  }
}
