"""No call to the kernel is so large that the plane's thread waits behind it; what is written is whole all the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recorder.appending import AppendedFile
from recorder.seal.file import SealedReader, SealedWriter
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4
from recorder.small_writes import PIECE, write_file, write_whole

DATA = os.urandom(5 * PIECE + 7)


class Writes:
    """What the kernel is asked to write; it takes `most` bytes at a time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int = 1 << 30) -> None:
        self.sizes: list[int] = []
        self._write, self._most = os.write, most
        monkeypatch.setattr(os, "write", self)

    def __call__(self, file: int, data: memoryview) -> int:
        self.sizes.append(len(data))
        return self._write(file, data[: self._most])


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Writes:
    return Writes(monkeypatch)


def test_a_block_of_a_journal_goes_in_pieces(tmp_path: Path, writes: Writes) -> None:
    path = tmp_path / "journal.kjr"
    file = AppendedFile(path)
    file.append(DATA)
    file.append(b"more")
    file.close()
    assert path.read_bytes() == DATA + b"more"
    assert writes.sizes == [PIECE] * 5 + [7, 4]


def test_the_chunks_of_a_sealed_file_go_in_pieces(tmp_path: Path, writes: Writes) -> None:
    path, key = tmp_path / "film", DataKey.random(SM4)
    plain = DATA * 10  # four chunks
    with SealedWriter(path, key, "film") as sealed:
        sealed.write(plain)
    with SealedReader(path, key, "film") as opened:
        assert opened.read() == plain
    assert max(writes.sizes) == PIECE
    assert sum(writes.sizes) > len(plain)


def test_a_disk_that_takes_less_gets_the_rest_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = Writes(monkeypatch, PIECE // 2 + 1)
    path = tmp_path / "file"
    path.write_bytes(DATA * 2)
    write_file(path, DATA)
    assert path.read_bytes() == DATA
    assert len(writes.sizes) == 10


def test_nothing_is_written_by_no_call(tmp_path: Path, writes: Writes) -> None:
    with (tmp_path / "file").open("wb") as file:
        write_whole(file.fileno(), b"")
    assert writes.sizes == []
