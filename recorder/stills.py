"""Frozen frames in the journal: a PNG file in parts, each a record of its own (FORMAT.md, record 8).

A record has a limit and the disk its pace; a frame of 4K has 20 MB. So a file is cut up, and its parts are written one
by one between what is live, which never waits for them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .journal import JournalError
from .seal.digest import SM3_SIZE

#: The longest file that is kept: more than a frame of 4K can have (3840 × 2160 × 3 bytes).
MAX_STILL = 32 << 20
#: What a recording's frozen frames have at most together.
MAX_STILLS = 1 << 30
#: Bytes of a file in one part.
PART_SIZE = 1 << 20
#: A part is taken only while less than this waits for the disk: packets come first. It is more than a block,
#: so that what is taken is written and the next can be.
STILL_BACKLOG = 8 << 20
#: Parts at once: the live room waits for whoever copies them, some milliseconds.
PARTS_AT_ONCE = 2

_PART = struct.Struct(
    f"!II{SM3_SIZE}sII"
)  # producer, RTP timestamp, hash and size of the whole file, where this begins

#: What stands before a part's bytes.
PART_HEADER_SIZE = _PART.size

#: Producer and RTP timestamp: the name of a frame.
FrameName = tuple[int, int]


@dataclass(frozen=True, slots=True)
class StillPart:
    """A piece of one PNG file. `digest` (SM3) and `size` are of the whole, `position` is the piece's place in it."""

    producer: int
    rtp_timestamp: int
    digest: bytes
    size: int
    position: int
    data: bytes

    def __bytes__(self) -> bytes:
        head = _PART.pack(self.producer, self.rtp_timestamp, self.digest, self.size, self.position)
        return head + self.data

    @classmethod
    def parse(cls, data: bytes) -> StillPart:
        """Parse a STILL record's payload. Raises JournalError."""
        if len(data) <= _PART.size:
            raise JournalError(f"A part of a still has more than {_PART.size} bytes, not {len(data)}.")
        producer, rtp_timestamp, digest, size, position = _PART.unpack_from(data)
        if not 0 < size <= MAX_STILL:
            raise JournalError(f"A still claims {size} bytes, above {MAX_STILL} or none.")
        content = data[_PART.size :]
        if position + len(content) > size:
            raise JournalError(
                f"A part of a still reaches to {position + len(content)}, beyond its {size} bytes."
            )
        return cls(producer, rtp_timestamp, digest, size, position, content)


class StillQueue:
    """What of the frozen frames waits to be written: one file at a time, and each frame once."""

    def __init__(self) -> None:
        #: Bytes that were taken so far, of all files.
        self.taken = 0
        self._name: FrameName = (0, 0)
        self._digest = b""
        self._png = b""
        self._position = 0
        self._known: set[FrameName] = set()

    @property
    def is_idle(self) -> bool:
        """Whether the next file may come."""
        return self._position == len(self._png)

    def receive(self, name: FrameName, digest: bytes, png: bytes) -> bool:
        """Take a file and its SM3; False: it is too large, or there are too many. Misuse (not idle) is a ValueError."""
        if not self.is_idle:
            raise ValueError("The still before this one is not written yet.")
        if name in self._known:
            return True
        if not 0 < len(png) <= MAX_STILL or self.taken + len(png) > MAX_STILLS:
            return False
        self._known.add(name)
        self.taken += len(png)
        self._name, self._digest, self._png, self._position = name, digest, png, 0
        return True

    def next_part(self) -> StillPart | None:
        """Give the next part that is to be written."""
        if self.is_idle:
            return None
        start, size = self._position, len(self._png)
        end = min(start + PART_SIZE, size)
        part = StillPart(*self._name, self._digest, size, start, self._png[start:end])
        if end < size:
            self._position = end
        else:
            self._png, self._position = b"", 0
        return part
