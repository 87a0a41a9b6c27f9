"""What of training goes with a deleted recording, and what stays: nothing that shows or tells what was in it.

Its questions and all that was answered to them go: prompts, words, marks on its frames. It leaves the playlists,
whose words trainees are told no more until they are written anew: what hid its patient in them has gone. What
somebody has done stays, since it is his: how many seconds he watched, certificates, and how he was assessed, which was
signed and is never changed; of the recording they know the name, as the audit book does.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable

from ..database import Database


async def forget(database: Database, recording: str, now: Callable[[], float]) -> str:
    """Forget a deleted recording, once or again; says what remains: nothing. `now` gives Unix seconds."""
    at = now()
    await database.run(lambda connection: _forget(connection, recording, at))
    return ""


def _forget(connection: sqlite3.Connection, recording: str, now: float) -> None:
    of_it = " WHERE question IN (SELECT id FROM training_question WHERE recording = ?)"
    connection.execute("DELETE FROM training_attempt" + of_it, (recording,))
    connection.execute("DELETE FROM training_question_before" + of_it, (recording,))
    connection.execute("DELETE FROM training_question WHERE recording = ?", (recording,))
    for row in connection.execute("SELECT id, items FROM training_playlist").fetchall():
        items = json.loads(row["items"])
        left = [item for item in items if item["recording"] != recording]
        if len(left) == len(items):
            continue
        connection.execute(
            "UPDATE training_playlist SET items = ?, lost = 1, "
            "removed = CASE WHEN ? THEN removed ELSE coalesce(removed, ?) END WHERE id = ?",
            (json.dumps(left), bool(left), now, row["id"]),
        )
