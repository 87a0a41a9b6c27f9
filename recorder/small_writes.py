"""Writing to a disk beside live pictures: in small pieces, so that no thread waits behind a large one.

A kernel built without preemption (Debian's and most clouds': PREEMPT_NONE or its like) leaves a core to another
thread only between two system calls. While it copies a block of some MB into new pages, ten milliseconds, the plane's
real-time thread waits if it is on that core: that is what a recording once added to the transit.
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
