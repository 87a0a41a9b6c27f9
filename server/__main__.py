"""The command line: ``python -m server COMMAND [--config FILE]``."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from . import config as configuration
from . import links, recordings_cli
from .config import Config, ConfigError
from .keeping import audit_cli, backup_cli, copies_cli
from .keeping import cli as keeping_cli
from .run import serve, set_up_logging

COMMANDS = {
    "run": "serve (the default)",
    "demo": "serve with a demo consultation and print its links",
    "link": "sign a link into a room",
    "publish": "send a file or a stream into a room",
    "recordings": "verify, show, rewrap or erase recordings",
    "audit": "prove, show or write out the audit book",
    "keeping": "say how long what is kept",
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
            return links.main(config, rest)
        case "publish":
            # PyAV is loaded by this command alone
            from .publisher import main as publish  # noqa: PLC0415

            return publish(rest, config)
        case "recordings":
            return recordings_cli.main(config, rest)
        case "audit":
            return audit_cli.main(config, rest)
        case "keeping":
            return keeping_cli.main(config, rest)
        case "copies":
            return copies_cli.main(config, rest)
        case "backup":
            return backup_cli.backup(config, rest)
        case "restore":
            return backup_cli.restore(config, rest)
        case "demo":
            from .demo.consultation import main as demo  # noqa: PLC0415

            return demo(config, rest)
    if rest:
        print(f"`run` takes no further words: {' '.join(rest)}", file=sys.stderr)
        return 2
    asyncio.run(serve(config))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
