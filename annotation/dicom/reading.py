"""Read a DICOM file within bounds: what it is, and its attributes without the pixels.

pydicom reads tolerantly and trusts every length. Here each length is held against the file's own, deflated files are
inflated up to a bound, elements are counted, and every failure is one DicomError with a sentence that quotes nothing of
the file.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, ParamSpec, TypeVar, cast

from pydicom import config
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_partial
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from .errors import DicomError

#: Elements of one data set at its top level; enhanced multi-frame objects have about a hundred.
ELEMENTS_LIMIT: Final = 20_000
#: Bytes before the pixels: functional groups of 2,000 frames take 8 MB, a long ECG 30.
HEADER_LIMIT: Final = 128 << 20
#: What a deflated file may become: this many times its size and 1 MiB, and never above the first.
INFLATED_LIMIT: Final = 512 << 20
INFLATED_RATIO: Final = 64

UNDEFINED: Final = 0xFFFFFFFF
PIXEL_TAGS: Final = (0x7FE00008, 0x7FE00009, 0x7FE00010)

# wrong values are kept as they are: what is sent to pages is checked where it is written
config.settings.reading_validation_mode = config.IGNORE

#: What pydicom raises when it meets what it did not expect.
FAILURES: Final = (
    *(ValueError, TypeError, AttributeError, KeyError, IndexError, NotImplementedError, ArithmeticError),
    *(EOFError, OSError, struct.error, RecursionError, MemoryError, UnicodeError, zlib.error, AssertionError),
    *(LookupError, RuntimeError, BytesLengthException, InvalidDicomError),
)  # fmt: skip


P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Parsed:
    """A data set up to its pixels, and where these lie."""

    dataset: FileDataset
    #: as bytes that can be read; differs from what came if that was deflated
    source: BinaryIO
    transfer_syntax: str
    #: the value of the pixel element begins here; 0: there is none
    pixel_offset: int = 0
    #: its length, UNDEFINED if it is encapsulated
    pixel_length: int = 0
    pixel_tag: int = 0

    @property
    def inflated(self) -> bytes | None:
        """The file's new bytes, if it was deflated."""
        return self.source.getvalue() if isinstance(self.source, io.BytesIO) else None


class Bounded(io.RawIOBase):
    """A file whose reads never ask for more than there is: a length that lies costs no memory."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        source.seek(0, io.SEEK_END)
        self.size = source.tell()
        source.seek(0)

    def read(self, size: int = -1) -> bytes:
        """Read."""
        left = max(0, self.size - self._source.tell())
        return self._source.read(left if size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek."""
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        """Tell."""
        return self._source.tell()

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True


def quietly(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Have pydicom do something without its warnings, which quote values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return work(*arguments, **named)


def parse(source: BinaryIO) -> Parsed:
    """Read a file's attributes up to its pixels. Raise DicomError."""
    try:
        return quietly(_parse, source)
    except DicomError:
        source.seek(128)
        if source.read(4) != b"DICM" and not _begins_as_data_set(source):
            raise DicomError("not_dicom", "This is no DICOM file.") from None
        raise
    except FAILURES as error:
        raise DicomError(
            "broken", f"The file breaks the rules of DICOM ({type(error).__name__} while it was read)."
        ) from None


def _begins_as_data_set(source: BinaryIO) -> bool:
    """Tell whether a file without a preamble begins with an element of a group that comes first."""
    source.seek(0)
    return source.read(2) in (b"\x02\0", b"\x08\0", b"\0\x08", b"\0\0")


def _parse(source: BinaryIO) -> Parsed:
    bounded = Bounded(source)
    if bounded.size < 16:
        raise DicomError("not_dicom", "The file is too short to be DICOM.", "too_short")
    syntax = _syntax(bounded)
    if syntax == DeflatedExplicitVRLittleEndian:
        source = io.BytesIO(_inflate(bounded))
        bounded = Bounded(source)
    bounded.seek(0)
    counted = 0
    found: list[tuple[int, str | None, int]] = []

    def stop(tag: int, vr: str | None, length: int) -> bool:
        nonlocal counted
        counted += 1
        if counted > ELEMENTS_LIMIT:
            raise DicomError(
                "too_large", f"The file has more than {ELEMENTS_LIMIT:,} attributes.", "too_many_attributes"
            )
        if bounded.tell() > HEADER_LIMIT:
            raise DicomError(
                "too_large", f"The file has more than {HEADER_LIMIT >> 20} MiB before its pixels."
            )
        if tag in PIXEL_TAGS:
            found.append((tag, vr, length))
            return True
        if length != UNDEFINED and bounded.tell() + length > bounded.size:
            raise DicomError(
                "incomplete", "An attribute claims more bytes than the file has: it is cut off or broken."
            )
        return False

    dataset = read_partial(cast(BinaryIO, bounded), stop, force=True)
    parsed = Parsed(dataset, source, _transfer_syntax(dataset))
    if found:
        tag, vr, length = found[0]
        long = vr in ("OB", "OW", "OF", "OD", "UN", "OL", "OV")
        parsed.pixel_tag, parsed.pixel_length = tag, length
        parsed.pixel_offset = bounded.tell() + (12 if long else 8)
        if length != UNDEFINED and parsed.pixel_offset + length > bounded.size:
            raise DicomError(
                "incomplete", "The file ends within its pixels: it is cut off.", "pixels_cut_off"
            )
    return parsed


def _transfer_syntax(dataset: FileDataset) -> str:
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", "") or "")
    if syntax and syntax != DeflatedExplicitVRLittleEndian:
        return syntax
    if syntax:
        return str(ExplicitVRLittleEndian)
    implicit, little = dataset.original_encoding
    if implicit:
        return str(ImplicitVRLittleEndian)
    return str(ExplicitVRLittleEndian if little else ExplicitVRBigEndian)


def _meta_elements(source: Bounded) -> list[tuple[int, int, int, int]]:
    """Walk the file meta information (PS3.10, 7.1): element, where it and its value begin, its length."""
    source.seek(128)
    if source.read(4) != b"DICM":
        return []
    found: list[tuple[int, int, int, int]] = []
    while len(found) < 64:
        start = source.tell()
        header = source.read(8)
        if len(header) < 8 or header[:2] != b"\x02\x00" or not header[4:6].isalpha():
            break
        element = header[2] | header[3] << 8
        length = header[6] | header[7] << 8
        if header[4:6] in (b"OB", b"UN", b"UT", b"OW", b"SQ"):
            wide = source.read(4)
            if len(wide) < 4:
                break
            length = int.from_bytes(wide, "little")
        if source.tell() + length > source.size:
            raise DicomError("incomplete", "The file meta information claims more bytes than the file has.")
        found.append((element, start, source.tell(), length))
        source.seek(source.tell() + length)
    return found


def _syntax(source: Bounded) -> str:
    for element, _, value, length in _meta_elements(source):
        if element == 0x0010:
            source.seek(value)
            return source.read(min(length, 64)).rstrip(b"\0 ").decode("ascii", "replace")
    return ""


def _inflate(source: Bounded) -> bytes:
    """Give a deflated file (PS3.5, A.5) as explicit little-endian, within bounds."""
    elements = _meta_elements(source)
    end = max(value + length for _, _, value, length in elements)
    limit = min(INFLATED_LIMIT, (1 << 20) + INFLATED_RATIO * source.size)
    source.seek(end)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    body = inflater.decompress(source.read(), limit)
    if inflater.unconsumed_tail:
        raise DicomError(
            "too_large", "The file is packed so tightly that it would burst its bounds.", "zip_bomb"
        )
    parts = []
    for element, start, value, length in elements:
        source.seek(start)
        whole = source.read(value + length - start)
        if element == 0x0010:
            uid = str(ExplicitVRLittleEndian).encode()
            uid += b"\0" * (len(uid) % 2)
            whole = whole[:6] + len(uid).to_bytes(2, "little") + uid
        if element != 0x0000:
            parts.append(whole)
    meta = b"".join(parts)
    group_length = b"\x02\x00\x00\x00UL\x04\x00" + len(meta).to_bytes(4, "little")
    return b"\0" * 128 + b"DICM" + group_length + meta + body


def text(dataset: Dataset, keyword: str, limit: int = 256) -> str:
    """Read an attribute as text, empty if it is absent or cannot be read."""
    try:
        value = dataset.get(keyword)
    except FAILURES:
        return ""
    if value is None or isinstance(value, bytes | Dataset):
        return ""
    if not isinstance(value, str) and hasattr(value, "__iter__") and keyword != "PatientName":
        value = "\\".join(str(item) for item in value)
    return str(value).strip(" \0")[:limit]


def number(dataset: Dataset, keyword: str, default: int = 0) -> int:
    """Read an attribute as a whole number, `default` if it is absent or cannot be read."""
    try:
        value: Any = dataset.get(keyword)
        if isinstance(value, list) or (hasattr(value, "__iter__") and not isinstance(value, str)):
            value = next(iter(value), None)
        return default if value in (None, "") else int(float(str(value)))
    except FAILURES:
        return default
