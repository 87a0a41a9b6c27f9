"""The preview of one video track: a small picture of each of its frames, which a replay can show at once.

A file (`<producer>.preview`) is pieces one behind the other, then the list of them, then a trailer (FORMAT.md,
"Previews"). A piece is what a request gives, unchanged.
"""

from __future__ import annotations

import errno
import json
import os
import re
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Protocol

from .index import Readable

MAGIC = b"KPV1"
SUFFIX = ".preview"
#: Ticks a second of all times: those of the track's frame index.
TIMESCALE = 90_000

#: Frames of a piece, bytes of it with its head, and ticks from its first frame to its last.
MAX_FRAMES = 1024
MAX_PIECE = 4 << 20
MAX_TICKS = 2 * TIMESCALE
#: Pieces of a track: two seconds each are six days.
MAX_PIECES = 1 << 18
#: The longer side, in pixels.
MAX_SIDE = 4096

_MAX_LIST = 16 << 20
#: A track may not last longer, so that a page can count its ticks.
_MAX_TIME = 1 << 53
_HEAD = struct.Struct("!4sI")  # magic, frames
_FRAME = struct.Struct("!QI")  # time, bytes
_TRAILER = struct.Struct("!QI4s")  # where the list begins, its bytes, magic
_KEY = 1 << 31
_CODEC = re.compile(r"avc1\.[0-9a-f]{6}")


class PreviewError(ValueError):
    """A preview cannot be made or read; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class PreviewFrame:
    """One picture: when it is shown (ticks), and its access unit, with parameter sets where a decoder can begin."""

    time: int
    data: bytes
    key: bool


@dataclass(frozen=True, slots=True)
class PreviewFacts:
    """What holds for all pictures. `codec` is WebCodecs' word for it; empty where there is no picture."""

    codec: str
    width: int
    height: int
    timescale: int = TIMESCALE


@dataclass(frozen=True, slots=True)
class PreviewPiece:
    """Where a piece begins and ends on the track's time line (ticks), and where it stands in the file."""

    start: int
    end: int
    offset: int
    length: int


def write_piece(frames: Sequence[PreviewFrame]) -> bytes:
    """Build a piece. Raises PreviewError for frames that make none."""
    heads = b"".join(_FRAME.pack(frame.time, len(frame.data) | _KEY * frame.key) for frame in frames)
    piece = b"".join((_HEAD.pack(MAGIC, len(frames)), heads, *(frame.data for frame in frames)))
    parse_piece(piece)
    return piece


def parse_piece(data: bytes) -> list[PreviewFrame]:
    """Parse a piece. Raises PreviewError."""
    if len(data) < _HEAD.size or len(data) > MAX_PIECE:
        raise PreviewError("A piece of a preview is shorter or longer than any.")
    magic, count = _HEAD.unpack_from(data)
    begin = _HEAD.size + count * _FRAME.size
    if magic != MAGIC or not 0 < count <= MAX_FRAMES or begin > len(data):
        raise PreviewError("This is no piece of a preview.")
    frames: list[PreviewFrame] = []
    at = begin
    for time, bits in _FRAME.iter_unpack(data[_HEAD.size : begin]):
        size = bits & ~_KEY
        if size == 0 or at + size > len(data):
            raise PreviewError("A picture of the preview has no bytes, or more than there are.")
        frames.append(PreviewFrame(time, data[at : at + size], bool(bits & _KEY)))
        at += size
    if at != len(data):
        raise PreviewError("Behind the last picture of the preview stands something else.")
    _check_frames(frames)
    return frames


def _check_frames(frames: Sequence[PreviewFrame]) -> None:
    if not frames[0].key:
        raise PreviewError("No decoder can begin with the first picture of the preview.")
    if any(before.time >= after.time for before, after in pairwise(frames)):
        raise PreviewError("The times of the preview's pictures do not rise.")
    if frames[-1].time >= _MAX_TIME or frames[-1].time - frames[0].time > MAX_TICKS:
        raise PreviewError("A piece of the preview lasts longer than any.")


class Writable(Protocol):
    """A file that is written from its beginning to its end."""

    def write(self, data: bytes, /) -> int | None: ...


class PreviewWriter:
    """Writes a preview into a file that was begun; `finish`, then close the file."""

    def __init__(self, file: Writable) -> None:
        self._file = file
        self._offset = 0
        self._pieces: list[PreviewPiece] = []

    def add(self, piece: bytes, start: int, end: int) -> None:
        """Put a piece behind those before. Raises PreviewError, OSError."""
        if not start < end or (self._pieces and start < self._pieces[-1].end):
            raise PreviewError("The pieces of the preview do not follow each other.")
        self._pieces.append(PreviewPiece(start, end, self._offset, len(piece)))
        self._write(piece)

    def finish(self, facts: PreviewFacts) -> None:
        """Write what stands behind the pieces. Raises PreviewError, OSError."""
        pieces = [[piece.start, piece.end, piece.offset, piece.length] for piece in self._pieces]
        listed = json.dumps({**asdict(facts), "pieces": pieces}, separators=(",", ":")).encode()
        if len(pieces) > MAX_PIECES or len(listed) > _MAX_LIST:
            raise PreviewError("The preview has more pieces than any.")
        self._write(listed + _TRAILER.pack(self._offset, len(listed), MAGIC))

    def _write(self, data: bytes) -> None:
        if self._file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._offset += len(data)


class PreviewFile:
    """An open preview; `file` may be read at any place and belongs to it from now on.

    Raises PreviewError, and what the file raises.
    """

    def __init__(self, file: Readable) -> None:
        self._file = file
        end = file.seek(0, os.SEEK_END) - _TRAILER.size
        if end < 0:
            raise PreviewError("This is no preview: it is too short.")
        offset, length, magic = _TRAILER.unpack(self._read(end, _TRAILER.size))
        if magic != MAGIC or length > _MAX_LIST or offset + length != end:
            raise PreviewError("This is no preview: it does not end as one.")
        self.facts, self.pieces = _parse_list(self._read(offset, length), offset)

    def piece(self, number: int) -> bytes:
        """Read a piece; IndexError where there is none."""
        if not 0 <= number < len(self.pieces):
            raise IndexError(number)
        return self._read(self.pieces[number].offset, self.pieces[number].length)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _read(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        found = []
        while length > 0:
            data = self._file.read(length)
            if not data:
                raise PreviewError("The preview ends before its time.")
            found.append(data)
            length -= len(data)
        return b"".join(found)


def _parse_list(text: bytes, end: int) -> tuple[PreviewFacts, list[PreviewPiece]]:
    try:
        fields = json.loads(text)
        facts = PreviewFacts(*(fields[name] for name in ("codec", "width", "height", "timescale")))
        rows = fields["pieces"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PreviewError("The list of the preview's pieces cannot be read.") from None
    if not isinstance(rows, list) or len(rows) > MAX_PIECES:
        raise PreviewError("The list of the preview's pieces is none, or longer than any.")
    _check_facts(facts, empty=not rows)
    pieces: list[PreviewPiece] = []
    ended = at = 0
    for row in rows:
        if not isinstance(row, list) or len(row) != 4 or any(type(number) is not int for number in row):
            raise PreviewError("The list of the preview's pieces cannot be read.")
        piece = PreviewPiece(*row)
        if not ended <= piece.start < piece.end < _MAX_TIME:
            raise PreviewError("The pieces of the preview do not follow each other.")
        if piece.offset != at or not 0 < piece.length <= MAX_PIECE:
            raise PreviewError("A piece of the preview is not where it is said to be.")
        ended, at = piece.end, at + piece.length
        pieces.append(piece)
    if at != end:
        raise PreviewError("Between the preview's pieces and their list stands something else.")
    return facts, pieces


def _check_facts(facts: PreviewFacts, *, empty: bool) -> None:
    named = isinstance(facts.codec, str) and (_CODEC.fullmatch(facts.codec) or (empty and not facts.codec))
    sides = (facts.width, facts.height)
    if not named or facts.timescale != TIMESCALE:
        raise PreviewError("The preview has a codec or a clock that no preview has.")
    if any(type(side) is not int or not 0 < side <= MAX_SIDE for side in sides):
        raise PreviewError("The preview has a size that no preview has.")
