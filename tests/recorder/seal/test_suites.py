"""The cipher suites compute what the standards say, and say so when a library does not."""

from dataclasses import replace

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm

from recorder.seal import suites
from recorder.seal.suites import SM4, SUITES, TAG_SIZE, SealError, check_suites, suite_named


def test_the_published_vectors_come_out() -> None:
    check_suites()


def test_a_library_that_computes_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(SM4, hash=hashes.SHA256)
    monkeypatch.setattr(suites, "_HASHES", ((other, suites._HASHES[0][1]),))
    with pytest.raises(SealError, match="hash of SM4-GCM-SM3"):
        check_suites()
    wrong = tuple((*vector[:-1], vector[-1].replace("17f3", "17f4")) for vector in suites._VECTORS)
    monkeypatch.setattr(suites, "_VECTORS", wrong)
    with pytest.raises(SealError, match="changed"):
        check_suites()


def test_a_library_without_sm4_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: bytes) -> BlockCipherAlgorithm:
        raise UnsupportedAlgorithm("no")

    vector = (replace(SM4, cipher=missing), *suites._VECTORS[0][1:])
    monkeypatch.setattr(suites, "_VECTORS", (vector,))
    with pytest.raises(SealError, match="install the wheel"):
        check_suites()


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_a_flipped_bit_anywhere_is_seen(suite: suites.Suite) -> None:
    key, nonce = bytes(suite.key_size), bytes(12)
    sealed = suite.encrypt(key, nonce, b"a stitch", b"header")
    assert len(sealed) == 8 + TAG_SIZE
    assert suite.decrypt(key, nonce, sealed, b"header") == b"a stitch"
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealError):
            suite.decrypt(key, nonce, bytes(changed), b"header")
    for length in range(len(sealed)):
        with pytest.raises(SealError):
            suite.decrypt(key, nonce, sealed[:length], b"header")
    with pytest.raises(SealError):
        suite.decrypt(key, nonce, sealed, b"heaDer")


@pytest.mark.parametrize("name", ["SM4-GCM", "", 7, None, ["SM4-GCM-SM3"]])
def test_an_unknown_suite_is_refused(name: object) -> None:
    with pytest.raises(SealError, match="is not one of"):
        suite_named(name)
