"""What may be told of a file that was not taken, so that somebody can decide about it: what it is, never whose."""

from __future__ import annotations

import re
from typing import Any, BinaryIO, Final, cast

from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.uid import UID

from .reading import (
    ELEMENTS_LIMIT,
    FAILURES,
    HEADER_LIMIT,
    PIXEL_TAGS,
    UNDEFINED,
    Bounded,
    number,
    quietly,
    text,
)

#: What a file begins with that is something else, by a word for pages.
_BEGINNINGS: Final = (
    (b"%PDF", "pdf"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG", "png"),
    (b"PK\x03\x04", "zip"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"GIF8", "gif"),
)
#: Where groups of attributes end that tell what an image is; what stands behind is not read.
_ENOUGH: Final = 0x00290000
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")


def look(source: BinaryIO) -> dict[str, Any]:
    """Tell of a file: `file` (dicom, pdf, jpeg, …, text, unknown), and of a DICOM file what it claims to be.

    `modality`, `object` and `syntax` are words of the standard, `rows`, `columns` and `frames` numbers; no other value
    of the file is told. What cannot be read is left out.
    """
    kind = _kind(source)
    if kind != "dicom":
        return {"file": kind}
    try:
        return {"file": kind, **_described(quietly(_read, Bounded(source)))}
    except FAILURES:
        return {"file": kind}


def _kind(source: BinaryIO) -> str:
    start = source.read(132)
    if start[128:132] == b"DICM":
        return "dicom"
    for beginning, word in _BEGINNINGS:
        if start.startswith(beginning):
            return word
    # without a preamble: an element of the groups that come first
    if start[:4] in (b"\x08\0\x05\0", b"\x08\0\x08\0", b"\x08\0\x16\0", b"\x08\0\x18\0", b"\x02\0\0\0"):
        return "dicom"
    printable = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in start)
    return "text" if start and printable == len(start) else "unknown"


def _read(source: Bounded) -> Dataset:
    counted = 0

    def stop(tag: int, vr: str | None, length: int) -> bool:
        nonlocal counted
        counted += 1
        beyond = length != UNDEFINED and source.tell() + length > source.size
        return (
            beyond
            or tag >= _ENOUGH
            or tag in PIXEL_TAGS
            or counted > ELEMENTS_LIMIT
            or source.tell() > HEADER_LIMIT
        )

    return read_partial(cast(BinaryIO, source), stop, force=True)


def _described(dataset: Dataset) -> dict[str, Any]:
    told: dict[str, Any] = {}
    modality = text(dataset, "Modality", 16)
    if _CODE.fullmatch(modality):
        told["modality"] = modality
    for name, uid in (
        ("object", text(dataset, "SOPClassUID", 65)),
        ("syntax", text(getattr(dataset, "file_meta", Dataset()), "TransferSyntaxUID", 65)),
    ):
        # only what the standard has a name for: another UID could be anybody's
        known = UID(uid).name if uid else ""
        if known and known != uid:
            told[name] = known
    for name, keyword in (("rows", "Rows"), ("columns", "Columns"), ("frames", "NumberOfFrames")):
        value = number(dataset, keyword)
        if 0 < value < 1 << 31:
            told[name] = value
    return told
