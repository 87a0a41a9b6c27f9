"""The two cipher suites of the archive, as names in a file's header and as what `cryptography` gives for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, algorithms, modes

#: Bytes that a sealed chunk is longer than what it holds.
TAG_SIZE = 16


class SealError(ValueError):
    """What is sealed is not what was sealed here, or not with this key."""


class NoKeyError(SealError):
    """What is sealed may be whole: the key that opens it is not here."""


@dataclass(frozen=True, slots=True)
class Suite:
    """An authenticated cipher in Galois/Counter Mode and the hash that belongs to it. Sizes are bytes."""

    name: str
    key_size: int
    cipher: Callable[[bytes], BlockCipherAlgorithm]
    hash: Callable[[], hashes.HashAlgorithm]

    def encrypt(self, key: bytes, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
        """Encrypt and authenticate; the tag stands at the end."""
        encryptor = Cipher(self.cipher(key), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(aad)
        return encryptor.update(plain) + encryptor.finalize() + encryptor.tag

    def decrypt(self, key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
        """Check and decrypt. Raises SealError, with nothing of what it says."""
        if len(sealed) < TAG_SIZE:
            raise SealError("A sealed chunk is shorter than its own tag.")
        view = memoryview(sealed)
        decryptor = Cipher(self.cipher(key), modes.GCM(nonce, sealed[-TAG_SIZE:])).decryptor()
        decryptor.authenticate_additional_data(aad)
        plain = decryptor.update(view[:-TAG_SIZE])
        try:
            return plain + decryptor.finalize()
        except InvalidTag:
            raise SealError("A sealed chunk was changed, or another key sealed it.") from None

    def digest(self, *data: bytes) -> bytes:
        """Hash several pieces as one."""
        context = hashes.Hash(self.hash())
        for piece in data:
            context.update(piece)
        return context.finalize()


SM4 = Suite("SM4-GCM-SM3", 16, algorithms.SM4, hashes.SM3)
AES = Suite("AES-256-GCM-SHA256", 32, algorithms.AES, hashes.SHA256)
SUITES = {suite.name: suite for suite in (SM4, AES)}


def suite_named(name: object) -> Suite:
    """Find the suite that a file's header names. Raises SealError."""
    if not isinstance(name, str) or name not in SUITES:
        raise SealError("The cipher suite of the file is not one of " + ", ".join(SUITES) + ".")
    return SUITES[name]


# Published vectors, so that a library that computes something else is found before anything is sealed with it.
_AAD = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
_VECTORS = (
    (  # RFC 8998, A.1
        SM4,
        "0123456789abcdeffedcba9876543210",
        "00001234567800000000abcd",
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
        "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d83de3541e4c2b58177e065a9bf7b62ec",
    ),
    (  # McGrew and Viega, The Galois/Counter Mode of Operation, test case 16
        AES,
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
    ),
)
_HASHES = (  # of "abc": GB/T 32905-2016, A.1; FIPS 180-4
    (SM4, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
    (AES, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
)


def check_suites() -> None:
    """Compute the published vectors. Raises SealError with a sentence when one comes out otherwise."""
    for suite, key, nonce, plain, sealed in _VECTORS:
        _check(suite, bytes.fromhex(key), bytes.fromhex(nonce), bytes.fromhex(plain), bytes.fromhex(sealed))
    for suite, digest in _HASHES:
        if suite.digest(b"a", b"bc").hex() != digest:
            raise SealError(f"The hash of {suite.name} gives another result than the standard's.")


def _check(suite: Suite, key: bytes, nonce: bytes, plain: bytes, sealed: bytes) -> None:
    try:
        same = (suite.encrypt(key, nonce, plain, _AAD), suite.decrypt(key, nonce, sealed, _AAD)) == (
            sealed,
            plain,
        )
    except UnsupportedAlgorithm:
        raise SealError(
            f"The installed cryptography library has no {suite.name}: install the wheel of the package index."
        ) from None
    if not same:
        raise SealError(f"{suite.name} gives another result than the standard's.")
