"""The hash of a file that goes from one to all (PROTOCOL.md, section 13): SHA-256 over the SHA-256 of each block.

A browser makes SHA-256 as fast as its processor can, but only of what is in memory at once: hence the blocks.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

#: Bytes of a block; the last one of a file is shorter, and an empty file has none.
BLOCK: Final = 4 << 20


class FileDigest:
    """A file's hash, fed in order with whatever lengths its bytes come in."""

    def __init__(self) -> None:
        self._blocks = sha256()
        self._block = sha256()
        self._held = 0

    def update(self, data: bytes) -> None:
        """Take what comes next."""
        view = memoryview(data)
        while view:
            part = view[: BLOCK - self._held]
            self._block.update(part)
            self._held += len(part)
            view = view[len(part) :]
            if self._held == BLOCK:
                self._blocks.update(self._block.digest())
                self._block, self._held = sha256(), 0

    def hexdigest(self) -> str:
        """Give the hash of all that came, 64 hexadecimal digits; more may come afterwards."""
        whole = self._blocks.copy()
        if self._held:
            whole.update(self._block.digest())
        return whole.hexdigest()
