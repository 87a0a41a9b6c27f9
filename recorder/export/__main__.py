"""`python -m recorder.export FOLDER [SUITE]`: make a recording's containers and description.

A worker process of the server. The key of a sealed recording comes on standard input: arguments can be seen
by everybody. Progress comes as JSON lines on standard output, `{"progress":0.4}`; a failure
is a last line `{"error":"…"}` and exit status 1.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import av

from ..journal import JournalError
from ..seal.keys import DataKey
from ..seal.suites import SealError, suite_named
from .remux import export

_STEP = 0.01


def main(arguments: list[str]) -> int:
    """Export the recording in one folder; return the exit status."""
    if len(arguments) not in (1, 2):
        sys.stderr.write("usage: python -m recorder.export FOLDER [SUITE]\n")
        return 2
    os.nice(10)  # live pictures come first
    av.logging.set_level(None)
    said = -1.0

    def say(progress: float) -> None:
        nonlocal said
        if progress - said >= _STEP or progress >= 1.0 > said:
            said = progress
            sys.stdout.write(json.dumps({"progress": round(progress, 2)}) + "\n")
            sys.stdout.flush()

    try:
        key = DataKey(suite_named(arguments[1]), sys.stdin.buffer.read()) if len(arguments) == 2 else None
        export(Path(arguments[0]), say, key)
    except (JournalError, SealError, OSError) as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
