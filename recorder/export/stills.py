"""Frozen frames: the PNG file of each that the log announces, put together from its parts and held against its hash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from annotation.still import parse_still
from annotation.values import AnnotationError

from ..journal import JsonObject
from ..parts import write_part
from ..seal.digest import sm3
from ..seal.keys import DataKey
from ..stills import FrameName
from .index import JournalIndex, StillPiece

#: Reads so many bytes of the journal from a place on.
Read = Callable[[int, int], bytes]

_PNG = b"\x89PNG\r\n\x1a\n"


def write_stills(folder: Path, index: JournalIndex, read: Read, key: DataKey | None) -> list[JsonObject]:
    """Write every file that is whole, `<producer>-<rtp_timestamp>.png`, and list them. Raises OSError.

    Only what the log announced is written, under the hash that it announced: everything else is left out.
    """
    written = []
    for name, digest in sorted(_announced(index).items()):
        png = _whole(index.stills.get(name, []), digest, read)
        if png is None:
            continue
        path = folder / f"{name[0]}-{name[1]}.png"
        write_part(path, png, key)
        written.append(
            {
                "producer": name[0],
                "rtp_timestamp": name[1],
                "file": path.name,
                "bytes": len(png),
                "sm3": digest.hex(),
            }
        )
    return written


def _announced(index: JournalIndex) -> dict[FrameName, bytes]:
    """Give the hash of each frame that was frozen for all, as the log says it."""
    found: dict[FrameName, bytes] = {}
    for _, notice in index.operations:
        operation = notice["operation"]
        assert isinstance(operation, dict), "the first pass has seen to it"
        if operation["kind"] != "still":
            continue
        try:
            still = parse_still(operation)
        except AnnotationError:
            continue
        found.setdefault((still.producer, still.rtp_timestamp), bytes.fromhex(still.sm3))
    return found


def _whole(pieces: list[StillPiece], digest: bytes, read: Read) -> bytes | None:
    """Put a file together; None: something of it is missing, or it is not the one that was announced."""
    mine = sorted((piece for piece in pieces if piece.digest == digest), key=lambda piece: piece.position)
    content = bytearray()
    for piece in mine:
        if piece.position != len(content) or piece.size != mine[0].size:
            return None
        content += read(piece.offset, piece.length)
    png = bytes(content)
    if not mine or len(png) != mine[0].size or not png.startswith(_PNG) or sm3(png) != digest:
        return None
    return png
