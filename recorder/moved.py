"""A recording whose parts have left this disk for the second place: what stays here says which they are.

`moved.json` is there before the first part goes and until the last is back, so that a kill in between loses nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

from .manifest import ManifestError, Part
from .parts import write_part

MOVED = "moved.json"
#: What lists show stays (`library.SUMMARY`).
STAYS_HERE = frozenset({"summary.json"})

_VERSION = 1
_MAX_SIZE = 4 << 20
_MAX_PARTS = 20_000


def move_out(folder: Path, parts: tuple[Part, ...]) -> int:
    """Remove the parts, whose copies have been proved, but for what lists show; gives their bytes. Raises OSError."""
    going = [part for part in parts if part.name not in STAYS_HERE]
    note_moved(folder, going)
    for part in going:
        (folder / part.name).unlink(missing_ok=True)
    return sum(part.size for part in going)


def note_moved(folder: Path, going: list[Part]) -> None:
    """Write down which parts are, or will be, in the second place alone. Raises OSError."""
    fields = {"version": _VERSION, "parts": [{"name": part.name, "bytes": part.size} for part in going]}
    write_part(folder / MOVED, json.dumps(fields, indent=1).encode() + b"\n", None)


def moved_parts(folder: Path) -> dict[str, int]:
    """Read which parts are away, and their sizes; empty where none is. Raises ManifestError, OSError."""
    try:
        with (folder / MOVED).open("rb") as file:
            return parse_moved(file.read(_MAX_SIZE + 1))
    except FileNotFoundError:
        return {}


def parse_moved(data: bytes) -> dict[str, int]:
    """Parse the note. Raises ManifestError."""
    if len(data) > _MAX_SIZE:
        raise ManifestError("The note of what was moved is longer than any.")
    try:
        fields = json.loads(data)
        parts, version = fields["parts"], fields["version"]
        found = {part["name"]: part["bytes"] for part in parts}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ManifestError("The note of what was moved cannot be read.") from None
    if version != _VERSION or not isinstance(parts, list) or len(parts) > _MAX_PARTS:
        raise ManifestError(f"The note of what was moved is not of version {_VERSION}, or too long.")
    for name, size in found.items():
        if not isinstance(name, str) or not name or name in (".", "..") or "/" in name or "\0" in name:
            raise ManifestError(
                "The note of what was moved names a file that cannot be one of the recording's."
            )
        if type(size) is not int or not 0 <= size < 1 << 63:
            raise ManifestError("The note of what was moved says no size.")
    return found
