"""A journal's file where the disk refuses: real disks that are full, gone, swapped; nothing is lost that was given."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.appending import AppendedFile
from recorder.writer import DiskWriter
from tests.helpers.disks import SmallDisk, small_disk

PATIENCE = 20.0
PIECE = bytes(range(256)) * 1024  # 256 KiB


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path, 4) as mounted:
        yield mounted


class Watched:
    """A writer, and the troubles that it told, each with what the file held then."""

    def __init__(self, path: Path, sync: object = os.fdatasync, **options: float) -> None:
        self._changed = threading.Condition()
        self.troubles: list[str | None] = []
        self._path = path
        self.writer = DiskWriter(path, self._look, sync=sync, retry_interval=0.02, **options)  # type: ignore[arg-type]

    def _look(self) -> None:
        trouble = self.writer.trouble
        cause = None if trouble is None else trouble.cause
        with self._changed:
            if not self.troubles or self.troubles[-1] != cause:
                self.troubles.append(cause)
            self._changed.notify_all()

    def until(self, cause: str | None) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.troubles[-1:] == [cause], PATIENCE), self.troubles

    def written(self, size: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.writer.taken >= size, PATIENCE), self.writer.taken

    def finish(self) -> None:
        self.writer.close()
        assert self.writer.join(PATIENCE)


def test_a_disk_that_fills_and_is_emptied_loses_nothing(disk: SmallDisk) -> None:
    path = disk.folder / "journal.kjr"
    watched = Watched(path)
    watched.writer.write(PIECE)
    watched.written(len(PIECE))
    disk.fill()
    for _ in range(4):
        watched.writer.write(PIECE)
    watched.until("full")
    # what is there is whole: a kill now leaves no torn piece
    assert path.stat().st_size % len(PIECE) == 0
    disk.empty()
    watched.until(None)
    watched.finish()
    assert path.read_bytes() == PIECE * 5
    assert watched.writer.failure is None
    assert watched.writer.synced == 5 * len(PIECE)


def test_a_disk_that_is_taken_away_and_comes_back_loses_nothing(disk: SmallDisk) -> None:
    path = disk.folder / "journal.kjr"
    watched = Watched(path)
    watched.writer.write(PIECE)
    watched.written(len(PIECE))
    disk.take_away()
    watched.writer.write(PIECE)  # the kernel takes it, and nobody would ever see it again
    watched.until("gone")
    assert not path.exists()
    watched.writer.write(PIECE)
    disk.bring_back()
    watched.until(None)
    watched.finish()
    assert path.read_bytes() == PIECE * 3


def test_a_folder_that_is_moved_away_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "recording"
    folder.mkdir()
    watched = Watched(folder / "journal.kjr")
    watched.writer.write(PIECE)
    folder.rename(tmp_path / "elsewhere")
    watched.until("gone")
    # another file under this name is not ours, and is left alone
    folder.mkdir()
    (folder / "journal.kjr").write_bytes(b"x" * 1_000_000)
    watched.writer.write(PIECE)
    watched.until("gone")
    shutil.rmtree(folder)
    (tmp_path / "elsewhere").rename(folder)
    watched.until(None)
    watched.finish()
    assert (folder / "journal.kjr").read_bytes() == PIECE * 2


def test_a_recording_that_ends_on_a_full_disk_ends_whole_and_says_why(disk: SmallDisk) -> None:
    path = disk.folder / "journal.kjr"
    watched = Watched(path, closing_patience=0.1)
    watched.writer.write(PIECE)
    watched.written(len(PIECE))
    disk.fill()
    watched.writer.write(PIECE)
    watched.until("full")
    watched.finish()
    assert watched.writer.failure == "The disk for recordings is full."
    assert path.read_bytes() == PIECE


def test_after_an_error_of_the_disk_what_was_not_sure_is_written_again(tmp_path: Path) -> None:
    """What the kernel had taken is gone from its memory when the disk reports an error: the file loses it here."""
    path = tmp_path / "journal.kjr"
    syncs = 0

    def sync(file: int) -> None:
        nonlocal syncs
        syncs += 1
        if syncs == 2:
            os.ftruncate(file, len(PIECE) + 1000)
            raise OSError(errno.EIO, "Input/output error")
        os.fdatasync(file)

    file = AppendedFile(path, sync)
    file.append(PIECE)
    file.sync()
    assert file.synced == len(PIECE)
    file.append(b"one" * 1000)
    file.append(b"two" * 1000)
    with pytest.raises(OSError, match="Input/output"):
        file.sync()
    file.recover()
    file.append(b"three")
    file.sync()
    file.close()
    assert path.read_bytes() == PIECE + b"one" * 1000 + b"two" * 1000 + b"three"


def test_a_disk_that_lost_what_it_said_it_had_goes_on_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal.kjr"
    file = AppendedFile(path)
    file.append(PIECE)
    file.sync()
    shutil.copy(path, tmp_path / "old")
    file.append(b"more")
    path.unlink()
    with pytest.raises(OSError):
        file.sync()
    with pytest.raises(FileNotFoundError):
        file.recover()
    (tmp_path / "old").rename(path)
    os.truncate(path, len(PIECE) - 10)
    file.recover()
    assert file.lost == 10
    file.close()
    assert path.read_bytes() == PIECE[:-10] + b"more"


def test_a_refused_piece_is_written_once_however_often_it_is_tried(tmp_path: Path) -> None:
    path = tmp_path / "journal.kjr"
    file = AppendedFile(path)
    file.append(b"a" * 5000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, before[1]))
    try:
        for attempt in range(4):
            with pytest.raises(OSError) as refused:
                file.recover() if attempt else file.append(b"b" * 5000)
            assert refused.value.errno == errno.EFBIG
            file.cut()
            assert path.read_bytes() == b"a" * 5000
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    file.recover()
    file.append(b"c")
    file.close()
    assert path.read_bytes() == b"a" * 5000 + b"b" * 5000 + b"c"
