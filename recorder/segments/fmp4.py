"""Fragmented MP4 (ISO/IEC 14496-12): the head of a track, and fragments of it that stand for themselves.

One track a file. Times are exact: a sample lasts until the next one begins, and where pictures are decoded in
another order than they are shown, an edit list takes the head start away again (section 8.6.6), as FFmpeg and
browsers expect it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

#: A sample that depends on no other, and one that does (section 8.8.3.1).
_SYNC, _NOT_SYNC = 0x0200_0000, 0x0101_0000
_MATRIX = struct.pack("!9I", 0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000)

_BASE_IS_MOOF = 0x02_0000
_DATA_OFFSET, _DURATION, _SIZE, _FLAGS, _COMPOSITION = 0x001, 0x100, 0x200, 0x400, 0x800


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame as it stands in a fragment; ticks of the track."""

    data: bytes
    duration: int
    composition: int
    key: bool


def write_init(entry: bytes, timescale: int, shift: int, size: tuple[int, int] | None) -> bytes:
    """Build `ftyp` and `moov` around a sample entry; `size` is how large pictures are shown, None: sound.

    Where pictures change their size on the way it is (0, 0): else Chromium shows all in the shape of the first.
    """
    sound = size is None
    width, height = size or (0, 0)
    brands = b"iso6" + struct.pack("!I", 0) + b"iso6cmfcmp41"
    movie = struct.pack("!IIIIIH10x", 0, 0, timescale, 0, 0x1_0000, 0x100) + _MATRIX + bytes(24)
    track = struct.pack("!IIIII8xHHH2x", 0, 0, 1, 0, 0, 0, 0, 0x100 * sound) + _MATRIX
    track += struct.pack("!II", width << 16, height << 16)
    handler = b"soun" if sound else b"vide"
    media = _box(
        b"mdia",
        _full(b"mdhd", 0, 0, struct.pack("!IIIIHH", 0, 0, timescale, 0, 0x55C4, 0)),  # language: undetermined
        _full(b"hdlr", 0, 0, bytes(4) + handler + bytes(12) + b"\0"),
        _box(
            b"minf",
            _full(b"smhd", 0, 0, bytes(4)) if sound else _full(b"vmhd", 0, 1, bytes(8)),
            _box(b"dinf", _full(b"dref", 0, 0, struct.pack("!I", 1), _full(b"url ", 0, 1))),
            _box(
                b"stbl",
                _full(b"stsd", 0, 0, struct.pack("!I", 1), entry),
                _full(b"stts", 0, 0, bytes(4)),
                _full(b"stsc", 0, 0, bytes(4)),
                _full(b"stsz", 0, 0, bytes(8)),
                _full(b"stco", 0, 0, bytes(4)),
            ),
        ),
    )
    edits = [_box(b"edts", _full(b"elst", 0, 0, struct.pack("!IIiHH", 1, 0, shift, 1, 0)))] if shift else []
    return _box(b"ftyp", brands) + _box(
        b"moov",
        _full(b"mvhd", 0, 0, movie, struct.pack("!I", 2)),
        _box(b"trak", _full(b"tkhd", 0, 3, track), *edits, media),
        _box(b"mvex", _full(b"trex", 0, 0, struct.pack("!IIIII", 1, 1, 0, 0, 0))),
    )


def write_fragment(number: int, start: int, samples: Sequence[Sample]) -> bytes:
    """Build `moof` and `mdat` of the fragment with this number (from 0), decoded from `start` on (ticks)."""
    composed = any(sample.composition for sample in samples)
    flags = _DATA_OFFSET | _DURATION | _SIZE | _FLAGS | _COMPOSITION * composed
    rows = []
    for sample in samples:
        row = (sample.duration, len(sample.data), _SYNC if sample.key else _NOT_SYNC)
        rows.append(struct.pack("!IIII", *row, sample.composition) if composed else struct.pack("!III", *row))
    table = b"".join(rows)
    # mfhd 16; tfhd 16, tfdt 20, trun 20 and the table, within traf 8, within moof 8; then the head of mdat
    size = 8 + 16 + 8 + 16 + 20 + 20 + len(table)
    run = struct.pack("!II", len(samples), size + 8) + table
    moof = _box(
        b"moof",
        _full(b"mfhd", 0, 0, struct.pack("!I", number + 1 & 0xFFFF_FFFF)),
        _box(
            b"traf",
            _full(b"tfhd", 0, _BASE_IS_MOOF, struct.pack("!I", 1)),
            _full(b"tfdt", 1, 0, struct.pack("!Q", start)),
            _full(b"trun", 0, flags, run),
        ),
    )
    assert len(moof) == size
    return moof + _box(b"mdat", *(sample.data for sample in samples))


def _box(kind: bytes, *content: bytes) -> bytes:
    return b"".join((struct.pack("!I4s", 8 + sum(map(len, content)), kind), *content))


def _full(kind: bytes, version: int, flags: int, *content: bytes) -> bytes:
    return _box(kind, struct.pack("!I", version << 24 | flags), *content)
