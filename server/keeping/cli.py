"""``python -m server keeping``: the hospital's table of classes and terms."""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from typing import Any

from ..config import Config
from ..database import DatabaseError
from . import audit, decisions
from .commands import at_once
from .decisions import Refused
from .terms import BY_CONSENT


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
    options = parser.parse_args(arguments)
    try:
        for row in at_once(config, lambda c: _run(c, options)):
            years = "until consent to teaching ends" if row["years"] is None else f"{row['years']} years"
            least = f", at least {row['least']}" if row["least"] else ""
            print(f"{row['class']:16} {years}{least}{'   (new recordings)' if row['usual'] else ''}")
    except (DatabaseError, Refused) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _run(c: sqlite3.Connection, options: argparse.Namespace) -> list[dict[str, Any]]:
    now = int(time.time() * 1000)
    if options.command == "set":
        decisions.set_term(c, audit.operator(), now, options.name, options.years)
    elif options.command == "usual":
        decisions.set_usual(c, audit.operator(), now, options.name)
    return decisions.classes(c)
