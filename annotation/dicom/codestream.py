"""Comments out of compressed pictures: what encoders, cameras and people write beside the pixels, names among it.

JPEG, JPEG-LS (ITU-T T.81, B.2; T.87, C.1): segments of comments and of applications go, except the few that say how
colours are coded. JPEG 2000 (T.800, A.2): comments of the main header go, and the boxes of a JP2 file round the stream.
No pixel changes.
"""

from __future__ import annotations

import re
from typing import Final

_START, _END, _SCAN, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_APPLICATIONS: Final = range(0xE0, 0xF0)
#: What a decoder needs: JFIF, JPEG-LS's colour transformation, Adobe's.
_NEEDED: Final = ((0xE0, b"JFIF\0"), (0xE8, b"mrfx"), (0xEE, b"Adobe"))
#: Where coded data end: a marker that is neither stuffing nor a restart; in JPEG-LS stuffed bytes are below 0x80.
_MARKER: Final = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")

_STREAM, _TILE, _REMARK = b"\xff\x4f", b"\xff\x90", b"\xff\x64"
_BOXES: Final = b"\0\0\0\x0cjP  "
#: Boxes of one file: a few.
_BOXES_LIMIT: Final = 1_000


class CodestreamError(ValueError):
    """The stream is broken, or none that is known. The text is a sentence."""


def without_comments(stream: bytes) -> bytes:
    """Give a frame's stream without comments. Raise CodestreamError if it cannot be gone through."""
    if stream[:2] == bytes((0xFF, _START)):
        return _jpeg(stream)
    if stream.startswith(_BOXES):
        stream = _unboxed(stream)
    if stream.startswith(_STREAM):
        return _jpeg_2000(stream)
    raise CodestreamError("The frame begins like no stream that is known.")


def _jpeg(stream: bytes) -> bytes:
    kept, at = [stream[:2]], 2
    while True:
        marker, at = _next_marker(stream, at)
        if marker == _END:
            kept.append(bytes((0xFF, _END)))
            return b"".join(kept)
        end = at + _length(stream, at)
        if marker == _SCAN:
            found = _MARKER.search(stream, end)
            if found is None:
                # cut off: decoders show what there is
                kept.append(bytes((0xFF, marker)) + stream[at:])
                return b"".join(kept)
            end = found.start()
        if not _is_remark(marker, stream[at + 2 : end]):
            kept.append(bytes((0xFF, marker)) + stream[at:end])
        at = end


def _next_marker(stream: bytes, at: int) -> tuple[int, int]:
    """Read a marker, which fill bytes may precede; gives it and where its segment begins."""
    if at >= len(stream) or stream[at] != 0xFF:
        raise CodestreamError("The stream has no marker where one has to be.")
    while at < len(stream) and stream[at] == 0xFF:
        at += 1
    if at >= len(stream) or stream[at] < 0xC0 or 0xD0 <= stream[at] <= _START:
        raise CodestreamError("The stream has a marker that has no place there.")
    return stream[at], at + 1


def _length(stream: bytes, at: int) -> int:
    length = int.from_bytes(stream[at : at + 2], "big")
    if length < 2 or at + length > len(stream):
        raise CodestreamError("A segment of the stream is longer than the stream.")
    return length


def _is_remark(marker: int, body: bytes) -> bool:
    if marker == _COMMENT:
        return True
    return marker in _APPLICATIONS and not any(
        marker == needed and body.startswith(begin) for needed, begin in _NEEDED
    )


def _jpeg_2000(stream: bytes) -> bytes:
    kept, at = [_STREAM], 2
    while stream[at : at + 2] != _TILE:
        marker = stream[at : at + 2]
        if len(marker) < 2 or marker[0] != 0xFF:
            raise CodestreamError("The stream has no marker where one has to be.")
        end = at + 2 + _length(stream, at + 2)
        if marker != _REMARK:
            kept.append(stream[at:end])
        at = end
    return b"".join((*kept, stream[at:]))


def _unboxed(stream: bytes) -> bytes:
    """Take the stream out of a JP2 file (T.800, I.4): DICOM has it bare."""
    at = 0
    for _ in range(_BOXES_LIMIT):
        head = stream[at : at + 8]
        length = int.from_bytes(head[:4], "big") if len(head) == 8 else 1
        end = len(stream) if length == 0 else at + length
        if head[4:] == b"jp2c" and at + 8 <= end <= len(stream):
            return stream[at + 8 : end]
        if length < 8 or end > len(stream):
            break
        at = end
    raise CodestreamError("The file holds no stream of JPEG 2000.")
