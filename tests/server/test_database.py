"""The server's database: tables that come once, transactions that are whole, a file that others cannot spoil."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from server.database import Database, DatabaseError

FIRST = "CREATE TABLE note (text TEXT NOT NULL); INSERT INTO note VALUES ('from the first script')"
SECOND = "ALTER TABLE note ADD COLUMN author TEXT NOT NULL DEFAULT 'nobody'"


def _texts(connection: sqlite3.Connection) -> list[str]:
    return [row["text"] for row in connection.execute("SELECT text FROM note ORDER BY rowid")]


async def test_each_script_runs_once_and_what_was_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "konsil.sqlite3"
    for scripts in ((FIRST,), (FIRST, SECOND), (FIRST, SECOND)):
        database = Database(path)
        database.add("notes", scripts)
        await database.start()
        await database.run(lambda c: c.execute("INSERT INTO note (text) VALUES ('another')"))
        texts = await database.run(_texts)
        await database.close()
    assert texts == ["from the first script", "another", "another", "another"]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_work_that_fails_leaves_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "konsil.sqlite3")
    database.add("notes", (FIRST,))
    await database.start()

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO note VALUES ('half')")
        raise LookupError

    with pytest.raises(LookupError):
        await database.run(half)
    assert await database.run(_texts) == ["from the first script"]
    await database.close()


async def test_a_file_of_a_newer_server_and_one_that_is_no_database_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "konsil.sqlite3"
    newer = Database(path)
    newer.add("notes", (FIRST, SECOND))
    await newer.start()
    await newer.close()
    older = Database(path)
    older.add("notes", (FIRST,))
    with pytest.raises(DatabaseError, match="newer server"):
        await older.start()
    await older.close()
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    other = Database(path)
    with pytest.raises(DatabaseError, match="cannot be opened"):
        await other.start()
    with pytest.raises(DatabaseError, match="not open"):
        await other.run(_texts)
    await other.close()
