"""A ZIP file that is sent while it is made: nothing of it is kept but the list of its files."""

from __future__ import annotations

import io
import zipfile
from typing import IO

#: The first day that a ZIP file can name: it tells nothing of when the copy was made.
NO_DAY = (1980, 1, 1, 0, 0, 0)
#: From here on a file needs 64-bit lengths.
LARGE = 2 << 30


class _Sink(io.RawIOBase):
    """Holds what was written until it is taken."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._held.append(piece)
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._held)
        self._held.clear()
        return taken


class ZipStream:
    """Give it files piece by piece; each call returns the bytes that are to be sent."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_STORED)
        self._entry: IO[bytes] | None = None

    def begin(self, name: str, size: int) -> bytes:
        """Begin a file of about so many bytes."""
        assert self._entry is None, "one file after the other"
        info = zipfile.ZipInfo(name, NO_DAY)
        info.external_attr = 0o600 << 16
        self._entry = self._zip.open(info, "w", force_zip64=size >= LARGE)
        return self._sink.take()

    def write(self, piece: bytes) -> bytes:
        """Go on with it."""
        assert self._entry is not None, "a file was begun"
        self._entry.write(piece)
        return self._sink.take()

    def end(self) -> bytes:
        """End the file."""
        assert self._entry is not None, "a file was begun"
        self._entry.close()
        self._entry = None
        return self._sink.take()

    def finish(self) -> bytes:
        """Write the directory: without it the ZIP file is broken, and is seen to be."""
        self._zip.close()
        return self._sink.take()
