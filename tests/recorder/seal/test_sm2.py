"""SM2: the standard's own signature is right, one's own can be opened, and nothing else."""

import base64
from pathlib import Path

import pytest

from recorder.seal import sm2
from recorder.seal.suites import SealError

# GB/T 32918.5-2017, A.2: the key pair and the signature of "message digest" by the identity 1234567812345678
PUBLIC = (
    "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
R = "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
S = "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
# SubjectPublicKeyInfo (RFC 5480) of a point on curve 1.2.156.10197.1.301
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")


def pem(der: bytes) -> bytes:
    return b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der) + b"-----END PUBLIC KEY-----\n"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("keys")
    private, public = folder / "private.pem", folder / "public.pem"
    sm2.generate(private)
    public.write_bytes(sm2.public_of(private))
    return private, public


def test_the_standards_signature_is_right(tmp_path: Path) -> None:
    public = tmp_path / "public.pem"
    public.write_bytes(pem(_SPKI + b"\x04" + bytes.fromhex(PUBLIC)))
    numbers = b"".join(b"\x02\x21\x00" + bytes.fromhex(number) for number in (R, S))
    signature = b"\x30" + bytes([len(numbers)]) + numbers
    assert sm2.verify(public, b"message digest", signature)
    assert not sm2.verify(public, b"message digesT", signature)
    assert not sm2.verify(public, b"message digest", signature[:-1] + b"\xab")


def test_a_key_is_wrapped_and_unwrapped(keys: tuple[Path, Path]) -> None:
    private, public = keys
    for secret in (bytes(range(16)), bytes(range(32))):
        wrapped = sm2.wrap(public, secret)
        assert wrapped != sm2.wrap(public, secret)
        assert secret not in wrapped
        assert sm2.unwrap(private, wrapped) == secret


def test_a_changed_wrapped_key_does_not_open(keys: tuple[Path, Path]) -> None:
    private, public = keys
    wrapped = sm2.wrap(public, bytes(16))
    for place in (0, 5, 40, len(wrapped) // 2, len(wrapped) - 1):
        changed = bytearray(wrapped)
        changed[place] ^= 1
        with pytest.raises(SealError):
            sm2.unwrap(private, bytes(changed))
    for junk in (b"", bytes(100), bytes(5000)):
        with pytest.raises(SealError):
            sm2.unwrap(private, junk)


def test_somebody_elses_key_opens_and_signs_nothing(keys: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    sm2.generate(other)
    with pytest.raises(SealError):
        sm2.unwrap(other, sm2.wrap(keys[1], bytes(16)))
    assert not sm2.verify(keys[1], b"manifest", sm2.sign(other, b"manifest"))
    assert sm2.verify(keys[1], b"manifest", sm2.sign(keys[0], b"manifest"))


def test_a_private_key_is_its_owners_alone_and_never_replaced(keys: tuple[Path, Path]) -> None:
    assert keys[0].stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        sm2.generate(keys[0])


NOT_KEYS = [b"", b"-----BEGIN PUBLIC KEY-----\n", b"x" * 20_000, pem(_SPKI + b"\x04" + bytes(64))]


@pytest.mark.parametrize("content", NOT_KEYS)
def test_what_is_no_key_is_refused(content: bytes, tmp_path: Path) -> None:
    public = tmp_path / "public.pem"
    public.write_bytes(content)
    for attempt in (
        lambda: sm2.wrap(public, bytes(16)),
        lambda: sm2.fingerprint(public),
        lambda: sm2.verify(public, b"", b""),
    ):
        with pytest.raises(SealError):
            attempt()
    with pytest.raises(SealError, match="cannot be read"):
        sm2.wrap(tmp_path / "none.pem", bytes(16))


def test_without_openssl_it_says_what_to_install(
    keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SealError, match="install the package openssl"):
        sm2.wrap(keys[1], bytes(16))
