"""Reads a journal, whole, cut, damaged or still being written: its volumes one after the other, as one file.

A block that is whole is believed, everything else is counted: `ignored` bytes, `truncated` when there is no
end record or anything was ignored. After a damaged block the reader goes on at the next one that is whole,
so a flipped bit costs half a second of a consultation and not the rest of it.
"""

from __future__ import annotations

import zlib
from array import array

from .journal import (
    BLOCK_HEADER_SIZE,
    BLOCK_MAGIC,
    FILE_HEADER_SIZE,
    LAST,
    MAX_METADATA,
    RECORD_HEADER_SIZE,
    SEALED,
    BlockHeader,
    JournalError,
    JournalHeader,
    Record,
    RecordType,
    header_size,
    record_header,
)
from .seal.keys import DataKey
from .seal.suites import SealError
from .sealing import JournalOpener
from .volumes import VOLUME_HEADER_SIZE, VOLUME_MAGIC, VolumeHeader, journal_digest, volume_header_size

#: So many damaged places are listed at most; all are counted.
MAX_PLACES = 10_000


class JournalReader:
    """Turns a file's bytes, in pieces of any size, into records.

    Call `receive_data` with what was read, then `next_record` until it returns None; at the end of the file
    `finish`. It holds the current block and what was received behind it, nothing more. Only an unreadable
    file header raises (JournalError).
    """

    def __init__(self, key: DataKey | None = None) -> None:
        """Read a journal; a sealed one with its key, or nothing but how many blocks are sealed."""
        self.header: JournalHeader | None = None
        #: Whether the end record was read.
        self.ended = False
        #: Bytes that belong to no whole block, and where they are: place and size, MAX_PLACES at most.
        self.ignored = 0
        self.ignored_at: list[tuple[int, int]] = []
        #: Places where something is wrong in the middle of the file.
        self.damaged = 0
        #: Whole blocks that are sealed and were not opened, since no key was given.
        self.unopened = 0
        #: Blocks that are as they were written to the disk by their checksums, and do not open.
        self.refused = 0
        #: Where the payload of each whole block begins.
        self.blocks = array("Q")
        #: Where the last whole block ends: a file cut here is a clean one.
        self.whole_until = 0
        self._key = key
        self._opener: JournalOpener | None = None
        self._buffer = bytearray()
        self._base = 0  # the buffer's place in the file
        self._block = b""
        self._block_base = 0
        self._position = 0
        self._next_number = 0
        self._missing: set[int] = set()  # of those passed over: they may stand in another place
        self._lost = False  # no block is where one should be: searching for the next
        self._volume = 1
        self._foreign = False  # what comes is of another journal, up to the next volume

    @property
    def next_number(self) -> int:
        """The number that a block behind the last whole one bears."""
        return self._next_number

    @property
    def truncated(self) -> bool:
        """Whether anything is missing: the end, or something before it."""
        return not self.ended or self.ignored > 0 or self.damaged > 0

    def receive_data(self, data: bytes) -> None:
        """Take the next bytes of the file. Raises JournalError when its header cannot be read."""
        self._buffer += data
        if self.header is None and len(self._buffer) >= FILE_HEADER_SIZE:
            size = header_size(bytes(self._buffer[:FILE_HEADER_SIZE]))
            if len(self._buffer) >= size:
                self.header = JournalHeader.parse(bytes(self._buffer[:size]))
                if self._key is not None and self.header.seal is not None:
                    self._opener = JournalOpener(self.header, self._key)
                self._drop(size)
                self.whole_until = size

    def next_record(self) -> Record | None:
        """Take the next record, or None until more bytes have come."""
        while True:
            record = self._record_of_block()
            if record is not None:
                return record
            if self.header is None or not self._open_block():
                return None

    def finish(self) -> None:
        """Say that the file ends here: what is left in the buffer is no whole block."""
        while self.next_record() is not None:
            pass  # records that the caller did not take are not ignored bytes
        while (cut := self._find_volume(len(self._buffer))) > 0:
            self._give_up(cut)
            while self.next_record() is not None:
                pass
        self._ignore(len(self._buffer))
        # volumes that were swapped give theirs in another order
        self.blocks = array("Q", sorted(self.blocks))

    def _record_of_block(self) -> Record | None:
        while self._position < len(self._block):
            position = self._position
            start = position + RECORD_HEADER_SIZE
            if start > len(self._block):
                self._give_block_up()
                return None
            kind, time, length = record_header(self._block, position)
            if start + length > len(self._block):
                self._give_block_up()
                return None
            self._position = start + length
            try:
                type_ = RecordType(kind)
            except ValueError:
                continue  # a later version's: its length is enough to pass it by
            if type_ is RecordType.END:
                self.ended = True
            return Record(type_, time, self._block[start : start + length], self._block_base + start)
        return None

    def _give_block_up(self) -> None:
        self.damaged += 1
        self._note(self._block_base + self._position, len(self._block) - self._position)
        self._position = len(self._block)

    def _open_block(self) -> bool:
        """Go to the next whole block; False until more bytes have come."""
        assert self.header is not None
        while len(self._buffer) >= BLOCK_HEADER_SIZE:
            if self._buffer.startswith(VOLUME_MAGIC):
                if not self._enter_volume():
                    return False
                continue
            if self._foreign:
                self._search()
                continue
            try:
                header = BlockHeader.parse(bytes(self._buffer[:BLOCK_HEADER_SIZE]))
            except JournalError:
                self._search()
                continue
            size = BLOCK_HEADER_SIZE + header.length
            if len(self._buffer) < size:
                return False
            payload = bytes(self._buffer[BLOCK_HEADER_SIZE:size])
            base = self._base + BLOCK_HEADER_SIZE
            whole = zlib.crc32(payload) == header.checksum
            if not whole and (cut := self._find_volume(size)) > 0:
                # the volume was cut within this block: what follows is the next volume's
                self._give_up(cut)
                continue
            self._drop(size)
            whole = whole and not header.flags & ~(SEALED | LAST)
            # a number seen before is a copy; a sealed journal has no block that is not sealed
            whole = whole and (header.number >= self._next_number or header.number in self._missing)
            whole = whole and bool(header.flags & SEALED) == (self.header.seal is not None)
            opened = self._opened(header, payload) if whole else None
            if opened is None:
                self._damage()
                self._note(self._base - size, size)
                continue
            if header.number > self._next_number and not self._lost:
                self.damaged += 1  # whole blocks are missing, without a trace in the bytes
            self._lost = False
            self._missing.discard(header.number)
            self._missing.update(range(self._next_number, min(header.number, self._next_number + MAX_PLACES)))
            self._next_number = max(self._next_number, header.number + 1)
            self._block, self._block_base, self._position = opened, base, 0
            self.whole_until = self._base
            self.blocks.append(base)
            return True
        return False

    def _opened(self, header: BlockHeader, payload: bytes) -> bytes | None:
        """Give what a block holds: nothing of a sealed one without the key, None when it was tampered with."""
        if not header.flags & SEALED:
            return payload
        if self._opener is None:
            self.unopened += 1
            self.ended = self.ended or bool(header.flags & LAST)
            return b""
        try:
            return self._opener.open(header, payload)
        except SealError:
            self.refused += 1
            return None

    def _search(self) -> None:
        """Drop bytes up to the next that may begin a block."""
        self._damage()
        found = self._buffer.find(VOLUME_MAGIC, 1)
        if not self._foreign:
            block = self._buffer.find(BLOCK_MAGIC, 1, found if found >= 0 else len(self._buffer))
            found = block if block >= 0 else found
        if found < 0:
            found = len(self._buffer) - len(VOLUME_MAGIC) + 1  # the magic may have begun at the end
        self._ignore(found)

    def _find_volume(self, end: int) -> int:
        """Find the next volume of this journal in the buffer, by its whole header; -1 where there is none."""
        found = 0
        while (found := self._buffer.find(VOLUME_MAGIC, found + 1, end)) > 0:
            head = bytes(self._buffer[found : found + VOLUME_HEADER_SIZE + MAX_METADATA + 4])
            try:
                header = VolumeHeader.parse(head)
            except JournalError:
                continue
            if self.header is not None and header.journal == journal_digest(self.header):
                return found
        return -1

    def _give_up(self, size: int) -> None:
        self._damage()
        self._ignore(size)

    def _enter_volume(self) -> bool:
        """Pass a volume's header, and go on at the place that it names; False until more bytes have come."""
        assert self.header is not None
        try:
            size = volume_header_size(bytes(self._buffer[:VOLUME_HEADER_SIZE]))
            if len(self._buffer) < size:
                return False
            header = VolumeHeader.parse(bytes(self._buffer[:size]))
        except JournalError:
            self._search()
            return True
        self._foreign = header.journal != journal_digest(self.header)
        if self._foreign:
            self._give_up(size)
            return True
        if header.number != self._volume + 1 or header.start != self._base:
            self._damage()  # one is missing, or another is in its place; or the one before is not what it was
        self._volume = header.number
        self._base = header.start
        self._drop(size)
        self.whole_until = self._base
        return True

    def _damage(self) -> None:
        if not self._lost:
            self.damaged += 1
            self._lost = True

    def _ignore(self, size: int) -> None:
        if size:
            self._note(self._base, size)
            self._drop(size)

    def _note(self, place: int, size: int) -> None:
        self.ignored += size
        if self.ignored_at and sum(self.ignored_at[-1]) == place:
            self.ignored_at[-1] = (self.ignored_at[-1][0], self.ignored_at[-1][1] + size)
        elif len(self.ignored_at) < MAX_PLACES:
            self.ignored_at.append((place, size))

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self._base += size
