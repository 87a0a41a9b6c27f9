"""What somebody has learned and noted in a room, erased at his wish: by the operator, and written into the audit book.

What he made or signed for others (questions, playlists, assessments of others) is theirs and stays as it was signed;
what it is bound to him by says no more who he was.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Final

from annotation.values import AnnotationError

from ..keeping import audit

#: Where others' things say who made them.
_MADE: Final = (
    "SELECT 1 FROM training_question WHERE made_by = :id",
    "SELECT 1 FROM training_question_before WHERE changed_by = :id",
    "SELECT 1 FROM training_playlist WHERE made_by = :id",
    "SELECT 1 FROM training_assessment WHERE by_person = :id",
)
#: What is his alone.
_HIS: Final = (
    "DELETE FROM training_attempt WHERE person = :id",
    "DELETE FROM training_watched WHERE person = :id",
    "DELETE FROM training_assessment WHERE person = :id",
    "DELETE FROM training_certificate WHERE person = :id",
)


def erase(connection: sqlite3.Connection, identifier: str, at: int) -> str:
    """Erase a person (`p-…`); give his room. `at` is Unix milliseconds. Raise AnnotationError not_found."""
    row = connection.execute("SELECT * FROM training_person WHERE id = ?", (identifier,)).fetchone()
    if row is None:
        raise AnnotationError("not_found", "Nobody has this identifier.")
    room, named = str(row["room"]), {"id": identifier}
    for statement in _HIS:
        connection.execute(statement, named)
    notes = connection.execute(
        "SELECT number, recording FROM note WHERE person = ?", (row["person"],)
    ).fetchall()
    for note in notes:
        if audit.room_of(note["recording"]) == room:
            connection.execute("DELETE FROM note WHERE number = ?", (note["number"],))
    for playlist in connection.execute(
        "SELECT id, people FROM training_playlist WHERE room = ? AND people IS NOT NULL", (room,)
    ).fetchall():
        left = [one for one in json.loads(playlist["people"]) if one != identifier]
        connection.execute(
            "UPDATE training_playlist SET people = ? WHERE id = ?", (json.dumps(left), playlist["id"])
        )
    if any(connection.execute(query, named).fetchone() for query in _MADE):
        connection.execute(
            "UPDATE training_person SET person = :id, name = '', role = 'observer' WHERE id = :id", named
        )
    else:
        connection.execute("DELETE FROM training_person WHERE id = :id", named)
    audit.append(connection, audit.operator(), "person_erased", at, identifier=identifier)
    return room
