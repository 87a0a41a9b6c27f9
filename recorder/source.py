"""Reads single bytes of a journal by their place in all its volumes, opening the sealed blocks that they lie in."""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from .journal import BLOCK_HEADER_SIZE, SEALED, BlockHeader, JournalError
from .seal.suites import TAG_SIZE
from .sealing import JournalOpener
from .volumes import JournalFiles

#: Opened blocks that are kept: sound and picture of one camera lie in two, late packets in the two before.
_KEPT = 6


class JournalSource:
    """An open journal. `blocks` are where its whole blocks' payloads begin (JournalReader.blocks)."""

    def __init__(self, path: Path, blocks: array[int], opener: JournalOpener | None) -> None:
        self._files = JournalFiles(path)
        self._blocks = blocks
        self._opener = opener
        self._opened: OrderedDict[int, bytes] = OrderedDict()
        #: Bytes that were read from the disk.
        self.bytes_read = 0

    def __enter__(self) -> JournalSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the files go."""
        self._files.close()

    def read(self, offset: int, length: int) -> bytes:
        """Read what lies within one block. Raises JournalError, SealError when it changed since it was indexed."""
        if self._opener is None:
            data = self._files.pread(length, offset)
            self.bytes_read += len(data)
            return data
        place = bisect_right(self._blocks, offset) - 1
        if place < 0:
            raise JournalError("There is no block at this place of the journal.")
        base = self._blocks[place]
        return self.block(base)[offset - base : offset - base + length]

    def block(self, base: int) -> bytes:
        """Read what a whole block holds; its payload begins at `base`. Raises JournalError, SealError, OSError."""
        payload = self._opened.get(base)
        if payload is None:
            payload = self._opened[base] = self._open(base)
            self.bytes_read += BLOCK_HEADER_SIZE + len(payload) + TAG_SIZE * (self._opener is not None)
            if len(self._opened) > _KEPT:
                self._opened.popitem(last=False)
        else:
            self._opened.move_to_end(base)
        return payload

    def expect(self, bases: Iterable[int]) -> None:
        """Be told which blocks will be asked for, one after the other: some sources open them ahead."""

    def holds(self, base: int) -> bool:
        """Tell whether a block is opened and kept."""
        return base in self._opened

    def _open(self, base: int) -> bytes:
        """Read a block and open it, changing nothing here: several threads may do so at once."""
        if base < BLOCK_HEADER_SIZE:
            raise JournalError("There is no block at this place of the journal.")
        block = BlockHeader.parse(self._files.pread(BLOCK_HEADER_SIZE, base - BLOCK_HEADER_SIZE))
        if bool(block.flags & SEALED) != (self._opener is not None):
            raise JournalError("A block of a sealed journal is not sealed, or one of an open journal is.")
        payload = self._files.pread(block.length, base)
        if self._opener is not None:
            return self._opener.open(block, payload)
        if len(payload) != block.length or zlib.crc32(payload) != block.checksum:
            raise JournalError("A block of the journal is damaged.")
        return payload
