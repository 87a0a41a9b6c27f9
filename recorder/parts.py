"""The files beside a journal: sealed with the recording's key where it has one, ordinary files where not.

A file appears whole or not at all: it is written under its name with `.part` behind it.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from .seal.file import SealedReader, SealedWriter
from .seal.keys import DataKey

#: Begins a sealed file.
Sealed = Callable[[Path, DataKey, str], io.RawIOBase]


def create_part(path: Path, key: DataKey | None, sealed: Sealed = SealedWriter) -> io.RawIOBase:
    """Begin a file, what a killed export left of it first removed; close it, then `finish_part`. Raises OSError.

    With a key `sealed` makes it.
    """
    unfinished = _unfinished(path)
    unfinished.unlink(missing_ok=True)
    return sealed(unfinished, key, path.name) if key is not None else unfinished.open("xb", buffering=0)


def finish_part(path: Path) -> None:
    """Give a file that was written and closed its name, once it is on the disk: a power cut leaves no empty one."""
    unfinished = _unfinished(path)
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)


def drop_part(path: Path) -> None:
    """Remove a file that was begun."""
    _unfinished(path).unlink(missing_ok=True)


@contextlib.contextmanager
def written_part(path: Path, key: DataKey | None) -> Iterator[io.RawIOBase]:
    """Write a file; it is there when the context ends in peace, else nothing is. Raises OSError."""
    try:
        with create_part(path, key) as file:
            yield file
    except BaseException:
        drop_part(path)
        raise
    finish_part(path)


def open_part(path: Path, key: DataKey | None, *, unfinished: bool = False) -> io.RawIOBase:
    """Open a file for reading at any place. Raises OSError, SealError."""
    there = _unfinished(path) if unfinished else path
    return SealedReader(there, key, path.name) if key is not None else there.open("rb", buffering=0)


def write_part(path: Path, data: bytes, key: DataKey | None) -> None:
    """Write a small file. Raises OSError."""
    with create_part(path, key) as file:
        file.write(data)
    finish_part(path)


def read_part(path: Path, key: DataKey | None, most: int) -> bytes:
    """Read a file of which at most so many bytes are believed. Raises OSError, SealError."""
    with io.BufferedReader(open_part(path, key)) as file:
        return file.read(most)


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + ".part")
