"""How much is kept: by room, class and month, here and moved out; how full the disk is, and when it will be."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recorder.library import Library
from recorder.manifest import ManifestError
from recorder.moved import moved_parts

from .forecast import forecast


@dataclass(frozen=True, slots=True)
class Size:
    """A recording's bytes on this disk, and those that were moved out."""

    here: int
    moved: int


@dataclass(frozen=True, slots=True)
class Disk:
    """The recordings' disk; `reserve` bytes are kept free. `exports` bytes are films taken out of recordings."""

    total: int
    free: int
    reserve: int
    exports: int


def sizes(library: Library) -> dict[str, Size]:
    """Measure every recording. Call it in a thread."""
    found = {}
    for name in library.names():
        folder = library.root / name
        with contextlib.suppress(OSError, ManifestError):
            moved = moved_parts(folder)
            there = {entry.name for entry in os.scandir(folder)}
            away = sum(size for file, size in moved.items() if file not in there)
            found[name] = Size(_bytes(folder), away)
    return found


def disk_of(library: Library, reserve: int) -> Disk:
    """Measure the recordings' disk. Raises OSError."""
    library.root.mkdir(parents=True, exist_ok=True)
    usage = shutil.disk_usage(library.root)
    exports = library.root / "exports"
    return Disk(usage.total, usage.free, reserve, _bytes(exports) if exports.is_dir() else 0)


def _bytes(folder: Path) -> int:
    size = 0
    for path, _, files in os.walk(folder):
        for file in files:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(path, file)).st_size
    return size


def report(
    c: sqlite3.Connection, measured: Mapping[str, Size], disk: Disk, now: int, own: str | None
) -> dict[str, Any]:
    """Add up. Rooms other than `own` are one line without a name; all have names where `own` is None."""
    rows = [
        row for row in c.execute("SELECT * FROM kept WHERE deleted IS NULL") if row["recording"] in measured
    ]
    rooms: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    months: dict[str, Counter[str]] = {}
    for row in rows:
        size, room = measured[row["recording"]], row["room"] if own in (None, row["room"]) else ""
        rooms[room] += size.here
        classes[row["class"]] += size.here
        month = months.setdefault(f"{datetime.fromtimestamp(row['started'] / 1000, UTC):%Y-%m}", Counter())
        month["here"] += size.here
        month["moved"] += size.moved
        month["recordings"] += 1
    left = disk.free - disk.reserve
    ahead = forecast(_recorded(rows, measured), now, left)
    return {
        "disk": {"total": disk.total, "free": disk.free, "reserve": disk.reserve, "exports": disk.exports},
        "rooms": [{"room": room, "bytes": size} for room, size in rooms.most_common()],
        "classes": [{"class": name, "bytes": size} for name, size in classes.most_common()],
        "months": [{"month": month, **months[month]} for month in sorted(months)],
        "growth": round(ahead.growth),
        "full": ahead.full,
        "copies": _copies(c, measured),
    }


def _recorded(rows: Iterable[sqlite3.Row], measured: Mapping[str, Size]) -> list[tuple[int, int]]:
    return [
        (row["started"], measured[row["recording"]].here + measured[row["recording"]].moved) for row in rows
    ]


def _copies(c: sqlite3.Connection, measured: Mapping[str, Size]) -> dict[str, int]:
    states = {row["recording"]: row for row in c.execute("SELECT * FROM copy")}
    of = [states.get(name) for name in measured]
    failed = sum(1 for state in of if state is not None and state["problem"])
    whole = sum(
        1 for state in of if state is not None and state["whole"] is not None and not state["problem"]
    )
    return {
        "whole": whole,
        "failed": failed,
        "waiting": len(measured) - whole - failed,
        "moved": sum(1 for size in measured.values() if size.moved),
    }
