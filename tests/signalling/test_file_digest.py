"""A file's hash: the same however its bytes come, and the same as the page makes."""

from __future__ import annotations

from hashlib import sha256

from signalling.file_digest import BLOCK, FileDigest

#: Two blocks and a little; `web_client/test/hashing.test.ts` has the same.
DATA = bytes((index * 7 + 3) & 255 for index in range(256)) * (2 * BLOCK // 256) + b"last."
DIGEST = "7ac59e23f50b75b977260a623d9609cf7ecd95188188b93c5716aad249d18800"


def test_hashes_as_the_page_does_whatever_lengths_come() -> None:
    for length in (len(DATA), BLOCK, 1_000_003):
        digest = FileDigest()
        for at in range(0, len(DATA), length):
            digest.update(DATA[at : at + length])
        assert digest.hexdigest() == DIGEST


def test_is_sha256_over_the_sha256_of_each_block() -> None:
    hashes = [sha256(DATA[at : at + BLOCK]).digest() for at in (0, BLOCK, 2 * BLOCK)]
    assert sha256(b"".join(hashes)).hexdigest() == DIGEST
    assert FileDigest().hexdigest() == sha256().hexdigest()


def test_goes_on_after_it_was_told() -> None:
    digest = FileDigest()
    digest.update(DATA[:100])
    assert digest.hexdigest() == sha256(sha256(DATA[:100]).digest()).hexdigest()
    digest.update(DATA[100:])
    assert digest.hexdigest() == DIGEST
