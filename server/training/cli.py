"""``python -m server training``: who has learned in a room, and somebody's learning erased at his wish."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

from annotation.values import AnnotationError

from ..config import Config
from ..database import Database, DatabaseError
from ..keeping.commands import add_tables
from ..study.notes import Notes
from . import people
from .erasing import erase
from .tables import SCRIPTS


def main(config: Config, arguments: list[str]) -> int:
    """Run one of the commands; returns 0, or 2 for a mistake."""
    parser = argparse.ArgumentParser(prog="python -m server training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("people", help="Print who has learned or taught in a room.")
    listing.add_argument("room", metavar="ROOM")
    erasing = commands.add_parser(
        "erase", help="Erase somebody's answers, hours, assessments, certificates and notes in his room."
    )
    erasing.add_argument("person", metavar="PERSON", help="p-…, as `people` prints it")
    options = parser.parse_args(arguments)
    try:
        for line in asyncio.run(_do(Path(config.database.file), _work(options))):
            print(line)
    except (DatabaseError, AnnotationError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _work(options: argparse.Namespace) -> Callable[[sqlite3.Connection], list[str]]:
    if options.command == "people":
        return lambda c: [f"{one.id}  {one.role:8}  {one.name}" for one in people.everybody(c, options.room)]
    return lambda c: [f"Erased, in room {erase(c, options.person, int(time.time() * 1000))}."]


async def _do(path: Path, work: Callable[[sqlite3.Connection], list[str]]) -> list[str]:
    database = Database(path)
    add_tables(database)
    database.add("training", SCRIPTS)
    Notes(database, time.time)
    await database.start()
    try:
        return await database.run(work)
    finally:
        await database.close()
