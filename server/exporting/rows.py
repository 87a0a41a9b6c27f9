"""The exports as the database has them."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Literal, cast

State = Literal["waiting", "running", "done", "failed", "cancelled", "needs_sign_off"]

SCRIPTS = (
    """
    CREATE TABLE export (
        export TEXT PRIMARY KEY, recording TEXT NOT NULL, room TEXT NOT NULL, kind TEXT NOT NULL,
        person TEXT NOT NULL, asked REAL NOT NULL, finished REAL, state TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, files TEXT NOT NULL DEFAULT '[]', error TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX export_recording ON export (recording)
    """,
    """
    ALTER TABLE export ADD COLUMN signed REAL;
    ALTER TABLE export ADD COLUMN signer TEXT NOT NULL DEFAULT ''
    """,
    "ALTER TABLE export ADD COLUMN code TEXT NOT NULL DEFAULT ''",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One export. `person` is who asked (`bearer.person_of`), `signer` who signed it off; times are Unix seconds.

    `error` and `code` say why it failed (`recorder.export.failing`).
    """

    export: str
    recording: str
    room: str
    kind: str
    person: str
    asked: float
    state: State
    finished: float | None = None
    attempts: int = 0
    files: tuple[dict[str, Any], ...] = ()
    error: str = ""
    signed: float | None = None
    signer: str = ""
    code: str = ""


def insert(connection: sqlite3.Connection, row: Row) -> None:
    """Write a new one down."""
    connection.execute(
        "INSERT INTO export (export, recording, room, kind, person, asked, state) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row.export, row.recording, row.room, row.kind, row.person, row.asked, row.state),
    )


def find(connection: sqlite3.Connection, export: str) -> Row | None:
    """Read one."""
    found = connection.execute("SELECT * FROM export WHERE export = ?", (export,)).fetchone()
    return None if found is None else _row(found)


def select(connection: sqlite3.Connection, where: str = "1", values: tuple[object, ...] = ()) -> list[Row]:
    """Read those that meet a condition, the oldest first."""
    # the condition is written in this package, only values come from outside
    query = f"SELECT * FROM export WHERE {where} ORDER BY asked, export"
    return [_row(found) for found in connection.execute(query, values)]


def mark(connection: sqlite3.Connection, export: str, state: State, error: str = "") -> None:
    """Change its state."""
    connection.execute("UPDATE export SET state = ?, error = ? WHERE export = ?", (state, error, export))


def begin(connection: sqlite3.Connection, export: str) -> None:
    """Say that a worker has it."""
    connection.execute(
        "UPDATE export SET state = 'running', attempts = attempts + 1 WHERE export = ?", (export,)
    )


def finish(
    connection: sqlite3.Connection, export: str, state: State, files: list[dict[str, Any]], now: float
) -> None:
    """Say what came of it, unless it was cancelled meanwhile."""
    connection.execute(
        "UPDATE export SET state = ?, files = ?, finished = ? WHERE export = ? AND state != 'cancelled'",
        (state, json.dumps(files), now, export),
    )


def sign(connection: sqlite3.Connection, export: str, person: str, now: float) -> bool:
    """Say that somebody has looked at it; False: it does not wait for that."""
    done = connection.execute(
        "UPDATE export SET state = 'done', signed = ?, signer = ? WHERE export = ? AND state = 'needs_sign_off'",
        (now, person, export),
    )
    return done.rowcount == 1


def delete(connection: sqlite3.Connection, export: str) -> None:
    """Forget it."""
    connection.execute("DELETE FROM export WHERE export = ?", (export,))


def _row(found: sqlite3.Row) -> Row:
    return Row(
        export=found["export"],
        recording=found["recording"],
        room=found["room"],
        kind=found["kind"],
        person=found["person"],
        asked=found["asked"],
        state=cast(State, found["state"]),
        finished=found["finished"],
        attempts=found["attempts"],
        files=tuple(json.loads(found["files"])),
        error=found["error"],
        signed=found["signed"],
        signer=found["signer"],
        code=found["code"],
    )
