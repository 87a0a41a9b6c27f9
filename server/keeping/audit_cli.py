"""``python -m server audit``: prove the audit book, read it, write it out for somebody else."""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from recorder.seal import sm2
from recorder.seal.suites import SealError

from ..config import Config
from ..database import DatabaseError
from . import audit
from .commands import at_once


def main(config: Config, arguments: list[str]) -> int:
    """Run one of the commands; returns 0, 1 where the book was tampered with, 2 for a mistake."""
    parser = argparse.ArgumentParser(prog="python -m server audit", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    verifying = commands.add_parser("verify", help="Follow the chain from the first entry to the last.")
    verifying.add_argument(
        "--known", type=_known, metavar="NUMBER:SM3", help="an entry whose hash was written down earlier"
    )
    showing = commands.add_parser("show", help="Print the last entries, the oldest of them first.")
    showing.add_argument("--recording", help="only of this one")
    showing.add_argument("--room", help="only of this one")
    showing.add_argument("--last", type=int, default=100, help="how many (default: 100)")
    exporting = commands.add_parser(
        "export", help="Write the book as JSON lines, and its signature beside it as FILE.sig."
    )
    exporting.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    if not Path(config.database.file).exists():
        print(f"There is no database {config.database.file}.", file=sys.stderr)
        return 2
    try:
        match options.command:
            case "verify":
                return _verify(at_once(config, lambda c: audit.verify(c, options.known)))
            case "show":
                found = at_once(config, lambda c: _shown(c, options))
                print("".join(f"{_line(entry)}\n" for entry in reversed(found)), end="")
                return 0
            case _:
                return _export(config, options.file)
    except (DatabaseError, SealError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def _known(text: str) -> tuple[int, str]:
    number, _, digest = text.partition(":")
    return int(number), digest.lower()


def _verify(book: audit.Book) -> int:
    if book.problem:
        print(f"WRONG: {book.problem}")
        return 1
    print(f"{book.entries} entries, each bound to the one before.")
    print(f"Write down the last one: {book.entries}:{book.head}")
    return 0


def _shown(connection: sqlite3.Connection, options: argparse.Namespace) -> list[dict[str, Any]]:
    return audit.entries(connection, room=options.room, recording=options.recording, last=options.last)


def _line(entry: dict[str, Any]) -> str:
    when = time.strftime("%F %T", time.gmtime(entry["at"] / 1000))
    who = " ".join(word for word in (entry["role"], entry["name"]) if word)
    about = " ".join(f"{name}={value}" for name, value in entry["about"].items())
    return (
        f"{entry['number']:8} {when} UTC  {who}: {entry['deed']} {entry['recording'] or ''} {about}".rstrip()
    )


def _export(config: Config, path: Path) -> int:
    text = at_once(config, lambda c: "".join(audit.lines(c))).encode()
    path.write_bytes(text)
    path.chmod(0o600)
    print(f"{path}: {text.count(10)} entries")
    signing = Path(config.seal.signing_key)
    if signing.exists():
        signature = path.with_name(path.name + ".sig")
        signature.write_bytes(sm2.sign(signing, text))
        print(f"{signature}: signed with the key whose public half is {signing.with_suffix('.public.pem')}")
    return 0
