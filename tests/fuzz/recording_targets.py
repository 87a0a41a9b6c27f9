"""What stands in a recording: a part of a frozen frame's file."""

from __future__ import annotations

from recorder.journal import JournalError
from recorder.stills import MAX_STILL, StillPart

REFUSALS = (JournalError,)

#: The second begins so far in that its end goes beyond 32 bits.
PARTS = (
    bytes(StillPart(7, 3735928559, bytes(range(32)), 12, 4, b"\x89PNG")),
    bytes(StillPart(1, 0, bytes(32), MAX_STILL, 0xFFFFFFFF, b"x")),
)


def read_part(data: bytes) -> None:
    """Read a part: it lies within its file, whose size is allowed, and is written as it was read."""
    part = StillPart.parse(data)
    assert part.data
    assert part.position + len(part.data) <= part.size <= MAX_STILL
    assert bytes(part) == data
