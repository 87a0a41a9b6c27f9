"""The notes of all recordings, in the server's database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from ..database import Database
from .note import NewNote, Note, NoteChange, changed

#: What was delivered stays as it is; what comes is appended.
_SCRIPTS = (
    """
    CREATE TABLE note (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        recording TEXT NOT NULL,
        person TEXT NOT NULL,
        author TEXT NOT NULL,
        kind TEXT NOT NULL,
        at REAL NOT NULL,
        until REAL,
        text TEXT NOT NULL,
        shared INTEGER NOT NULL,
        written REAL NOT NULL,
        deleted REAL,
        deleted_by TEXT
    );
    CREATE INDEX note_of_recording ON note (recording, at)
    """,
)

#: Notes that one person keeps of one recording, and that all share of it: a page shows them all.
MOST_OWN = 500
MOST_SHARED = 2000
#: Seconds in which what was taken away can be brought back.
UNDONE_WITHIN = 3600.0


class NotesFull(Exception):
    """No more notes are kept of this recording; the text is a sentence."""


class NotYours(Exception):
    """The note is another's; the text is a sentence."""


class Notes:
    """Keeps notes. `now` gives Unix seconds."""

    def __init__(self, database: Database, now: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        database.add("study", _SCRIPTS)

    async def of(self, recording: str, reader: str) -> list[Note]:
        """List what there is of a recording for a person, in the order of their times."""
        query = (
            "SELECT * FROM note WHERE recording = ? AND deleted IS NULL AND (shared OR person = ?)"
            " ORDER BY at, number"
        )
        return await self._database.run(
            lambda c: [_note(row) for row in c.execute(query, (recording, reader))]
        )

    async def add(self, recording: str, person: str, author: str, said: NewNote) -> Note:
        """Keep a new note. Raise NotesFull."""
        now = self._now()

        def work(connection: sqlite3.Connection) -> Note:
            _purge(connection, now)
            _leave_room(connection, recording, person, shared=said.shared)
            number = connection.execute(
                "INSERT INTO note (recording, person, author, kind, at, until, text, shared, written)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (recording, person, author, said.kind, said.at, said.until, said.text, said.shared, now),
            ).lastrowid
            assert number is not None
            return Note(number, person, author, said, now)

        return await self._database.run(work)

    async def change(self, recording: str, number: int, reader: str, change: NoteChange) -> Note | None:
        """Say other words of one's own note, share it or share it no more; None: there is none.

        Raise NotYours, NoteError, NotesFull.
        """

        def work(connection: sqlite3.Connection) -> Note | None:
            note = _find(connection, recording, number, reader)
            if note is None:
                return None
            if note.person != reader:
                raise NotYours("Only who wrote a note may change it.")
            said = changed(note.said, change)
            if said.shared and not note.said.shared:
                _leave_room(connection, recording, None, shared=True)
            connection.execute(
                "UPDATE note SET text = ?, shared = ? WHERE number = ?", (said.text, said.shared, number)
            )
            return Note(number, note.person, note.author, said, note.written)

        return await self._database.run(work)

    async def delete(self, recording: str, number: int, reader: str, *, teaches: bool) -> bool:
        """Take a note away; False: there is none. Raise NotYours."""
        now = self._now()

        def work(connection: sqlite3.Connection) -> bool:
            note = _find(connection, recording, number, reader)
            if note is None:
                return False
            if not note.may_delete(reader, teaches=teaches):
                raise NotYours("Only who wrote a note, or who teaches, may take it away.")
            connection.execute(
                "UPDATE note SET deleted = ?, deleted_by = ? WHERE number = ?", (now, reader, number)
            )
            _purge(connection, now)
            return True

        return await self._database.run(work)

    async def restore(self, recording: str, number: int, reader: str) -> Note | None:
        """Bring back what the same person took away; None: it is gone for good, or another took it.

        Raise NotesFull.
        """
        now = self._now()

        def work(connection: sqlite3.Connection) -> Note | None:
            _purge(connection, now)
            row = connection.execute(
                "SELECT * FROM note WHERE number = ? AND recording = ? AND deleted_by = ?",
                (number, recording, reader),
            ).fetchone()
            if row is None:
                return None
            note = _note(row)
            _leave_room(connection, recording, note.person, shared=note.said.shared)
            connection.execute(
                "UPDATE note SET deleted = NULL, deleted_by = NULL WHERE number = ?", (number,)
            )
            return note

        return await self._database.run(work)

    async def forget(self, recording: str) -> str:
        """Delete all notes of a recording for good, since it is no more; says what remains: nothing."""
        await self._database.run(lambda c: c.execute("DELETE FROM note WHERE recording = ?", (recording,)))
        return ""


def _note(row: sqlite3.Row) -> Note:
    said = NewNote(row["kind"], row["at"], row["until"], row["text"], bool(row["shared"]))
    return Note(row["number"], row["person"], row["author"], said, row["written"])


def _find(connection: sqlite3.Connection, recording: str, number: int, reader: str) -> Note | None:
    query = "SELECT * FROM note WHERE number = ? AND recording = ? AND deleted IS NULL"
    row = connection.execute(query, (number, recording)).fetchone()
    note = None if row is None else _note(row)
    # another's own note does not exist
    return note if note is not None and note.may_read(reader) else None


def _purge(connection: sqlite3.Connection, now: float) -> None:
    connection.execute("DELETE FROM note WHERE deleted < ?", (now - UNDONE_WITHIN,))


def _leave_room(connection: sqlite3.Connection, recording: str, person: str | None, *, shared: bool) -> None:
    """Raise NotesFull where one more would be too many."""
    counted = "SELECT COUNT(*) FROM note WHERE recording = ? AND deleted IS NULL AND "
    if person is not None:
        (own,) = connection.execute(counted + "person = ?", (recording, person)).fetchone()
        if own >= MOST_OWN:
            raise NotesFull(f"You have {MOST_OWN} notes of this recording, and no more are kept.")
    if shared:
        (all_,) = connection.execute(counted + "shared", (recording,)).fetchone()
        if all_ >= MOST_SHARED:
            raise NotesFull(f"There are {MOST_SHARED} shared notes of this recording, and no more are kept.")
