"""What people answered: kept for good, the first and the best of each told."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from annotation.shapes import Mark
from annotation.values import AnnotationError

from .questions import ATTEMPTS_LIMIT, Scored

#: Passed ones first, then the nearest; of areas the one that overlaps most.
_BEST = "ORDER BY passed DESC, coalesce(overlap, 0) DESC, distance, id LIMIT 1"


def insert(
    connection: sqlite3.Connection, row: sqlite3.Row, person: str, mark: Mark, scored: Scored, now: float
) -> None:
    """Keep an attempt at a question as it was asked (`row`). Raise AnnotationError conflict: there were too many."""
    question = row["id"]
    count = connection.execute(
        "SELECT count(*) FROM training_attempt WHERE question = ? AND person = ?", (question, person)
    ).fetchone()[0]
    if count >= ATTEMPTS_LIMIT:
        raise AnnotationError("conflict", f"A question can be answered {ATTEMPTS_LIMIT} times.")
    connection.execute(
        "INSERT INTO training_attempt (question, person, made, mark, distance, overlap, passed, version) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            question,
            person,
            now,
            json.dumps(mark.to_json(), separators=(",", ":")),
            scored.distance,
            scored.overlap,
            int(scored.passed),
            row["version"],
        ),
    )


def results(connection: sqlite3.Connection, question: str, person: str) -> dict[str, Any]:
    """Tell how often somebody answered a question, his first attempt and his best."""
    of = "FROM training_attempt WHERE question = ? AND person = ?"
    named = (question, person)
    count = connection.execute(f"SELECT count(*) {of}", named).fetchone()[0]
    first = connection.execute(f"SELECT * {of} ORDER BY id LIMIT 1", named).fetchone()
    best = connection.execute(f"SELECT * {of} {_BEST}", named).fetchone()
    return {"attempts": count, "first": _told(first), "best": _told(best)}


def of_question(connection: sqlite3.Connection, question: str) -> list[dict[str, Any]]:
    """List what everybody answered, the oldest first; `first`: it was his first attempt."""
    rows = connection.execute(
        "SELECT a.*, p.name FROM training_attempt a JOIN training_person p ON p.id = a.person "
        "WHERE a.question = ? ORDER BY a.id",
        (question,),
    )
    met: set[str] = set()
    told = []
    for row in rows:
        one = {"person": row["person"], "name": row["name"], "first": row["person"] not in met}
        told.append(one | (_told(row) or {}))
        met.add(row["person"])
    return told


def open_to(connection: sqlite3.Connection, recording: str, person: str) -> list[sqlite3.Row]:
    """List a recording's questions that somebody never answered."""
    return connection.execute(
        "SELECT * FROM training_question q WHERE recording = ? AND removed IS NULL AND NOT EXISTS "
        "(SELECT 1 FROM training_attempt a WHERE a.question = q.id AND a.person = ?)",
        (recording, person),
    ).fetchall()


def _told(row: sqlite3.Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "mark": json.loads(row["mark"]),
        "distance": round(row["distance"], 4),
        "overlap": None if row["overlap"] is None else round(row["overlap"], 4),
        "passed": bool(row["passed"]),
        "made": row["made"] * 1000,
        "version": row["version"],
    }
