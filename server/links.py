"""Signed links for people and encoders."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from signalling.permissions import ROLES, Role
from signalling.tokens import issue

from .config import Config
from .secret_file import load_secret

#: Hours that a link from the command line is good for.
HOURS = 12.0


def link(config: Config, secret: bytes, *, room: str, name: str, role: Role, page: str = "") -> str:
    """Make a link: the token stands in the fragment, which no browser sends and no server logs."""
    token = issue(secret, room=room, name=name, role=role, expires=time.time() + HOURS * 3600)
    return f"{config.public_url}/{page}#token={token}"


def main(config: Config, arguments: list[str]) -> int:
    """Print one link, or with --token the token for an encoder's WHIP settings."""
    parser = argparse.ArgumentParser(prog="python -m server link", description="Sign a link into a room.")
    parser.add_argument("--room", required=True)
    parser.add_argument("--name", required=True, help="the person's name, as the others see it")
    parser.add_argument("--role", required=True, choices=ROLES)
    parser.add_argument(
        "--subject",
        help="who it is in all of his links, such as a staff number: what deletion by two goes by",
    )
    parser.add_argument("--hours", type=float, default=HOURS, help=f"how long it is good (default {HOURS:g})")
    parser.add_argument("--replay", action="store_true", help="a link to the recordings")
    parser.add_argument("--linetest", action="store_true", help="a link to the test of the line")
    parser.add_argument(
        "--watch",
        action="store_true",
        help="a link to look on, a second or two late, for trainees by the hundred",
    )
    parser.add_argument("--token", action="store_true", help="print the token alone")
    parser.add_argument("--wait", action="store_true", help="its bearer waits at the door until let in")
    parser.add_argument("--no-wait", action="store_true", help="its bearer does not wait, whatever the room")
    options = parser.parse_args(arguments)
    secret = load_secret(Path(config.secrets.file))
    try:
        token = issue(
            secret,
            room=options.room,
            name=options.name,
            role=options.role,
            expires=time.time() + options.hours * 3600,
            subject=options.subject,
            wait=True if options.wait else False if options.no_wait else None,
        )
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    pages = ("replay", options.replay), ("linetest", options.linetest), ("watch", options.watch)
    page = next((name for name, asked in pages if asked), "")
    print(token if options.token else f"{config.public_url}/{page}#token={token}")
    return 0
