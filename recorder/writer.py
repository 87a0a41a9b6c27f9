"""The disk thread: carries a recording's bytes to its file without ever holding up the event loop.

`write` only queues. The thread appends, and another makes the kernel put the data on the disk once a second. Where the
disk refuses (it is full, its device is gone) or takes its time, `trouble` says so in a sentence, and the thread
tries on until the disk takes everything that waits: nothing of it is dropped. What may wait is for the recording
to bound (recording.MAX_BACKLOG).
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .appending import AppendedFile
from .interruption import TOO_SLOW, Trouble
from .volumes import VolumePlan

#: How often the data is forced to the disk (seconds): what a power failure may cost.
SYNC_INTERVAL = 1.0
#: Seconds after which a disk that refused is tried again.
RETRY_INTERVAL = 0.5
#: Seconds without any progress after which a disk is called too slow: recordings begin to wait in memory.
STALLED = 4.0
#: Seconds that a disk which refuses has when the recording ends.
CLOSING_PATIENCE = 5.0
#: The free space below which a recording is not begun: about seven minutes of one 4K field.
MINIMUM_FREE = 1 << 30

_GONE = Trouble("gone", "The disk for recordings is gone.")
_FORBIDDEN = Trouble("forbidden", "The folder for recordings may not be written to.")
_TROUBLES = {
    errno.ENOSPC: Trouble("full", "The disk for recordings is full."),
    errno.EDQUOT: Trouble("full", "The quota of the disk for recordings is used up."),
    errno.EFBIG: Trouble("full", "The recording's file has reached the size that the system allows."),
    errno.EIO: Trouble("error", "The disk for recordings reports an error."),
    errno.ENODEV: _GONE,
    errno.ENXIO: _GONE,
    errno.EROFS: Trouble("forbidden", "The disk for recordings is read-only."),
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.ENOENT: Trouble("gone", "The folder for recordings does not exist."),
    errno.ESTALE: Trouble("gone", "The recording's file is not at its place any more."),
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
    return _trouble(error).sentence


def _refuse(error: OSError) -> None:
    raise error


def _trouble(error: OSError) -> Trouble:
    unknown = Trouble("error", f"The recording cannot be written ({error.strerror}).")
    return _TROUBLES.get(error.errno or 0, unknown)


class DiskWriter:
    """Appends to a new file, or to several by a plan of volumes, from a thread of its own.

    `encode` is what is done there to each piece first: sealing it, above all. `on_progress` is called from that
    thread, after bytes were written and when trouble begins or ends: use `loop.call_soon_threadsafe`. `sync` and
    the times are there for tests that need a disk that fails.
    """

    def __init__(
        self,
        path: Path,
        on_progress: Callable[[], None] = lambda: None,
        *,
        encode: Callable[[bytes], bytes] = bytes,
        plan: VolumePlan | None = None,
        sync: Callable[[int], None] = os.fdatasync,
        retry_interval: float = RETRY_INTERVAL,
        closing_patience: float = CLOSING_PATIENCE,
        stalled: float = STALLED,
    ) -> None:
        """Create the file, which must not exist. Raises DiskError."""
        try:
            self._file = AppendedFile(path, sync, plan, threading.RLock())
        except OSError as error:
            raise DiskError(describe(error)) from error
        self._on_progress = on_progress
        self._encode = encode
        self._retry_interval = retry_interval
        self._closing_patience = closing_patience
        self._stalled = stalled
        self._changed = threading.Condition()
        self._queue: deque[bytes] = deque()
        self._backlog = 0
        self._taken = 0
        self._trouble: Trouble | None = None
        self._failure: str | None = None
        self._moved_at = time.monotonic()  # when the disk last took something, or began to be asked to
        self._closing = threading.Event()
        self._refused: OSError | None = None  # by the thread beside
        self._syncing_since: float | None = None
        self._ended = threading.Event()
        name = f"disk {path.parent.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._beside = threading.Thread(target=self._sync_aside, name=f"{name}, syncing", daemon=True)
        self._thread.start()
        self._beside.start()

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
        return self._file.written

    @property
    def synced(self) -> int:
        """Bytes forced to the disk so far: these survive a power failure."""
        return self._file.synced

    @property
    def trouble(self) -> Trouble | None:
        """Why nothing is being written just now; None as long as all is well."""
        if self._trouble is not None:
            return self._trouble
        now, syncing = time.monotonic(), self._syncing_since
        stalled = bool(self._backlog) and now - self._moved_at > self._stalled
        # what is with the kernel survives a kill; but a disk that takes so long will not follow
        stalled = stalled or (syncing is not None and now - syncing > 2 * self._stalled)
        return TOO_SLOW if stalled else None

    @property
    def failure(self) -> str | None:
        """Why writing ended before everything was written, a sentence: it is not tried again."""
        return self._failure

    def write(self, data: bytes) -> None:
        """Queue bytes; never blocks. After a failure, or when closing, they are dropped."""
        if not data:
            return
        with self._changed:
            if self._failure is not None or self._closing.is_set():
                return
            if not self._backlog:
                self._moved_at = time.monotonic()
            self._queue.append(data)
            self._backlog += len(data)
            self._changed.notify()

    def close(self) -> None:
        """Let the thread write what is queued, force it to the disk and end. Does not wait: see `join`."""
        with self._changed:
            self._closing.set()
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
        self._ended.set()
        self._beside.join()
        self._file.close()
        self._on_progress()

    def _sync_aside(self) -> None:
        """Once a second: in a thread of its own, since what waits behind a slow disk would be lost by a kill."""
        while not self._ended.wait(SYNC_INTERVAL):
            self._syncing_since = time.monotonic()
            try:
                self._file.sync_aside()
            except OSError as error:
                with self._changed:
                    self._refused = error
                    self._changed.notify()
            self._syncing_since = None

    def _write_until_closed(self) -> None:
        while True:
            with self._changed:
                if not self._queue and not self._closing.is_set() and self._refused is None:
                    self._changed.wait()
                data = self._queue[0] if self._queue else b""
                closing = self._closing.is_set() and len(self._queue) <= 1
                refused, self._refused = self._refused, None
            if refused is not None:
                self._persist(partial(_refuse, refused))
            if data:
                self._persist(partial(self._file.append, self._encode(data)))
                self._written(data)
            if self._file.wants_sync or (closing and self._file.synced < self._file.written):
                self._persist(self._file.sync)
            if closing:
                break

    def _written(self, data: bytes) -> None:
        with self._changed:
            self._queue.popleft()
            self._backlog -= len(data)
            self._taken += len(data)
            self._moved_at = time.monotonic()
        self._on_progress()

    def _persist(self, work: Callable[[], None]) -> None:
        """Do it, or try until the disk has taken it; raises OSError when the end comes before."""
        try:
            return work()
        except OSError as error:
            refused = error
        self._file.cut()
        given_up = None
        while True:
            self._say(_trouble(refused))
            if self._closing.wait(self._retry_interval):
                given_up = given_up or time.monotonic() + self._closing_patience
            try:
                self._file.recover()
                return self._say(None)
            except OSError as error:
                refused = error
                self._file.cut()
            if given_up is not None:
                if time.monotonic() >= given_up:
                    raise refused
                with self._changed:
                    self._changed.wait(self._retry_interval)

    def _say(self, trouble: Trouble | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._moved_at = time.monotonic()
            self._on_progress()
