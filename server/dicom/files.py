"""Pieces of files, read in a thread of their own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def read_at(path: Path, offset: int, size: int) -> bytes:
    """Read `size` bytes from `offset`."""
    with path.open("rb") as file:
        return os.pread(file.fileno(), size, offset)


def slice_of(path: Path, pieces: Sequence[tuple[int, int]], start: int, size: int) -> bytes:
    """Read of a stream that lies in a file in pieces (offset, length), `size` bytes at most from `start`."""
    found: list[bytes] = []
    with path.open("rb") as file:
        for offset, length in pieces:
            if size > 0 and start < length:
                taken = min(size, length - start)
                found.append(os.pread(file.fileno(), taken, offset + start))
                size -= taken
                start = 0
            else:
                start -= min(start, length)
    return b"".join(found)
