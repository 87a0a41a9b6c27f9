"""Hours watched: what was played on a page that was seen, at which speed; what was seen twice counts once and in total.

A page tells every few seconds which parts it played. The server merges them, clips them to the recording, and believes
nobody who played more than time went by: a person watches one recording at a time.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from annotation.values import AnnotationError, as_number, as_object, bad

from .body import as_list

#: Parts in one report.
PARTS_LIMIT: Final = 100
SPEEDS: Final = (0.1, 16.0)
#: Parts nearer than this to each other are one: between two frames nothing is missed (seconds).
JOINED: Final = 0.25
#: Reports are some seconds late, and clocks differ (seconds).
SLACK: Final = 10.0
#: A first report, or one after a long silence of the line, tells so much at most (seconds of watching).
MOST_AT_ONCE: Final = 300.0

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Played:
    """A part of a recording that was played, in seconds of it, and how fast."""

    begins: float
    ends: float
    speed: float

    @property
    def spent(self) -> float:
        """How long it took, in seconds."""
        return (self.ends - self.begins) / self.speed


def parse_played(body: dict[str, Any]) -> tuple[Played, ...]:
    """Parse a report. Raise AnnotationError bad_message."""
    played = []
    for value in as_list(body.get("played"), "played", PARTS_LIMIT, 1):
        part = as_object(value, "played")
        begins, ends = as_number(part.get("from"), "from", 0, 1e6), as_number(part.get("to"), "to", 0, 1e6)
        if ends <= begins:
            raise bad("to", "must be greater than from")
        played.append(Played(begins, ends, as_number(part.get("speed"), "speed", *SPEEDS)))
    return tuple(played)


def merge(ranges: Iterable[Range]) -> list[Range]:
    """Merge what overlaps or all but touches, in order."""
    merged: list[Range] = []
    for begins, ends in sorted(ranges):
        if merged and begins <= merged[-1][1] + JOINED:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ends))
        else:
            merged.append((begins, ends))
    return merged


def length(ranges: Sequence[Range]) -> float:
    """Add merged ranges up, in seconds."""
    return sum(ends - begins for begins, ends in ranges)


def within(ranges: Sequence[Range], begins: float, ends: float) -> float:
    """Tell how much of a part merged ranges cover, in seconds."""
    return sum(max(0.0, min(ends, until) - max(begins, since)) for since, until in ranges)


def report(
    connection: sqlite3.Connection,
    person: str,
    recording: str,
    seconds: float,
    played: Sequence[Played],
    now: float,
) -> dict[str, float]:
    """Add what was played to somebody's hours; tell what they are for this recording.

    Raise AnnotationError conflict where more was played than time has gone by since his last report.
    """
    # until when his time is used up: whoever reports often has no more of it
    used = connection.execute(
        "SELECT max(used) FROM training_watched WHERE person = ?", (person,)
    ).fetchone()[0]
    since = now - MOST_AT_ONCE if used is None else max(used, now - MOST_AT_ONCE)
    clipped = [
        Played(part.begins, min(part.ends, seconds), part.speed) for part in played if part.begins < seconds
    ]
    spent = sum(part.spent for part in clipped)
    if since + spent > now + SLACK:
        raise AnnotationError("conflict", "More was played than time has gone by: it is not counted.")
    row = connection.execute(
        "SELECT * FROM training_watched WHERE person = ? AND recording = ?", (person, recording)
    ).fetchone()
    before = [] if row is None else [(a, b) for a, b in json.loads(row["ranges"])]
    speeds: dict[str, float] = {} if row is None else json.loads(row["speeds"])
    for part in clipped:
        key = f"{part.speed:g}"
        speeds[key] = round(speeds.get(key, 0.0) + part.ends - part.begins, 3)
    ranges = merge([*before, *((part.begins, part.ends) for part in clipped)])
    total = (0.0 if row is None else row["total"]) + sum(part.ends - part.begins for part in clipped)
    connection.execute(
        "INSERT OR REPLACE INTO training_watched VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            person,
            recording,
            seconds,
            json.dumps([[round(a, 3), round(b, 3)] for a, b in ranges], separators=(",", ":")),
            total,
            (0.0 if row is None else row["spent"]) + spent,
            json.dumps(speeds),
            now,
            since + spent,
        ),
    )
    return {"once": round(length(ranges), 3), "total": round(total, 3)}


def ranges_of(connection: sqlite3.Connection, person: str, recording: str) -> list[Range]:
    """Read which parts of a recording somebody has seen."""
    row = connection.execute(
        "SELECT ranges FROM training_watched WHERE person = ? AND recording = ?", (person, recording)
    ).fetchone()
    return [] if row is None else [(a, b) for a, b in json.loads(row["ranges"])]


def hours_of(connection: sqlite3.Connection, person: str) -> dict[str, Any]:
    """Add up what somebody watched, in seconds: each part once, all, and the time that it took; and each recording."""
    recordings = [
        {
            "recording": row["recording"],
            "seconds": row["seconds"],
            "once": round(length([(a, b) for a, b in json.loads(row["ranges"])]), 1),
            "total": round(row["total"], 1),
            "spent": round(row["spent"], 1),
            "speeds": json.loads(row["speeds"]),
            "heard": row["heard"] * 1000,
        }
        for row in connection.execute(
            "SELECT * FROM training_watched WHERE person = ? ORDER BY heard DESC", (person,)
        )
    ]
    sums = {name: round(sum(one[name] for one in recordings), 1) for name in ("once", "total", "spent")}
    return {**sums, "recordings": recordings}
