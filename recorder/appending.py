"""The files that a journal is appended to, and how they are taken up again where the disk refused.

What was not yet forced to the disk is kept: after an error of the disk nobody knows what of it arrived, so it is
written once more from the last place that is sure. A full disk leaves what is whole and takes its own torn piece
back.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from .small_writes import write_whole
from .volumes import VolumePlan, volume_path

#: Bytes that wait to be forced to the disk at most: they are kept in memory until then.
MAX_UNSYNCED = 64 << 20
#: So much of the file's beginning tells that it is the same one.
_HEAD = 256

#: Where these are said, what had been written before is there; after others nobody knows.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class AppendedFile:
    """Appends pieces to one new file, and to others after it where there is a plan of volumes.

    After an OSError nothing but `recover` may be called, until it returns. One thread appends, another may call
    `sync_aside` meanwhile: then `guard` is a re-entrant lock. `sync` is there for tests that need a disk that fails.
    """

    def __init__(
        self,
        path: Path,
        sync: Callable[[int], None] = os.fdatasync,
        plan: VolumePlan | None = None,
        guard: AbstractContextManager[object] = contextlib.nullcontext(),  # noqa: B008 - it has no state
    ) -> None:
        """Create the file, which must not exist. Raises OSError."""
        self._first = self._path = path
        self._sync = sync
        self._plan = plan
        self._guard = guard
        self._number = 1
        self._start = 0  # bytes of the volumes before
        self._begun = False  # there is a piece in this volume
        self._file = _create(path)
        #: Bytes that the disk had said it has, and that were gone when it came back.
        self.lost = 0
        self._whole = 0  # bytes of whole pieces in the file
        self._safe = 0  # bytes of them that were forced to the disk
        self._unsynced: list[bytes] = []  # the pieces behind them
        self._pending: list[bytes] = []  # what is not in the file
        self._sure = True  # nothing of the unsynced may have been lost
        self._head = b""

    @property
    def written(self) -> int:
        """Bytes of whole pieces that are with the kernel: these survive a kill of the server."""
        return self._start + self._whole

    @property
    def synced(self) -> int:
        """Bytes that were forced to the disk: these survive a power failure."""
        return self._start + self._safe

    @property
    def wants_sync(self) -> bool:
        """Whether so much is not on the disk that it must not wait."""
        return self._whole - self._safe >= MAX_UNSYNCED

    def append(self, piece: bytes) -> None:
        """Write a piece whole. Raises OSError: then it is written when `recover` returns."""
        self._pending.append(piece)
        self._put()

    def sync(self) -> None:
        """Force what was written to the disk. Raises OSError, also where the file is not at its place any more."""
        with self._guard:
            self._force()
            self._safe = self._whole
            self._unsynced.clear()

    def sync_aside(self) -> None:
        """Force what is written by now to the disk while another thread appends. Raises OSError: that one recovers."""
        with self._guard:
            pieces = list(self._unsynced)
            if not pieces or not self._sure:
                return
            self._force()
            del self._unsynced[: len(pieces)]
            self._safe += sum(map(len, pieces))

    def cut(self) -> None:
        """Take back what was written of a piece, so that the file ends whole; where the disk lets it."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._whole)

    def recover(self) -> None:
        """Go on after an OSError: open the file by its name, cut it where it is sure, write what is missing.

        Raises OSError as long as the disk refuses.
        """
        with self._guard:
            self._recover()

    def _recover(self) -> None:
        self._reopen()
        if not self._sure:
            again, self._unsynced = self._unsynced, []
            os.ftruncate(self._file, self._safe)
            self._whole = self._safe
            for number, piece in enumerate(again):
                try:
                    self._write(piece)
                except OSError:
                    # those behind are not in the file either
                    self._unsynced += again[number:]
                    raise
                self._unsynced.append(piece)
            self._sure = True
        else:
            os.ftruncate(self._file, self._whole)
            os.lseek(self._file, self._whole, os.SEEK_SET)
        if self._pending:
            self._put()
        self.sync()

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(OSError):
            os.close(self._file)

    def _put(self) -> None:
        if self._plan is not None and self._begun and self._whole + len(self._pending[0]) > self._plan.limit:
            self._turn_over(self._plan)
        while self._pending:
            self._write(self._pending[0])
            self._unsynced.append(self._pending.pop(0))
        self._begun = True

    def _force(self) -> None:
        try:
            self._check_place()
            self._sync(self._file)
        except OSError:
            self._sure = False
            raise

    def _turn_over(self, plan: VolumePlan) -> None:
        """Begin the next volume: what is in this one is on the disk before."""
        with self._guard:
            self._begin_next(plan)

    def _begin_next(self, plan: VolumePlan) -> None:
        self.sync()
        path = volume_path(self._first, self._number + 1)
        file = _create(path)
        self.close()
        self._file, self._path = file, path
        self._number += 1
        self._start += self._whole
        self._whole = self._safe = 0
        self._begun = False
        self._pending.insert(0, plan.volume(self._number, self._start))

    def _write(self, piece: bytes) -> None:
        try:
            write_whole(self._file, piece)
        except OSError as error:
            self._sure = self._sure and error.errno in _FULL
            raise
        if self._whole < _HEAD:
            self._head = (self._head[: self._whole] + piece)[:_HEAD]
        self._whole += len(piece)

    def _check_place(self) -> None:
        """A file that was deleted, or whose disk was unmounted, would take everything and give nothing back."""
        there, here = os.stat(self._path), os.fstat(self._file)
        if not _same(there, here):
            raise OSError(errno.ESTALE, "Stale file handle")

    def _reopen(self) -> None:
        file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            found = os.fstat(file)
            known = min(self._safe, len(self._head))
            if not stat.S_ISREG(found.st_mode) or os.pread(file, known, 0) != self._head[:known]:
                raise OSError(errno.ESTALE, "Stale file handle")
            if found.st_size < self._whole or not _same(found, os.fstat(self._file)):
                self._sure = False
            if found.st_size < self._safe:
                self.lost += self._safe - found.st_size
                self._safe = found.st_size
            os.lseek(file, self._safe, os.SEEK_SET)
        except BaseException:
            os.close(file)
            raise
        os.close(self._file)
        self._file = file
        _lock(file)


def _create(path: Path) -> int:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    try:
        # who would repair or export it meanwhile is told (volumes.is_being_written); a disk without locks is none less
        _lock(file)
        sync_folder(path.parent)
    except OSError:
        # nobody has the file: the next try makes it anew
        os.close(file)
        path.unlink(missing_ok=True)
        raise
    return file


def _lock(file: int) -> None:
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
