"""`python -m recorder.export FOLDER [SUITE] [--indices]`: make a recording's frame indices and description.

With `--indices` its frame indices alone.

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
from . import INDICES
from .preparing import prepare

_STEP = 0.01


def main(arguments: list[str]) -> int:
    """Prepare the recording in one folder; return the exit status."""
    indices_only = INDICES in arguments
    arguments = [argument for argument in arguments if argument != INDICES]
    if len(arguments) not in (1, 2):
        sys.stderr.write(f"usage: python -m recorder.export FOLDER [SUITE] [{INDICES}]\n")
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
        prepare(Path(arguments[0]), say, key, indices_only=indices_only)
    except (JournalError, SealError, OSError) as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
