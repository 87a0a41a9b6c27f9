"""Sealed files: any place can be read, the beginning be corrected until the end, and nothing changed afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from recorder.seal.file import CHUNK, SealedReader, SealedWriter
from recorder.seal.keys import DataKey
from recorder.seal.suites import SM4, TAG_SIZE, SealError

KEY = DataKey(SM4, bytes(range(16)))
NAME = "demo/7.mp4"


def written(path: Path, data: bytes, piece: int = 300_000) -> Path:
    with SealedWriter(path, KEY, NAME) as file:
        for start in range(0, len(data), piece):
            assert file.write(data[start : start + piece]) == len(data[start : start + piece])
    return path


def read_back(path: Path, key: DataKey = KEY, name: str = NAME) -> bytes:
    with SealedReader(path, key, name) as file:
        return file.read()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7, 3_500_000])
def test_what_was_written_is_read(size: int, tmp_path: Path) -> None:
    data = Random(size).randbytes(size)
    path = written(tmp_path / "file", data)
    assert read_back(path) == data
    with SealedReader(path, KEY, NAME) as file:
        assert file.size == size
        for offset in (CHUNK - 3, 0, size // 2, max(size - 1, 0), size, size + 5):
            # no further than to the end of the chunk
            there = data[offset : min(offset + 10, (offset // CHUNK + 1) * CHUNK)]
            assert file.read_at(offset, 10) == there
            assert file.seek(offset) == file.tell() == offset
            assert file.read(10) == there
            assert file.tell() == offset + len(there)


@pytest.mark.parametrize("size", [100, CHUNK, 2 * CHUNK + 5])
def test_the_beginning_is_corrected_at_the_end(size: int, tmp_path: Path) -> None:
    data = Random(size).randbytes(size)
    with SealedWriter(tmp_path / "file", KEY, NAME) as file:
        file.write(data)
        file.seek(40)
        file.write(b"size")
        assert file.seek(0, os.SEEK_END) == size
        file.write(b"end")
    assert read_back(tmp_path / "file") == data[:40] + b"size" + data[44:] + b"end"


def test_what_is_sealed_is_not_changed(tmp_path: Path) -> None:
    with SealedWriter(tmp_path / "file", KEY, NAME) as file:
        file.write(bytes(3 * CHUNK))
        for place in (CHUNK - 1, CHUNK, 2 * CHUNK, 4 * CHUNK):
            file.seek(place)
            with pytest.raises(ValueError, match="first chunk only"):
                file.write(b"no")


def test_a_file_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    path = written(tmp_path / "file", b"precious")
    with pytest.raises(FileExistsError):
        SealedWriter(path, KEY, NAME)
    assert read_back(path) == b"precious"


def test_cut_off_anywhere_it_does_not_open(tmp_path: Path) -> None:
    path = written(tmp_path / "file", Random(1).randbytes(2 * CHUNK + 100))
    whole = path.read_bytes()
    borders = [len(whole) - 100 - TAG_SIZE - k * (CHUNK + TAG_SIZE) for k in range(3)]
    for cut in [0, 5, 20, 60, *borders, *(b + d for b in borders for d in (-17, -1, 1, 17)), len(whole) - 1]:
        path.write_bytes(whole[:cut])
        with pytest.raises(SealError):
            read_back(path)


def test_chunks_that_were_changed_swapped_or_are_another_files_are_refused(tmp_path: Path) -> None:
    data = Random(2).randbytes(3 * CHUNK + 100)
    path, other = written(tmp_path / "file", data), written(tmp_path / "other", data)
    whole, elsewhere = path.read_bytes(), other.read_bytes()
    start = len(whole) - 100 - TAG_SIZE - 3 * (CHUNK + TAG_SIZE)
    chunks = [whole[start + k * (CHUNK + TAG_SIZE) : start + (k + 1) * (CHUNK + TAG_SIZE)] for k in range(3)]
    flipped = bytearray(whole)
    flipped[start + CHUNK + TAG_SIZE + 5] ^= 1
    changed = {
        "flipped": bytes(flipped),
        "swapped": whole[:start] + chunks[1] + chunks[0] + whole[start + 2 * (CHUNK + TAG_SIZE) :],
        "dropped": whole[:start] + chunks[0] + whole[start + 2 * (CHUNK + TAG_SIZE) :],
        "another file's": whole[:start]
        + elsewhere[start : start + CHUNK + TAG_SIZE]
        + whole[start + CHUNK + TAG_SIZE :],
    }
    for content in changed.values():
        path.write_bytes(content)
        with pytest.raises(SealError):
            read_back(path)
    # what is whole can still be read, chunk by chunk
    path.write_bytes(changed["flipped"])
    with SealedReader(path, KEY, NAME) as file:
        assert file.read_at(0, CHUNK) == data[:CHUNK]
        assert file.read_at(2 * CHUNK, CHUNK) == data[2 * CHUNK : 3 * CHUNK]
        with pytest.raises(SealError):
            file.read_at(CHUNK, 1)


def test_a_file_under_another_name_or_key_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "file", b"x")
    with pytest.raises(SealError, match="another one"):
        read_back(path, name="demo/8.mp4")
    with pytest.raises(SealError):
        read_back(path, key=DataKey(SM4, bytes(16)))
    assert b"demo/8.mp4" not in path.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"KONSILSF",
        b"KONSILSF\x00\x02" + bytes(40),
        b"KONSILSF\x00\x01\xff\xff\xff\xff" + bytes(40),
        b"KONSILSF\x00\x01\x00\x00\x00\x02[]" + bytes(40),
        b'KONSILSF\x00\x01\x00\x00\x00\x0c{"salt":"x"}' + bytes(40),
        bytes(100),
    ],
)
def test_what_is_no_sealed_file_is_one_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(SealError):
        read_back(path)
