"""The data key of a recording, in the file beside its journal, for those who may open it.

The journal is sealed under a random data key; only that key is wrapped by SM2. So a hospital changes its key
by wrapping anew, without touching a recording, and erases a recording wherever its bytes lie by destroying
this one small file (crypto-erasure, NIST SP 800-88, section 2.5).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from dataclasses import dataclass
from pathlib import Path

from . import sm2
from .suites import NoKeyError, SealError, Suite, suite_named

KEY_FILE = "key.json"

_VERSION = 1
_MAX_FILE = 64 << 10
#: Keys that one recording may be wrapped for.
_MAX_WRAPPED = 16


@dataclass(frozen=True, slots=True)
class DataKey:
    """What a recording is sealed with."""

    suite: Suite
    key: bytes

    @classmethod
    def random(cls, suite: Suite) -> DataKey:
        """Draw a new one."""
        return cls(suite, os.urandom(suite.key_size))


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A recording's data key as it lies on the disk: {fingerprint of an SM2 key: the data key for its owner}."""

    recording: str
    suite: Suite
    wrapped: dict[str, bytes]

    def __bytes__(self) -> bytes:
        fields = {
            "version": _VERSION,
            "recording": self.recording,
            "suite": self.suite.name,
            "wrapped": {name: base64.b64encode(data).decode() for name, data in self.wrapped.items()},
        }
        return json.dumps(fields, indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> WrappedKey:
        """Parse a key file. Raises SealError."""
        try:
            fields = json.loads(data)
        except (ValueError, RecursionError):
            raise SealError("The recording's key file is not JSON.") from None
        if not isinstance(fields, dict) or fields.get("version") != _VERSION:
            raise SealError(f"The recording's key file is not of version {_VERSION}.")
        recording, wrapped = fields.get("recording"), fields.get("wrapped")
        if (
            not isinstance(recording, str)
            or not isinstance(wrapped, dict)
            or not 0 < len(wrapped) <= _MAX_WRAPPED
        ):
            raise SealError("The recording's key file does not say whose key it is.")
        try:
            decoded = {name: base64.b64decode(text, validate=True) for name, text in wrapped.items()}
        except (binascii.Error, TypeError, ValueError):
            raise SealError("A wrapped key is not base64.") from None
        return cls(recording, suite_named(fields.get("suite")), decoded)

    def open(self, private: Path) -> DataKey:
        """Unwrap the data key. Takes about 20 ms. Raises SealError when it is wrapped for others."""
        name = sm2.fingerprint_of_pair(private)
        if name not in self.wrapped:
            raise NoKeyError("This recording is sealed for another key than the one that is configured.")
        key = sm2.unwrap(private, self.wrapped[name])
        if len(key) != self.suite.key_size:
            raise SealError(f"A key of {self.suite.name} has {self.suite.key_size} bytes, not {len(key)}.")
        return DataKey(self.suite, key)


def wrap(recording: str, key: DataKey, publics: list[Path]) -> WrappedKey:
    """Wrap a data key for the owners of these public keys. Raises SealError."""
    return WrappedKey(
        recording, key.suite, {sm2.fingerprint(public): sm2.wrap(public, key.key) for public in publics}
    )


def read(folder: Path) -> WrappedKey | None:
    """Read a recording's key file; None when there is none: not sealed, or erased. Raises SealError, OSError."""
    try:
        with (folder / KEY_FILE).open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except FileNotFoundError:
        return None
    if len(data) > _MAX_FILE:
        raise SealError("The recording's key file is longer than any.")
    return WrappedKey.parse(data)


def write(folder: Path, wrapped: WrappedKey) -> None:
    """Put a recording's key file on the disk, whole or not at all; one that is there is replaced. Raises OSError."""
    part = folder / (KEY_FILE + ".part")
    with part.open("wb") as file:
        os.fchmod(file.fileno(), 0o640)
        file.write(bytes(wrapped))
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / KEY_FILE)
    _sync(folder)


def erase(folder: Path) -> None:
    """Destroy a recording's key: nobody opens it again. Raises OSError."""
    path = folder / KEY_FILE
    with path.open("r+b") as file:
        # a file system may keep the old block; a snapshot keeps it for sure: FORMAT.md says so
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
