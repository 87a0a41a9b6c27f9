"""SM3 (GB/T 32905-2016), the hash by which a recording's parts are known."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes

#: Bytes of a hash.
SM3_SIZE = 32

#: Bytes that are hashed at once: other threads have their turn between, since hashing keeps the interpreter's lock.
_PIECE = 256 << 10


def sm3(data: bytes) -> bytes:
    """Return the SM3 of some bytes, SM3_SIZE of them."""
    digest = hashes.Hash(hashes.SM3())
    view = memoryview(data)
    for start in range(0, len(view), _PIECE):
        digest.update(view[start : start + _PIECE])
    return digest.finalize()
