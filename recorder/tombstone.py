"""What stays of a recording that was deleted: its manifest, and a signed note that says so.

So the chain of manifests is followed over it, and whoever verifies the archive reads that it was deleted by decision,
and when, instead of that it is missing. Without the signing key nobody makes one to cover up a theft.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .manifest import MANIFEST, SIGNATURE, ManifestError
from .parts import write_part
from .seal import sm2
from .seal.digest import SM3_SIZE, sm3

TOMBSTONE = "deleted.json"
TOMBSTONE_SIGNATURE = "deleted.sig"

#: What stays in the folder.
STAYS = frozenset({MANIFEST, SIGNATURE, TOMBSTONE, TOMBSTONE_SIGNATURE})

_VERSION = 1
_MAX_SIZE = 4096


@dataclass(frozen=True, slots=True)
class Tombstone:
    """`manifest`: the SM3 of the recording's manifest, empty where it had none; `deleted` is Unix seconds;
    `request`: the number of the request that two people agreed on."""

    recording: str
    manifest: str
    deleted: int
    request: int

    def __bytes__(self) -> bytes:
        fields = {
            "version": _VERSION,
            "recording": self.recording,
            "manifest": self.manifest,
            "deleted": self.deleted,
            "request": self.request,
        }
        return json.dumps(fields, indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> Tombstone:
        """Parse a tombstone. Raises ManifestError."""
        try:
            fields = json.loads(data)
            recording, manifest = fields["recording"], fields["manifest"]
            deleted, request = fields["deleted"], fields["request"]
            version = fields["version"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ManifestError("The note of a deletion cannot be read.") from None
        if version != _VERSION or not isinstance(recording, str) or not isinstance(manifest, str):
            raise ManifestError(f"The note of a deletion is not of version {_VERSION}.")
        if manifest and (len(manifest) != 2 * SM3_SIZE or manifest.strip("0123456789abcdef")):
            raise ManifestError("The note of a deletion names no manifest.")
        for number in (deleted, request):
            if type(number) is not int or not 0 <= number < 1 << 63:
                raise ManifestError("A field of the note of a deletion is no number.")
        return cls(recording, manifest, deleted, request)


def lay(folder: Path, signing: Path, now: float, request: int) -> None:
    """Sign a recording's tombstone, before anything of it goes; one that is there stays. Raises SealError, OSError."""
    if (folder / TOMBSTONE).exists():
        return
    manifest = folder / MANIFEST
    digest = sm3(manifest.read_bytes()).hex() if manifest.exists() else ""
    data = bytes(Tombstone(folder.name, digest, int(now), request))
    write_part(folder / TOMBSTONE_SIGNATURE, sm2.sign(signing, data), None)
    write_part(folder / TOMBSTONE, data, None)


def read(folder: Path, public: Path) -> Tombstone:
    """Read a folder's tombstone and hold it against the signing key. Raises ManifestError, SealError, OSError."""
    with (folder / TOMBSTONE).open("rb") as file:
        data = file.read(_MAX_SIZE + 1)
    if len(data) > _MAX_SIZE:
        raise ManifestError("The note of its deletion is longer than any.")
    if not sm2.verify(public, data, (folder / TOMBSTONE_SIGNATURE).read_bytes()):
        raise ManifestError("The note of its deletion is not signed by the hospital: it was taken away.")
    tombstone = Tombstone.parse(data)
    if tombstone.recording != folder.name:
        raise ManifestError(f"The note of its deletion is that of {tombstone.recording}.")
    return tombstone
