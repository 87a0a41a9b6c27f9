"""Writing to a disk beside live pictures: in small pieces, so that no thread waits behind a large one.

A kernel that is not preempted (PREEMPT_NONE) leaves a core to another thread at few places but the end of a system
call. While it copied a block of some MB into new pages, six to eleven milliseconds, the plane's real-time thread waited
if it was on that core (docs/performance.md, "Recording, sealed").
"""

from __future__ import annotations

import os
from pathlib import Path

#: Bytes of one call: some 50 µs of the kernel.
PIECE = 64 << 10


def write_whole(file: int, data: bytes) -> None:
    """Write all of it at the file's place. Raises OSError: then a part of it may be written."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest[:PIECE]) :]


def write_file(path: Path, data: bytes) -> None:
    """Write a file of any size, in place of what is there. Raises OSError."""
    with path.open("wb", buffering=0) as file:
        write_whole(file.fileno(), data)
