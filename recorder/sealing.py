"""Seals a journal's blocks on their way to the disk, and opens them again (FORMAT.md, "Sealed").

A sealed block is as long as it was and a tag longer, so a byte of a record is opened from the byte at the
same place of its block. What a block's header says is authenticated with it; the file's header goes into the key.
"""

from __future__ import annotations

import os
import zlib

from .journal import (
    BLOCK_HEADER_SIZE,
    FILE_HEADER_SIZE,
    FILE_MAGIC,
    LAST,
    SEALED,
    BlockHeader,
    JournalHeader,
    Seal,
    header_size,
)
from .seal.keys import DataKey
from .seal.stream import SALT_SIZE, Opener, Sealer
from .seal.suites import TAG_SIZE, SealError

#: Where a block's header has its checksums: the payload's and its own.
_CHECKSUMS = BLOCK_HEADER_SIZE - 8


def new_seal(key: DataKey) -> Seal:
    """Draw the salt of a new journal."""
    return Seal(key.suite.name, os.urandom(SALT_SIZE))


class JournalSealer:
    """Seals what a JournalWriter gives: the header and whole blocks, in their order, in pieces of whole ones."""

    def __init__(self, header: JournalHeader, key: DataKey, first: int = 0) -> None:
        """Seal a journal's blocks from the number `first` on: those before are sealed."""
        if header.seal is None or header.seal.suite != key.suite.name:
            raise SealError("The journal's header does not say that it is sealed with this key's suite.")
        self._sealer = Sealer(key.suite, key.key, header.seal.salt, bytes(header), first)

    def __call__(self, data: bytes) -> bytes:
        """Seal a piece."""
        position, pieces = 0, []
        if data.startswith(FILE_MAGIC):
            position = header_size(data[:FILE_HEADER_SIZE])
            pieces.append(data[:position])
        while position < len(data):
            plain = BlockHeader.parse(data[position : position + BLOCK_HEADER_SIZE])
            position += BLOCK_HEADER_SIZE
            end = position + plain.length
            # the checksum comes last: it is of what is sealed, and authenticates nothing
            head = BlockHeader(plain.flags | SEALED, plain.number, plain.length + TAG_SIZE, 0)
            sealed = self._sealer.seal(
                data[position:end], _authenticated(head), last=bool(plain.flags & LAST)
            )
            pieces += (bytes(BlockHeader(head.flags, head.number, head.length, zlib.crc32(sealed))), sealed)
            position = end
        return b"".join(pieces)


class JournalOpener:
    """Opens the blocks of a journal, in any order."""

    def __init__(self, header: JournalHeader, key: DataKey) -> None:
        if header.seal is None or header.seal.suite != key.suite.name:
            raise SealError("The journal is not sealed with this key's suite.")
        self._opener = Opener(key.suite, key.key, header.seal.salt, bytes(header))

    def open(self, block: BlockHeader, payload: bytes) -> bytes:
        """Open a block's payload. Raises SealError."""
        return self._opener.open(block.number, payload, _authenticated(block), last=bool(block.flags & LAST))


def _authenticated(block: BlockHeader) -> bytes:
    """Give what stands in the header before the checksums."""
    return bytes(block)[:_CHECKSUMS]
