"""The workers: ``python -m server.watching still|follow``, fed through standard input."""

from __future__ import annotations

import json
import resource
import sys

from . import wire, worker
from .decoding import still
from .stills import StillError

#: A stream that claims to be 16,384 pixels wide may not take the whole machine.
MEMORY = 4 << 30


def main(arguments: list[str]) -> int:
    """Run one of the workers; returns the exit status."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    if arguments == ["still"]:
        return _still()
    if arguments == ["follow"]:
        return worker.main(sys.stdin.buffer, sys.stdout.buffer)
    print("usage: python -m server.watching still|follow", file=sys.stderr)
    return 2


def _still() -> int:
    request = json.loads(sys.stdin.buffer.readline())
    try:
        png, width, height = still(
            wire.read_stream(request), sys.stdin.buffer.read(), request["rtp_timestamp"]
        )
    except StillError as error:
        _answer({"error": str(error)})
        return 0
    _answer({"width": width, "height": height})
    sys.stdout.buffer.write(png)
    sys.stdout.buffer.flush()
    return 0


def _answer(body: dict[str, object]) -> None:
    sys.stdout.buffer.write(json.dumps(body).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
