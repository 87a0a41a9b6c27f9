"""What the commands have in common: the server's database, opened for one piece of work, beside a running server."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..config import Config
from ..database import Database
from . import audit, tables

T = TypeVar("T")


def add_tables(database: Database) -> None:
    """Name the tables of the archive's keeping, before the database is started."""
    database.add(audit.PART, audit.SCRIPTS)
    database.add(tables.PART, tables.SCRIPTS)


def at_once(config: Config, work: Callable[[sqlite3.Connection], T]) -> T:
    """Do this as one transaction. Raises DatabaseError, and what the work raises."""
    return asyncio.run(_at_once(Path(config.database.file), work))


async def _at_once(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    database = Database(path)
    add_tables(database)
    await database.start()
    try:
        return await database.run(work)
    finally:
        await database.close()
