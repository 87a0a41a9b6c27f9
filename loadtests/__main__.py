"""Run a load test: ``python -m loadtests room`` and its kin, each with ``--help``."""

from __future__ import annotations

import importlib
import sys

SUBCOMMANDS = (
    "archive",
    "compare",
    "consultation",
    "cuts",
    "decisions",
    "files",
    "full_house",
    "hls",
    "images",
    "kill",
    "line",
    "marks",
    "overlay",
    "plane",
    "replay",
    "room",
    "shards",
    "theatre",
    "tracking",
    "viewport",
)


def main(arguments: list[str]) -> int:
    """Hand over to the named load test; only its own module is imported."""
    if not arguments or arguments[0] not in SUBCOMMANDS:
        print(f"usage: python -m loadtests {{{','.join(SUBCOMMANDS)}}} …", file=sys.stderr)
        return 2
    module = importlib.import_module(f"loadtests.{arguments[0]}")
    return int(module.main(arguments[1:]) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
