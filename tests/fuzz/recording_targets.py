"""What stands in a recording: a part of a frozen frame's file, a manifest, a wrapped key, a journal's header."""

from __future__ import annotations

import json

from recorder.journal import JournalError, JournalHeader, Seal
from recorder.manifest import Link, Manifest, ManifestError, Part
from recorder.seal.keys import WrappedKey
from recorder.seal.suites import SM4, SealError
from recorder.stills import MAX_STILL, StillPart

REFUSALS = (JournalError, ManifestError, SealError)

#: The second begins so far in that its end goes beyond 32 bits.
PARTS = (
    bytes(StillPart(7, 3735928559, bytes(range(32)), 12, 4, b"\x89PNG")),
    bytes(StillPart(1, 0, bytes(32), MAX_STILL, 0xFFFFFFFF, b"x")),
)


def read_part(data: bytes) -> None:
    """Read a part: it lies within its file, whose size is allowed, and is written as it was read."""
    part = StillPart.parse(data)
    assert part.data
    assert part.position + len(part.data) <= part.size <= MAX_STILL
    assert bytes(part) == data


HEADERS = (
    bytes(JournalHeader("20261122-101500-demo-3f9a", "demo", 1, {}, Seal("SM4-GCM-SM3", bytes(16)))),
    bytes(JournalHeader("r", "demo", 1, {"a": [1]})),
)
_PARTS = (Part("journal.kjr", 5, "ab" * 32), Part("7.mp4", 1 << 40, "00" * 32))
MANIFESTS = (
    bytes(Manifest("r", "demo", 1, "complete", 2, "cd" * 32, _PARTS, 3, "ef" * 32, Link("q", "12" * 32))),
    bytes(Manifest("r", "demo", 1, "truncated", 2, "cd" * 32, (), 0, "00" * 32)),
)
KEYS = (bytes(WrappedKey("r", SM4, {"ab" * 32: bytes(range(120))})),)


def read_header(data: bytes) -> None:
    """Read a journal's header, and write it so that it is read as the same."""
    header = JournalHeader.parse(data)
    assert JournalHeader.parse(bytes(header)) == header


def read_manifest(data: bytes) -> None:
    """Read a manifest: none of its names leads out of the recording's folder."""
    manifest = Manifest.parse(data)
    assert all("/" not in part.name and part.name not in ("", ".", "..") for part in manifest.parts)
    assert Manifest.parse(bytes(manifest)) == manifest


def read_wrapped_key(data: bytes) -> None:
    """Read a key file."""
    wrapped = WrappedKey.parse(data)
    assert 0 < len(wrapped.wrapped) <= 16
    assert json.loads(bytes(wrapped))["recording"] == wrapped.recording
