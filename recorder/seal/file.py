"""A sealed file: written once, read at any place, for what lies beside a sealed journal (FORMAT.md, "Sealed files").

header = magic "KONSILSF" | u16 version = 1 | u32 length | JSON, length bytes
chunk  = 1 MiB of the file, sealed; the last one holds the rest, and may be empty
"""

from __future__ import annotations

import io
import json
import os
import struct
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from ..small_writes import write_whole
from .keys import DataKey
from .stream import SALT_SIZE, Opener, Sealer
from .suites import TAG_SIZE, SealError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MAGIC = b"KONSILSF"
CHUNK = 1 << 20

_VERSION = 1
_HEADER = struct.Struct("!8sHI")
_MAX_JSON = 4096
#: Opened chunks that a reader keeps.
_KEPT = 4


class _Sealed(io.RawIOBase):
    """A file with a position in it."""

    def __init__(self) -> None:
        super().__init__()
        #: Bytes of what is sealed.
        self.size = 0
        self._position = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go anywhere; what can be read or written there is another question."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position


class SealedWriter(_Sealed):
    """Seals a new file as it is written.

    What was written can be changed in the first chunk only, until the file is closed: there, muxers put what
    they know at the end.
    """

    def __init__(self, path: Path, key: DataKey, name: str) -> None:
        """Create the file, which must not exist; `name` says what it is. Raises OSError."""
        super().__init__()
        salt = os.urandom(SALT_SIZE)
        text = json.dumps({"name": name, "suite": key.suite.name, "salt": salt.hex()}).encode()
        self._header = _HEADER.pack(MAGIC, _VERSION, len(text)) + text
        self._sealer = Sealer(key.suite, key.key, salt, self._header)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._first = bytearray()  # the first chunk
        self._rest = bytearray()  # what is behind the last sealed chunk
        write_whole(self._file, self._header + bytes(CHUNK + TAG_SIZE))
        self._sealer.reserve()

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        """Write at the position. Raises ValueError where that is sealed already, OSError."""
        view = memoryview(data).cast("B")
        if self._position != self.size and self._position + len(view) > min(self.size, CHUNK):
            raise ValueError("A sealed file can be changed in its first chunk only.")
        if self._position < self.size:
            self._first[self._position : self._position + len(view)] = view
        else:
            room = max(0, CHUNK - self.size)
            self._first += view[:room]
            self._rest += view[room:]
            self.size += len(view)
            while len(self._rest) > CHUNK:  # a full one stays until it is known whether it is the last
                self._put(bytes(memoryview(self._rest)[:CHUNK]))
                del self._rest[:CHUNK]
        self._position += len(view)
        return len(view)

    def close(self) -> None:
        """Seal the rest and the first chunk. Raises OSError."""
        if self.closed:
            return
        super().close()
        try:
            self._finish()
        finally:
            os.close(self._file)

    def _put(self, plain: bytes) -> None:
        """Seal a chunk that is full and not the last one. Raises OSError."""
        self._write_out(self._sealer.seal(plain))

    def _finish(self) -> None:
        alone = self.size <= CHUNK
        if not alone:
            self._write_out(self._sealer.seal(bytes(self._rest), last=True))
        first = self._sealer.seal(bytes(self._first), last=alone, number=0)
        os.lseek(self._file, len(self._header), os.SEEK_SET)
        self._write_out(first)
        if alone:
            os.ftruncate(self._file, len(self._header) + len(first))

    def _write_out(self, sealed: bytes) -> None:
        write_whole(self._file, sealed)


class SealedReader(_Sealed):
    """Reads a sealed file at any place. Raises SealError where something was changed."""

    def __init__(self, path: Path, key: DataKey, name: str) -> None:
        """Open the file that was sealed under this name. Raises SealError, OSError."""
        super().__init__()
        self._opened: OrderedDict[int, bytes] = OrderedDict()
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._start, self._opener = self._open(key, name)
            sealed = os.fstat(self._file).st_size - self._start
            self._chunks = max(1, -(-sealed // (CHUNK + TAG_SIZE)))
            self.size = sealed - self._chunks * TAG_SIZE
            if self.size < 0:
                raise SealError("The sealed file is cut short.")
            self._chunk(self._chunks - 1)  # a file that was cut off between two chunks ends here
        except BaseException:
            os.close(self._file)
            raise

    def _open(self, key: DataKey, name: str) -> tuple[int, Opener]:
        start = os.pread(self._file, _HEADER.size + _MAX_JSON, 0)
        if len(start) < _HEADER.size or not start.startswith(MAGIC):
            raise SealError("This is not a sealed file: its first bytes are others.")
        _, version, length = _HEADER.unpack_from(start)
        header = start[: _HEADER.size + length]
        if version != _VERSION or length > _MAX_JSON or len(header) < _HEADER.size + length:
            raise SealError("The header of the sealed file cannot be read.")
        try:
            fields = json.loads(header[_HEADER.size :])
            suite, salt, said = fields["suite"], bytes.fromhex(fields["salt"]), fields["name"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise SealError("The header of the sealed file cannot be read.") from None
        if suite != key.suite.name or said != name:
            raise SealError("The sealed file is another one.")
        return len(header), Opener(key.suite, key.key, salt, header)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read from the position to the end of its chunk at most."""
        view = memoryview(buffer).cast("B")
        piece = self.read_at(self._position, len(view))
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def read_at(self, offset: int, length: int) -> bytes:
        """Read at most `length` bytes, of one chunk; empty at the end. Raises SealError, OSError."""
        if not 0 <= offset < self.size:
            return b""
        number, within = divmod(offset, CHUNK)
        return self._chunk(number)[within : within + length]

    def _chunk(self, number: int) -> bytes:
        plain = self._opened.get(number)
        if plain is None:
            sealed = os.pread(self._file, CHUNK + TAG_SIZE, self._start + number * (CHUNK + TAG_SIZE))
            plain = self._opened[number] = self._opener.open(number, sealed, last=number == self._chunks - 1)
            if len(self._opened) > _KEPT:
                self._opened.popitem(last=False)
        return plain

    def close(self) -> None:
        """Let the file go."""
        if not self.closed:
            super().close()
            os.close(self._file)
