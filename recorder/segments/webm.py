"""WebM (Matroska, RFC 9559) for VP8: the head of a track, and clusters of it. Times are milliseconds."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

_EBML, _SEGMENT, _INFO, _TRACKS, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
_ENTRY, _VIDEO = 0xAE, 0xE0
_TIMESTAMP, _GROUP, _BLOCK, _DURATION, _REFERENCE = 0xE7, 0xA0, 0xA1, 0x9B, 0xFB
#: The length of what is not known yet how long it is (RFC 8794, section 6.2).
_UNKNOWN = b"\x01\xff\xff\xff\xff\xff\xff\xff"
#: Nanoseconds that a unit of time lasts.
_MILLISECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Block:
    """One picture; milliseconds of the track."""

    data: bytes
    time: int
    duration: int
    key: bool


def write_init(width: int, height: int) -> bytes:
    """Build what stands before the clusters of a VP8 track."""
    head = b"".join(
        (
            _number(0x4286, 1), _number(0x42F7, 1), _number(0x42F2, 4), _number(0x42F3, 8),
            _element(0x4282, b"webm"), _number(0x4287, 2), _number(0x4285, 2),
        )
    )  # fmt: skip
    info = _number(0x2AD7B1, _MILLISECOND) + _element(0x4D80, b"Konsil") + _element(0x5741, b"Konsil")
    picture = _element(_VIDEO, _number(0xB0, width) + _number(0xBA, height))
    entry = b"".join(
        (
            _number(0xD7, 1), _number(0x73C5, 1), _number(0x83, 1), _number(0x9C, 0),
            _element(0x86, b"V_VP8"), picture,
        )
    )  # fmt: skip
    opened = _SEGMENT.to_bytes(4, "big") + _UNKNOWN
    return _element(_EBML, head) + opened + _element(_INFO, info) + _element(_TRACKS, _element(_ENTRY, entry))


def write_cluster(blocks: Sequence[Block]) -> bytes:
    """Build a cluster, its pictures with their durations, so that a player waits for none to know the last one's."""
    start = blocks[0].time
    content = [_number(_TIMESTAMP, start)]
    for block in blocks:
        group = _element(_BLOCK, b"\x81" + struct.pack("!hB", block.time - start, 0) + block.data)
        group += _number(_DURATION, block.duration)
        if not block.key:
            group += _element(_REFERENCE, b"\xff")  # the picture before it; nobody reads which
        content.append(_element(_GROUP, group))
    return _element(_CLUSTER, *content)


def _element(identifier: int, *content: bytes) -> bytes:
    size = sum(map(len, content))
    length = 1
    while size >= (1 << 7 * length) - 1:  # all ones means unknown
        length += 1
    name = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return b"".join((name, (size | 1 << 7 * length).to_bytes(length, "big"), *content))


def _number(identifier: int, value: int) -> bytes:
    return _element(identifier, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))
