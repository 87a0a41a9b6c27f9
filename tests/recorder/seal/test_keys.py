"""A data key is wrapped for its owners, wrapped anew when the hospital changes its key, and destroyed for good."""

import json
from pathlib import Path

import pytest

from recorder.seal import keys, sm2
from recorder.seal.keys import KEY_FILE, DataKey, WrappedKey
from recorder.seal.suites import AES, SM4, SealError, Suite

NAME = "20261122-101500-demo-3f9a"


def pair(folder: Path, name: str) -> tuple[Path, Path]:
    private, public = folder / f"{name}.private.pem", folder / f"{name}.pem"
    sm2.generate(private)
    public.write_bytes(sm2.public_of(private))
    return private, public


@pytest.mark.parametrize("suite", [SM4, AES], ids=["SM4", "AES"])
def test_each_owner_opens_it(suite: Suite, tmp_path: Path) -> None:
    owners = [pair(tmp_path, "hospital"), pair(tmp_path, "trust")]
    key = DataKey.random(suite)
    keys.write(tmp_path, keys.wrap(NAME, key, [public for _, public in owners]))
    wrapped = keys.read(tmp_path)
    assert wrapped is not None
    assert wrapped.recording == NAME
    assert [wrapped.open(private) for private, _ in owners] == [key, key]
    assert key.key.hex() not in (tmp_path / KEY_FILE).read_text()
    with pytest.raises(SealError, match="sealed for another key"):
        wrapped.open(pair(tmp_path, "stranger")[0])


def test_the_hospital_changes_its_key(tmp_path: Path) -> None:
    (old, old_public), (new, new_public) = pair(tmp_path, "old"), pair(tmp_path, "new")
    key = DataKey.random(SM4)
    keys.write(tmp_path, keys.wrap(NAME, key, [old_public]))
    before = keys.read(tmp_path)
    assert before is not None
    keys.write(tmp_path, keys.wrap(NAME, before.open(old), [new_public]))
    after = keys.read(tmp_path)
    assert after is not None
    assert after.open(new) == key
    with pytest.raises(SealError, match="another key"):
        after.open(old)


def test_an_erased_key_is_gone(tmp_path: Path) -> None:
    keys.write(tmp_path, keys.wrap(NAME, DataKey.random(SM4), [pair(tmp_path, "hospital")[1]]))
    keys.erase(tmp_path)
    assert keys.read(tmp_path) is None
    assert not (tmp_path / KEY_FILE).exists()


def test_a_wrapped_key_of_another_length_is_refused(tmp_path: Path) -> None:
    private, public = pair(tmp_path, "hospital")
    wrapped = WrappedKey(NAME, SM4, {sm2.fingerprint(public): sm2.wrap(public, bytes(32))})
    with pytest.raises(SealError, match="has 16 bytes, not 32"):
        wrapped.open(private)


GOOD: dict[str, object] = {"version": 1, "recording": NAME, "suite": SM4.name, "wrapped": {"ab": "AAAA"}}


WRONG: list[dict[str, object]] = [
    {"version": 2},
    {"recording": 1},
    {"suite": "none"},
    {"wrapped": {}},
    {"wrapped": []},
    {"wrapped": {"ab": 5}},
    {"wrapped": {"ab": "A*"}},
    {"wrapped": {str(n): "AAAA" for n in range(17)}},
    {"more": "x" * 70_000},
]
NO_JSON = [b"", b"[" * 100_000, b"[]"]


@pytest.mark.parametrize("content", [*NO_JSON, *(json.dumps(GOOD | change).encode() for change in WRONG)])
def test_a_key_file_that_is_none_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(SealError):
        keys.read(tmp_path)


def test_there_is_none_beside_a_journal_that_is_not_sealed(tmp_path: Path) -> None:
    assert keys.read(tmp_path) is None
