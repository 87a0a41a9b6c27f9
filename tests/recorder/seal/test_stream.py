"""Chunks that were swapped, dropped, cut off or taken from elsewhere do not open."""

import pytest

from recorder.seal.stream import MAX_CHUNKS, Opener, Sealer
from recorder.seal.suites import AES, SM4, SealError, Suite

SALT = bytes(range(16))
HEADER = b"a journal's header"
SUITES = pytest.mark.parametrize("suite", [SM4, AES], ids=["SM4", "AES"])


def sealed(suite: Suite, salt: bytes = SALT, header: bytes = HEADER) -> list[bytes]:
    sealer = Sealer(suite, bytes(suite.key_size), salt, header)
    return [sealer.seal(b"same"), sealer.seal(b"same"), sealer.seal(b"end", last=True)]


@SUITES
def test_chunks_open_at_their_place_only(suite: Suite) -> None:
    chunks = sealed(suite)
    opener = Opener(suite, bytes(suite.key_size), SALT, HEADER)
    assert chunks[0] != chunks[1]
    assert [opener.open(2, chunks[2], last=True), opener.open(0, chunks[0])] == [b"end", b"same"]
    for number, chunk, last in [(0, 1, False), (1, 0, False), (2, 2, False), (1, 1, True), (3, 2, True)]:
        with pytest.raises(SealError):
            opener.open(number, chunks[chunk], last=last)


@SUITES
def test_a_chunk_of_another_part_header_or_key_does_not_open(suite: Suite) -> None:
    key = bytes(suite.key_size)
    chunk = sealed(suite)[0]
    for opener in [
        Opener(suite, key, bytes(16), HEADER),
        Opener(suite, key, SALT, HEADER + b" "),
        Opener(suite, b"\x01" + key[1:], SALT, HEADER),
    ]:
        with pytest.raises(SealError):
            opener.open(0, chunk)


@SUITES
def test_the_same_part_is_sealed_to_the_same_bytes(suite: Suite) -> None:
    """What is random (key, salt) is an argument: a test, and a reader, can repeat it."""
    assert sealed(suite) == sealed(suite)


def test_nothing_follows_the_last_chunk() -> None:
    sealer = Sealer(SM4, bytes(16), SALT, HEADER)
    sealer.seal(b"end", last=True)
    with pytest.raises(ValueError, match="last chunk"):
        sealer.seal(b"more")


def test_what_cannot_be_is_refused_with_a_sentence() -> None:
    with pytest.raises(SealError, match="has 16 bytes, not 32"):
        Opener(SM4, bytes(32), SALT, HEADER)
    with pytest.raises(SealError, match="salt has 16 bytes"):
        Opener(SM4, bytes(16), b"", HEADER)
    for number in (-1, MAX_CHUNKS):
        with pytest.raises(SealError, match="at most"):
            Opener(SM4, bytes(16), SALT, HEADER).open(number, bytes(16))
