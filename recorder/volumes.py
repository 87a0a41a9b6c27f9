"""A journal in volumes: files of bounded size that are read as one (FORMAT.md, "Volumes").

The first is `journal.kjr`, the next `journal-2.kjr` and so on. A place in the journal counts through all of them, as if
they were one file. Each later one begins with a header that says whose it is, its number and its place, so that one
that is missing, swapped or from elsewhere is seen, and the rest is read at its places.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from .journal import MAX_METADATA, JournalError, JournalHeader, decode_json, encode_json
from .seal.digest import sm3

VOLUME_MAGIC = b"KONSILJV"
VERSION = 1
#: So many files are one journal at most: 40 TB by the default size.
MAX_VOLUMES = 10_000

_HEADER = struct.Struct("!8sHHQI")  # magic, version, flags, start, length of the JSON
_CHECKSUM = struct.Struct("!I")
VOLUME_HEADER_SIZE = _HEADER.size


@dataclass(frozen=True, slots=True)
class VolumeHeader:
    """What a volume but the first begins with. `start` is its place in the journal, `journal` the SM3 of its header."""

    recording: str
    number: int
    start: int
    journal: str

    def __bytes__(self) -> bytes:
        text = encode_json({"recording": self.recording, "volume": self.number, "journal": self.journal})
        start = _HEADER.pack(VOLUME_MAGIC, VERSION, 0, self.start, len(text)) + text
        return start + _CHECKSUM.pack(zlib.crc32(start))

    @classmethod
    def parse(cls, data: bytes) -> VolumeHeader:
        """Parse a whole header (`volume_header_size` tells how long it is). Raises JournalError."""
        size = volume_header_size(data)
        if len(data) < size:
            raise JournalError("A volume ends within its header.")
        _, _, flags, start, _ = _HEADER.unpack_from(data)
        end = size - _CHECKSUM.size
        if _CHECKSUM.unpack_from(data, end)[0] != zlib.crc32(data[:end]):
            raise JournalError("The checksum of a volume's header is wrong.")
        if flags:
            raise JournalError(f"A volume's header bears unknown flags ({flags:#x}).")
        fields = decode_json(data[VOLUME_HEADER_SIZE:end])
        recording, number, journal = fields.get("recording"), fields.get("volume"), fields.get("journal")
        if not isinstance(recording, str) or not isinstance(journal, str) or type(number) is not int:
            raise JournalError("A volume's header does not say whose it is.")
        if not 2 <= number <= MAX_VOLUMES or start >> 62:
            raise JournalError("The number or the place of a volume is out of range.")
        return cls(recording, number, start, journal)


def volume_header_size(data: bytes) -> int:
    """Tell how long the header is that begins with these VOLUME_HEADER_SIZE bytes. Raises JournalError."""
    if len(data) < VOLUME_HEADER_SIZE:
        raise JournalError("A volume ends within its header.")
    magic, version, _, _, length = _HEADER.unpack_from(data)
    if magic != VOLUME_MAGIC or version != VERSION or length > MAX_METADATA:
        raise JournalError("This is not a volume of a journal.")
    return VOLUME_HEADER_SIZE + int(length) + _CHECKSUM.size


def journal_digest(header: JournalHeader) -> str:
    """Give what a journal's later volumes know it by."""
    return sm3(bytes(header)).hex()


@dataclass(frozen=True, slots=True)
class VolumePlan:
    """How a journal is parted: a volume takes what keeps it at `limit` bytes or below, and a block at least."""

    limit: int
    header: JournalHeader

    def volume(self, number: int, start: int) -> bytes:
        """Give the header of a volume."""
        return bytes(VolumeHeader(self.header.recording, number, start, journal_digest(self.header)))


def volume_path(journal: Path, number: int) -> Path:
    """Name a volume of the journal whose first one is given."""
    return journal if number == 1 else journal.with_name(f"{journal.stem}-{number}{journal.suffix}")


def volumes_of(journal: Path) -> list[Path]:
    """List a journal's volumes that are there, in the order of their numbers, the first first. Raises OSError."""
    pattern = re.compile(rf"{re.escape(journal.stem)}-([1-9][0-9]{{0,4}}){re.escape(journal.suffix)}")
    found = {1: journal}
    with os.scandir(journal.parent) as entries:
        for entry in entries:
            match = pattern.fullmatch(entry.name)
            if match and 2 <= int(match[1]) <= MAX_VOLUMES and entry.is_file(follow_symlinks=False):
                found[int(match[1])] = journal.parent / entry.name
    return [found[number] for number in sorted(found)]


def is_being_written(journal: Path) -> bool:
    """Tell whether somebody, in this process or another, has one of a journal's volumes open to append to it."""
    for path in volumes_of(journal):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
    return False


class JournalFiles:
    """The volumes of a journal, open, as one file. A volume that is missing is passed over: its header tells."""

    def __init__(self, journal: Path) -> None:
        """Open every volume there is. Raises OSError."""
        self.paths = volumes_of(journal)
        self._files: list[int] = []
        #: Where each volume begins in the journal, and how long it is.
        self.starts: list[int] = []
        self.sizes: list[int] = []
        try:
            for path in self.paths:
                self._files.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            head = os.pread(self._files[0], VOLUME_HEADER_SIZE + MAX_METADATA + _CHECKSUM.size, 0)
            digest = _digest_of(head)
            for file in self._files:
                self._place(file, digest)
        except BaseException:
            self.close()
            raise
        self._order = sorted(range(len(self.starts)), key=lambda place: self.starts[place])
        self._sorted = [self.starts[place] for place in self._order]
        self._reading = 0
        #: Bytes that `read` gave so far.
        self.position = 0

    @property
    def size(self) -> int:
        """Bytes of all volumes."""
        return sum(self.sizes)

    def read(self, size: int) -> bytes:
        """Read on through all volumes, one after the other; empty at the end."""
        while self._reading < len(self._files):
            data = os.read(self._files[self._reading], size)
            if data:
                self.position += len(data)
                return data
            self._reading += 1
        return b""

    def pread(self, length: int, offset: int) -> bytes:
        """Read from a place of the journal; what lies in one volume is given."""
        volume, inside = self.locate(offset)
        return os.pread(self._files[volume], length, inside)

    def locate(self, offset: int) -> tuple[int, int]:
        """Tell in which of `paths` a place lies, and where in that file."""
        volume = self._order[max(0, bisect_right(self._sorted, offset) - 1)]
        return volume, offset - self.starts[volume]

    def close(self) -> None:
        """Let go of them."""
        while self._files:
            os.close(self._files.pop())

    def __enter__(self) -> JournalFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _place(self, file: int, digest: str) -> None:
        start = self.starts[-1] + self.sizes[-1] if self.starts else 0
        if self.starts:
            header = _volume_header(os.pread(file, VOLUME_HEADER_SIZE + MAX_METADATA + _CHECKSUM.size, 0))
            if header is not None and header.journal == digest:
                start = header.start
        self.starts.append(start)
        self.sizes.append(os.fstat(file).st_size)


def _digest_of(head: bytes) -> str:
    try:
        return journal_digest(JournalHeader.parse(head))
    except JournalError:
        return ""


def _volume_header(head: bytes) -> VolumeHeader | None:
    try:
        return VolumeHeader.parse(head)
    except JournalError:
        return None
