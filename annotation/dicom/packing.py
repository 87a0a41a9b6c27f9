"""ZIP files within bounds: how much they may become, how tightly they may be packed, and that none lies in another."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from .errors import DicomError

#: Files of one ZIP: a CT of 5,000 slices fits in, with what viewers on a CD bring along.
FILES_LIMIT: Final = 20_000
#: A file may become this many times what it was packed into, and this much in any case: CT packs to a half, an empty
#: (black) slice of 2048 × 2048 to a thousandth.
RATIO_LIMIT: Final = 200
ALWAYS_ALLOWED: Final = 32 << 20
#: What is read at once.
PIECE: Final = 1 << 20
#: Names are for people.
NAME_LIMIT: Final = 200

ZIP: Final = b"PK\x03\x04"
_EMPTY: Final = b"PK\x05\x06"
_PACKINGS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True)
class Packed:
    """A file within a ZIP."""

    index: int
    name: str
    #: bytes that it says to have
    size: int


class Archive:
    """A ZIP file that has been looked through."""

    def __init__(self, source: BinaryIO, total: int) -> None:
        """Read the directory; `total` is the most that all files together may become. Raise DicomError."""
        source.seek(0, 2)
        size = source.tell()
        try:
            self._zip = zipfile.ZipFile(source)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError, UnicodeError):
            raise DicomError("broken", "The ZIP file is broken or cut off.", "zip_broken") from None
        # not is_dir(), which fails for a file without a name
        infos = [info for info in self._zip.infolist() if not info.filename.endswith("/")]
        if len(infos) > FILES_LIMIT:
            raise DicomError(
                "too_large", f"The ZIP file holds more than {FILES_LIMIT:,} files.", "zip_too_many"
            )
        if sum(info.file_size for info in infos) > total:
            raise DicomError(
                "too_large", f"The ZIP file would become more than {total >> 20} MiB.", "zip_too_large"
            )
        # entries that share their bytes, as bombs do, claim more than there is
        if sum(info.compress_size for info in infos) > size:
            raise DicomError("broken", "The ZIP file claims more than it holds.", "zip_broken")
        self._infos = infos
        self.files = [Packed(index, _name(info.filename), info.file_size) for index, info in enumerate(infos)]

    def read(self, packed: Packed) -> Iterator[bytes]:
        """Give a file's bytes in pieces. Raise DicomError before or between them."""
        info = self._infos[packed.index]
        if info.flag_bits & 1:
            raise DicomError("unsupported", "The file is encrypted in its ZIP file.", "zip_encrypted")
        if info.compress_type not in _PACKINGS:
            raise DicomError("unsupported", "The file is packed in a way that is not taken.", "zip_method")
        limit = max(ALWAYS_ALLOWED, RATIO_LIMIT * info.compress_size)
        if info.file_size > limit:
            raise DicomError(
                "too_large", "The file is packed so tightly that it would burst its bounds.", "zip_bomb"
            )
        taken = 0
        try:
            with self._zip.open(info) as file:
                while piece := file.read(PIECE):
                    if taken == 0 and piece.startswith((ZIP, _EMPTY)):
                        raise DicomError(
                            "unsupported", "A ZIP file within a ZIP file is not opened.", "zip_nested"
                        )
                    taken += len(piece)
                    if taken > min(limit, info.file_size):
                        raise DicomError(
                            "too_large", "The file is larger than its ZIP file says.", "zip_broken"
                        )
                    yield piece
        except DicomError:
            raise
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError):
            # NotImplementedError is a RuntimeError
            raise DicomError("broken", "The file is broken in its ZIP file.", "zip_broken") from None

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()


def is_zip(start: bytes) -> bool:
    """Tell a ZIP file by its first bytes."""
    return start.startswith((ZIP, _EMPTY))


def _name(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)[-NAME_LIMIT:]
