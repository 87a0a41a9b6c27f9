"""The disk thread: carries a recording's bytes to its file without ever holding up the event loop.

`write` only queues. The thread appends, and once a second makes the kernel put the data on the disk. The
first error (a full disk, above all) ends the writing with a sentence in `failure`; the server goes on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

#: What may wait for the disk. A recording leaves packets out before that (recording.MAX_BACKLOG).
CAPACITY = 64 << 20
#: How often the data is forced to the disk (seconds): what a power failure may cost.
SYNC_INTERVAL = 1.0
#: The free space below which a recording is not begun: about seven minutes of one 4K field.
MINIMUM_FREE = 1 << 30

_SENTENCES = {
    errno.ENOSPC: "The disk for recordings is full.",
    errno.EDQUOT: "The quota of the disk for recordings is used up.",
    errno.EFBIG: "The recording's file has reached the size that the system allows.",
    errno.EIO: "The disk for recordings reports an error.",
    errno.EROFS: "The disk for recordings is read-only.",
    errno.EACCES: "The folder for recordings may not be written to.",
    errno.EPERM: "The folder for recordings may not be written to.",
    errno.ENOENT: "The folder for recordings does not exist.",
}


class DiskError(OSError):
    """The disk cannot take a recording; its text is a sentence for people."""


def check_free_space(folder: Path, minimum: int = MINIMUM_FREE) -> int:
    """Return the free bytes of the folder's disk, or raise DiskError when they are below `minimum`."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise DiskError(describe(error)) from error
    if free < minimum:
        raise DiskError(
            f"The disk for recordings has {free / 2**30:.1f} GiB left, {minimum / 2**30:.1f} GiB are needed."
        )
    return free


def describe(error: OSError) -> str:
    """Put an error of the disk in a sentence."""
    return _SENTENCES.get(error.errno or 0, f"The recording cannot be written ({error.strerror}).")


class DiskWriter:
    """Appends to one new file from a thread of its own.

    `encode` is what is done there to each piece first: sealing it, above all. `on_progress` is called from that
    thread, after bytes were written and when writing failed: use `loop.call_soon_threadsafe`. `sync` is there for
    tests that need a disk that fails.
    """

    def __init__(
        self,
        path: Path,
        on_progress: Callable[[], None] = lambda: None,
        *,
        encode: Callable[[bytes], bytes] = bytes,
        capacity: int = CAPACITY,
        sync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        """Create the file, which must not exist. Raises DiskError."""
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise DiskError(describe(error)) from error
        self._on_progress = on_progress
        self._encode = encode
        self._capacity = capacity
        self._sync = sync
        self._changed = threading.Condition()
        self._queue: deque[bytes] = deque()
        self._backlog = 0
        self._taken = 0
        self._written = 0
        self._synced = 0
        self._failure: str | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"disk {path.parent.name}", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """Bytes that wait in the queue."""
        return self._backlog

    @property
    def taken(self) -> int:
        """Bytes, as they were given to `write`, that are with the kernel."""
        return self._taken

    @property
    def written(self) -> int:
        """Bytes handed to the kernel so far: these survive a kill of the server."""
        return self._written

    @property
    def synced(self) -> int:
        """Bytes forced to the disk so far: these survive a power failure."""
        return self._synced

    @property
    def failure(self) -> str | None:
        """Why writing ended, a sentence; None as long as all is well."""
        return self._failure

    def write(self, data: bytes) -> None:
        """Queue bytes; never blocks. After a failure, or when closing, they are dropped."""
        if not data:
            return
        with self._changed:
            if self._failure is not None or self._closing:
                return
            if self._backlog + len(data) > self._capacity:
                self._failure = "The disk for recordings is too slow."
                self._queue.clear()
                self._backlog = 0
            else:
                self._queue.append(data)
                self._backlog += len(data)
            self._changed.notify()

    def close(self) -> None:
        """Let the thread write what is queued, force it to the disk and end. Does not wait: see `join`."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end after `close`; tell whether it came. Blocks: call it in a thread."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._write_until_closed()
        except (OSError, ValueError) as error:
            with self._changed:
                self._failure = describe(error) if isinstance(error, OSError) else str(error)
                self._queue.clear()
                self._backlog = 0
        with contextlib.suppress(OSError):
            os.close(self._file)
        self._on_progress()

    def _write_until_closed(self) -> None:
        last_sync = time.monotonic()
        while True:
            with self._changed:
                due = last_sync + SYNC_INTERVAL - time.monotonic() if self._synced < self._written else None
                if not self._queue and not self._closing and self._failure is None:
                    self._changed.wait(due)
                if self._failure is not None:
                    break
                data = self._queue.popleft() if self._queue else b""
                closing = self._closing and not self._queue
            if data:
                self._append(data)
            if closing or time.monotonic() - last_sync >= SYNC_INTERVAL:
                if self._synced < self._written:
                    self._sync(self._file)
                    self._synced = self._written
                last_sync = time.monotonic()
            if closing:
                break

    def _append(self, data: bytes) -> None:
        rest = memoryview(self._encode(data))
        while rest:
            size = os.write(self._file, rest)
            rest = rest[size:]
            self._written += size
        with self._changed:
            self._backlog -= len(data)
            self._taken += len(data)
        self._on_progress()
