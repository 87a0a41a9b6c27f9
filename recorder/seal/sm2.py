"""SM2 (GB/T 32918): wrapping a data key for the hospital, signing a manifest, checking both.

It is OpenSSL's, asked through its command: `cryptography` has no SM2, and gmssl's draws its secret numbers
from a generator that can be foretold and does not look at what authenticates a ciphertext. An operation takes
about 6 ms: call it in a thread. Keys are PEM files, as `openssl genpkey -algorithm SM2` writes them; a secret
travels by a pipe, never as an argument and never to a file. What follows from a key file alone, its public half
and its name, is asked once for each content: a program goes by a few keys, and asks for their names all day.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .digest import sm3
from .suites import NoKeyError, SealError

#: The identity that a signature is bound to, as GM/T 0009 names it where nothing else was agreed.
_IDENTITY = "distid:1234567812345678"
_TIMEOUT = 10.0
_MAX_KEY_FILE = 16 << 10
#: A wrapped key of 32 bytes has 139 bytes of DER.
_MAX_WRAPPED = 1024
_MAX_SIGNATURE = 80


def generate(path: Path) -> None:
    """Make a key pair; the file must not exist and only its owner can read it. Raises SealError, OSError."""
    pem = _openssl("genpkey", "-algorithm", "SM2")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)


def public_of(private: Path) -> bytes:
    """Give the public key of a pair, PEM. Raises SealError."""
    return _derived(private, "-pubout")


def fingerprint(public: Path) -> str:
    """Name a public key: SM3 of its SubjectPublicKeyInfo (RFC 5480), in hexadecimal digits. Raises SealError."""
    return sm3(_derived(public, "-pubin", "-pubout", "-outform", "DER")).hex()


def fingerprint_of_pair(private: Path) -> str:
    """Name the public key of a pair as `fingerprint` does. Raises SealError."""
    return sm3(_derived(private, "-pubout", "-outform", "DER")).hex()


def wrap(public: Path, secret: bytes) -> bytes:
    """Encrypt a data key to whoever has the private key (DER after GM/T 0009, C1 C3 C2). Raises SealError."""
    return _openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", _key(public), given=secret)


def unwrap(private: Path, wrapped: bytes) -> bytes:
    """Decrypt a data key. Raises SealError when it was changed or wrapped for somebody else."""
    if len(wrapped) > _MAX_WRAPPED:
        raise SealError("A wrapped key is longer than any that SM2 makes.")
    return _openssl("pkeyutl", "-decrypt", "-inkey", _key(private), given=wrapped)


def sign(private: Path, data: bytes) -> bytes:
    """Sign data with SM2 and SM3; DER. Raises SealError."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return _openssl("pkeyutl", "-sign", "-inkey", _key(private), *_SIGNED, "-in", file.name)


def verify(public: Path, data: bytes, signature: bytes) -> bool:
    """Tell whether the signature is that key's for these data. Raises SealError for a key that is none."""
    fingerprint(public)  # what cannot be a key is not to be taken for a wrong signature
    if len(signature) > _MAX_SIGNATURE:
        return False
    with tempfile.TemporaryDirectory() as folder:
        signed, by = Path(folder, "data"), Path(folder, "signature")
        signed.write_bytes(data)
        by.write_bytes(signature)
        arguments = ("-in", str(signed), "-sigfile", str(by))
        try:
            _openssl("pkeyutl", "-verify", "-pubin", "-inkey", _key(public), *_SIGNED, *arguments)
        except SealError:
            return False
    return True


_SIGNED = ("-rawin", "-digest", "sm3", "-pkeyopt", _IDENTITY)


#: What was asked, of which content (its SM3: no private key stays in memory), and what OpenSSL said.
_known: dict[tuple[bytes, tuple[str, ...]], bytes] = {}
_MOST_KNOWN = 64


def _derived(path: Path, *wanted: str) -> bytes:
    """Ask `openssl pkey` for something public that follows from a key file's content, once."""
    try:
        content = Path(_key(path)).read_bytes()
    except OSError as error:
        raise NoKeyError(f"The file of a key cannot be read ({error.strerror}).") from None
    name = (sm3(content), wanted)
    answer = _known.get(name)
    if answer is None:
        answer = _openssl("pkey", *wanted, given=content)
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[name] = answer
    return answer


def _key(path: Path) -> str:
    """Give a key's file to the command, once it is one that can be a key."""
    try:
        if path.stat().st_size > _MAX_KEY_FILE:
            raise SealError("The file of a key is longer than any key.")
    except OSError as error:
        raise NoKeyError(f"The file of a key cannot be read ({error.strerror}).") from None
    return str(path.resolve())


def _openssl(*arguments: str, given: bytes = b"") -> bytes:
    command = shutil.which("openssl")
    if command is None:
        raise SealError("SM2 needs the command openssl 3: install the package openssl.")
    try:
        done = subprocess.run(
            [command, *arguments], input=given, capture_output=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise SealError("The command openssl did not answer.") from None
    if done.returncode:
        # what it says may quote what it was given
        raise SealError(f"SM2: `openssl {arguments[0]}` refused the key or what it was given.")
    return done.stdout
