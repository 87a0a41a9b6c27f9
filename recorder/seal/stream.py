"""Seals a sequence of chunks so that none can be changed, dropped, moved or borrowed from elsewhere unseen.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar: Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance, CRYPTO 2015, section 7): a chunk's nonce is a prefix, its number, and whether
it is the last one. So a chunk opens only at its own place, and an end that was cut off is missed.

Each sealed part (a journal, a file) has a key and prefix of its own, derived by HKDF (RFC 5869) from the
recording's data key, the part's salt and its whole header: a chunk of another part, or under another header,
does not open.
"""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .suites import SealError, Suite

#: Bytes of the random salt that a part's header bears.
SALT_SIZE = 16
#: Chunks of one part: 2^32, by the counter's width.
MAX_CHUNKS = 1 << 32

_PREFIX_SIZE = 7
_PLACE = struct.Struct("!I?")  # number, whether it is the last
_INFO = b"konsil seal 1\0"


class _Part:
    """A part's key and the nonces in it."""

    def __init__(self, suite: Suite, data_key: bytes, salt: bytes, header: bytes) -> None:
        if len(data_key) != suite.key_size:
            raise SealError(f"A key of {suite.name} has {suite.key_size} bytes, not {len(data_key)}.")
        if len(salt) != SALT_SIZE:
            raise SealError(f"A salt has {SALT_SIZE} bytes, not {len(salt)}.")
        info = _INFO + suite.digest(header)
        derived = HKDF(suite.hash(), suite.key_size + _PREFIX_SIZE, salt, info).derive(data_key)
        self.suite = suite
        self._key, self._prefix = derived[: suite.key_size], derived[suite.key_size :]

    def _nonce(self, number: int, last: bool) -> bytes:
        if not 0 <= number < MAX_CHUNKS:
            raise SealError(f"A part has at most {MAX_CHUNKS} chunks.")
        return self._prefix + _PLACE.pack(number, last)


class Sealer(_Part):
    """Seals the chunks of a part, each number once."""

    def __init__(self, suite: Suite, data_key: bytes, salt: bytes, header: bytes, first: int = 0) -> None:
        """Begin with the number `first`: who goes on with a part must know that no chunk from there on was sealed."""
        super().__init__(suite, data_key, salt, header)
        self._next = first
        self._reserved: set[int] = set()
        self._ended = False

    def reserve(self) -> int:
        """Put the next chunk off: its number, for `seal`."""
        self._reserved.add(self._next)
        self._next += 1
        return self._next - 1

    def seal(self, plain: bytes, aad: bytes = b"", *, last: bool = False, number: int | None = None) -> bytes:
        """Seal the next chunk, or one that was put off; it is TAG_SIZE longer then.

        Raises ValueError where a number would be sealed twice, or something follow the last one.
        """
        if number is None:
            if self._ended:
                raise ValueError("The last chunk of this part has been sealed.")
            number = self._next
            self._next += 1
            self._ended = last
        elif number in self._reserved:
            self._reserved.remove(number)
        else:
            raise ValueError("A chunk is sealed once.")
        return self.suite.encrypt(self._key, self._nonce(number, last), plain, aad)


class Opener(_Part):
    """Opens the chunks of a part, in any order."""

    def open(self, number: int, sealed: bytes, aad: bytes = b"", *, last: bool = False) -> bytes:
        """Open the chunk with this number. Raises SealError."""
        return self.suite.decrypt(self._key, self._nonce(number, last), sealed, aad)
