"""The command line: ``python -m server COMMAND [--config FILE]``.

Each command loads what it needs itself: a link is signed in half a second, a server's parts take some.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from . import config as configuration
from .config import Config, ConfigError

COMMANDS = {
    "run": "serve (the default)",
    "demo": "serve with a demo consultation and print its links",
    "link": "sign a link into a room",
    "publish": "send a file or a stream into a room",
    "recordings": "verify, show, rewrap or erase recordings",
    "audit": "prove, show or write out the audit book",
    "keeping": "say how long what is kept",
    "training": "say who has learned, erase what somebody has learned",
    "copies": "prove the second copies, fetch recordings back",
    "backup": "write the database, wrapped keys and manifests into a folder",
    "restore": "take a backup into a server that has nothing",
    "config": "print every configuration key with its default",
}

#: Read when it exists and --config does not name another.
DEFAULT_FILE = Path("konsil.toml")


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit status."""
    words = "\n".join(f"  {name:10} {meaning}" for name, meaning in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m server",
        description="Konsil: a telemedicine media and remote-guidance server.",
        epilog=f"commands:\n{words}\n\n`python -m server COMMAND --help` says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, help="TOML file (default: konsil.toml if it exists)")
    parser.add_argument("command", nargs="?", choices=COMMANDS, default="run", metavar="COMMAND")
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.command == "config":
        print(configuration.document(), end="")
        return 0
    try:
        config = _load(options.config)
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    set_up_logging()
    try:
        return _run(options.command, config, options.rest)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"Konsil cannot start: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


def _load(path: Path | None) -> Config:
    if path is None:
        named = os.environ.get("KONSIL_CONFIG")
        path = Path(named) if named else DEFAULT_FILE if DEFAULT_FILE.exists() else None
    return configuration.load(path, os.environ)


def _run(command: str, config: Config, rest: list[str]) -> int:
    match command:
        case "link":
            from . import links

            return links.main(config, rest)
        case "publish":
            from .publisher import main as publish

            return publish(rest, config)
        case "recordings":
            from . import recordings_cli

            return recordings_cli.main(config, rest)
        case "audit":
            from .keeping import audit_cli

            return audit_cli.main(config, rest)
        case "keeping":
            from .keeping import cli

            return cli.main(config, rest)
        case "training":
            from .training import cli as training_cli

            return training_cli.main(config, rest)
        case "copies":
            from .keeping import copies_cli

            return copies_cli.main(config, rest)
        case "backup" | "restore":
            from .keeping import backup_cli

            return (backup_cli.backup if command == "backup" else backup_cli.restore)(config, rest)
        case "demo":
            from .demo.consultation import main as demo

            return demo(config, rest)
    if rest:
        print(f"`run` takes no further words: {' '.join(rest)}", file=sys.stderr)
        return 2
    from .run import serve

    asyncio.run(serve(config))
    return 0


def set_up_logging(level: int = logging.INFO) -> None:
    """Log to standard error. aiohttp's and aiortc's own chatter stays out."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    for name in ("aiohttp", "aioice", "aiortc", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("media.transport").setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
