"""What each worker process begins and ends with: it comes last, is bounded, and says in lines of JSON how far it is."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

from ..seal.keys import DataKey
from ..seal.suites import suite_named
from .failing import Failure, why

#: Progress is told in steps of this.
_STEP = 0.002
#: Seconds of processor time after which a worker that was told of its end is killed.
_GRACE = 5
_PR_SET_PDEATHSIG = 1
#: ioprio_set(2) by machine; the C library has no name for it.
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_IOPRIO_WHO_PROCESS, _IOPRIO_IDLE = 1, 3 << 13
#: Longest line of what to do, with the places of some thousand images.
_MAX_REQUEST = 4 << 20


def yield_to_others(nice: int) -> None:
    """Come last for processor and disk, and end with whoever started this."""
    os.nice(max(0, nice - os.nice(0)))
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if (number := _IOPRIO_SET.get(platform.machine())) is not None:
        library.syscall(number, _IOPRIO_WHO_PROCESS, 0, _IOPRIO_IDLE)


def bound(memory: int, seconds: int) -> None:
    """Take no more bytes of address space and seconds of processor time."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold pictures in the clear
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # the first is told by SIGXCPU, which says why it ended; the second is the end
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + _GRACE))


def read_asked() -> tuple[dict[str, Any], DataKey | None]:
    """Read from standard input what to do and the recording's key, and keep to its limits.

    Raises ValueError, KeyError, TypeError, AttributeError.
    """
    asked = json.loads(sys.stdin.buffer.read(_MAX_REQUEST))
    bound(int(asked["memory_mb"]) << 20, int(asked["cpu_seconds"]))
    key = DataKey(suite_named(asked["suite"]), bytes.fromhex(asked["key"])) if asked["suite"] else None
    return asked, key


def attempt(work: Callable[[], None], what: str) -> Failure | None:
    """Do it; gives what went wrong. `what` was to be made."""
    try:
        work()
    except Exception as error:
        return why(error, what)
    return None


class Teller:
    """Tell progress in steps, and never backwards."""

    def __init__(self) -> None:
        self._said = -1.0

    def __call__(self, progress: float) -> None:
        if progress - self._said >= _STEP:
            self._said = progress
            say({"progress": round(progress, 4)})


def say(line: dict[str, Any]) -> None:
    """Tell the server something."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def fail(failure: Failure) -> int:
    """Tell what went wrong; gives the exit status."""
    say({"error": failure.sentence, "code": failure.code})
    return 1


def fail_untold(error: Exception) -> int:
    """Tell that what stood on standard input is no errand; gives the exit status."""
    return fail(Failure(f"The worker was not told what to do ({type(error).__name__})."))
