"""``python -m server keeping``: the hospital's table of classes and terms."""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from recorder.library import Library

from ..config import Config
from ..database import DatabaseError
from . import audit, decisions
from .commands import at_once
from .decisions import Refused
from .terms import BY_CONSENT
from .usage import disk_of, report, sizes


def main(config: Config, arguments: list[str]) -> int:
    """Run one of the commands; returns 0, or 2 for a mistake."""
    parser = argparse.ArgumentParser(prog="python -m server keeping", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("classes", help="Print how long what is kept.")
    setting = commands.add_parser("set", help="Change a class's term, or make a new class.")
    setting.add_argument("name", metavar="CLASS")
    setting.add_argument("years", type=int, help=f"{BY_CONSENT} has none: it lasts as long as consent does")
    usual = commands.add_parser("usual", help="Say which class new recordings have.")
    usual.add_argument("name", metavar="CLASS")
    commands.add_parser(
        "usage", help="Print how much is kept, by room, class and month, and when the disk is full."
    )
    options = parser.parse_args(arguments)
    if options.command == "usage":
        return _usage(config)
    try:
        for row in at_once(config, lambda c: _run(c, options)):
            years = "until consent to teaching ends" if row["years"] is None else f"{row['years']} years"
            least = f", at least {row['least']}" if row["least"] else ""
            print(f"{row['class']:16} {years}{least}{'   (new recordings)' if row['usual'] else ''}")
    except (DatabaseError, Refused) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _usage(config: Config) -> int:
    library, now = Library(Path(config.recordings.folder)), int(time.time() * 1000)
    try:
        measured, disk = sizes(library), disk_of(library, config.recordings.minimum_free_mb << 20)
        said = at_once(config, lambda c: report(c, measured, disk, now, None))
    except (DatabaseError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    for name, lines, key in (("room", "rooms", "room"), ("class", "classes", "class")):
        for line in said[lines]:
            print(f"{name:6} {line[key]:32} {line['bytes'] / 1e9:12,.3f} GB")
    for line in said["months"]:
        print(f"{line['month']:39} {line['here'] / 1e9:12,.3f} GB, moved out {line['moved'] / 1e9:,.3f} GB")
    print(
        f"{disk.free / 1e9:,.1f} of {disk.total / 1e9:,.1f} GB are free; exports take {disk.exports / 1e9:,.1f}."
    )
    when = (
        "not within ten years"
        if said["full"] is None
        else time.strftime("%F", time.gmtime(said["full"] / 1000))
    )
    print(f"It grows by {said['growth'] / 1e9:,.3f} GB a day; full, if that goes on: {when}.")
    copies = said["copies"]
    print(f"Second copies: {copies['whole']} whole, {copies['waiting']} waiting, {copies['failed']} failed.")
    return 0


def _run(c: sqlite3.Connection, options: argparse.Namespace) -> list[dict[str, Any]]:
    now = int(time.time() * 1000)
    if options.command == "set":
        decisions.set_term(c, audit.operator(), now, options.name, options.years)
    elif options.command == "usual":
        decisions.set_usual(c, audit.operator(), now, options.name)
    return decisions.classes(c)
