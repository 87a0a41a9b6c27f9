"""What the server knows beside its recordings, in one SQLite file: who watched what, what was said of it, what is kept.

Each part of the server has tables of its own and brings them as scripts, which run once and in their order. All work
is done in one thread, a transaction each, so that the event loop never waits for the disk.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

#: How long another process, such as a backup, may hold the file (seconds).
_PATIENCE = 10.0


class DatabaseError(Exception):
    """The database cannot be used; the text is a sentence for whoever keeps the server."""


class Database:
    """One SQLite file (WAL). Rows come as `sqlite3.Row`; what is written is on the disk when `run` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts: dict[str, tuple[str, ...]] = {}
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, "database")

    def add(self, part: str, scripts: tuple[str, ...]) -> None:
        """Name a part's scripts, before `start`. What was delivered once is never changed: append another script."""
        if self._connection is not None or part in self._parts:
            raise ValueError(f"The tables of {part!r} are added once, before the start.")
        self._parts[part] = scripts

    async def start(self) -> None:
        """Open the file and run what has not run. Raises DatabaseError."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._open)

    async def close(self) -> None:
        """Close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._shut)
        self._thread.shutdown()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do this in the thread, as one transaction: all of it, or nothing where it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            raise DatabaseError("The database is not open.")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(self._connection)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return result

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # names of people stand in it
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            connection.row_factory = sqlite3.Row
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                connection.execute(f"PRAGMA {pragma}")
            self._connection = connection
            self._transact(self._migrate)
        except (sqlite3.Error, OSError) as error:
            self._shut()
            raise DatabaseError(f"The database {self.path} cannot be opened: {error}.") from error

    def _migrate(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS part (name TEXT PRIMARY KEY, scripts INTEGER NOT NULL)"
        )
        done = {name: int(scripts) for name, scripts in connection.execute("SELECT name, scripts FROM part")}
        for name, scripts in self._parts.items():
            if done.get(name, 0) > len(scripts):
                raise sqlite3.DatabaseError(f"a newer server has changed the tables of {name!r}")
            for script in scripts[done.get(name, 0) :]:
                for statement in _statements(script):
                    connection.execute(statement)
            connection.execute("INSERT OR REPLACE INTO part VALUES (?, ?)", (name, len(scripts)))

    def _shut(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _statements(script: str) -> Iterator[str]:
    """Part a script, whose texts and triggers may hold semicolons; `executescript` would end the transaction."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
