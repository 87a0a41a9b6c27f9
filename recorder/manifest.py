"""A recording's manifest: what it consists of, signed, each bound to the one before (FORMAT.md, "Manifest").

It is made when a recording is finished and its files are. Whoever has the hospital's public signing key, and
nothing else, can tell whether anything was changed, taken away or slipped in since, in a recording or among them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from dataclasses import fields as fields_of
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from .journal import JsonObject
from .seal.digest import SM3_SIZE, sm3

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
#: What the export leaves for whoever signs: the parts and the log's head, JSON.
UNSIGNED = "unsigned.json"

_VERSION = 1
_MAX_SIZE = 16 << 20
_MAX_PARTS = 20_000
_READ = 1 << 20


class ManifestError(ValueError):
    """A manifest is not one, or not what FORMAT.md describes."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a recording. `sm3` is of its bytes as they lie on the disk, hexadecimal."""

    name: str
    size: int
    sm3: str


@dataclass(frozen=True, slots=True)
class Link:
    """The manifest that was made before this one: its recording and SM3."""

    recording: str
    sm3: str


@dataclass(frozen=True, slots=True)
class JournalEnd:
    """How far a journal goes. `until` is the time of its newest record, Unix ns."""

    until: int = 0
    #: Bytes that belong to no whole block, and packets that never reached the journal, as it says itself.
    ignored_bytes: int = 0
    packets_left_out: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is signed. `made` is Unix seconds; `state`: complete or truncated, as the recorder found it."""

    recording: str
    room: str
    started: int  # Unix ns
    state: str
    made: int
    signer: str
    parts: tuple[Part, ...]
    #: Operations of the room's log that the recording holds, and the SM3 that chains them.
    operations: int
    log_head: str
    previous: Link | None = None
    journal: JournalEnd = JournalEnd()
    #: The SM3 of the manifests that were this recording's before it was repaired, the oldest first.
    replaces: tuple[str, ...] = ()

    def __bytes__(self) -> bytes:
        fields: JsonObject = {
            "version": _VERSION,
            "recording": self.recording,
            "room": self.room,
            "started": self.started,
            "state": self.state,
            "made": self.made,
            "signer": self.signer,
            "journal": asdict(self.journal),
            "log": {"operations": self.operations, "head": self.log_head},
            "parts": [{"name": part.name, "bytes": part.size, "sm3": part.sm3} for part in self.parts],
            "previous": None
            if self.previous is None
            else {"recording": self.previous.recording, "sm3": self.previous.sm3},
        }
        if self.replaces:
            fields["replaces"] = list(self.replaces)
        return json.dumps(fields, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Parse a manifest. Raises ManifestError."""
        if len(data) > _MAX_SIZE:
            raise ManifestError("The manifest is longer than any.")
        try:
            fields = json.loads(data)
            if fields["version"] != _VERSION:
                raise ManifestError(f"The manifest is not of version {_VERSION}.")
            parts = fields["parts"]
            if not isinstance(parts, list) or len(parts) > _MAX_PARTS:
                raise ManifestError("The manifest has no list of parts, or one that is too long.")
            link = fields["previous"]
            # manifests of before say nothing of it
            end = fields.get("journal", {})
            return cls(
                recording=_text(fields["recording"]),
                room=_text(fields["room"]),
                started=_number(fields["started"]),
                state=_text(fields["state"]),
                made=_number(fields["made"]),
                signer=_hash(fields["signer"]),
                parts=tuple(
                    Part(_name(part["name"]), _number(part["bytes"]), _hash(part["sm3"])) for part in parts
                ),
                operations=_number(fields["log"]["operations"]),
                log_head=_hash(fields["log"]["head"]),
                previous=None if link is None else Link(_text(link["recording"]), _hash(link["sm3"])),
                replaces=tuple(_hash(one) for one in _few(fields.get("replaces", []))),
                journal=JournalEnd(*(_number(end.get(field.name, 0)) for field in fields_of(JournalEnd))),
            )
        except ManifestError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ManifestError("The manifest cannot be read.") from None


def hash_file(path: Path) -> Part:
    """Hash a file of any size. Raises OSError."""
    context = hashes.Hash(hashes.SM3())
    size = 0
    with path.open("rb") as file:
        while data := file.read(_READ):
            context.update(data)
            size += len(data)
    return Part(path.name, size, context.finalize().hex())


def chain(head: bytes, operation: bytes) -> bytes:
    """Add an operation, as the journal holds it, to the chain of a room's log; it begins with SM3_SIZE zeros."""
    return sm3(head + operation)


def _few(value: object) -> list[object]:
    if not isinstance(value, list) or len(value) > 1000:
        raise ManifestError("A field of the manifest is no list, or too long a one.")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise ManifestError("A field of the manifest is no text.")
    return value


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ManifestError("A field of the manifest is no number.")
    return value


def _name(value: object) -> str:
    name = _text(value)
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise ManifestError("The manifest names a file that cannot be one of the recording's.")
    return name


def _hash(value: object) -> str:
    text = _text(value)
    if len(text) != 2 * SM3_SIZE or text.strip("0123456789abcdef"):
        raise ManifestError("A field of the manifest is no SM3.")
    return text
