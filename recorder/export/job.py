"""`python -m recorder.export.job`: one export, in a process of its own.

What it is to do comes as one JSON object on standard input, the recording's key with it: arguments can be seen by
everybody. `{"recording":"<folder>","folder":"<folder>","kind":"camera","suite":"SM4-GCM-SM3","key":"<hex>",
"memory_mb":4096,"cpu_seconds":36000,"images":{}}`; `suite` and `key` are null where the recording is not sealed,
`images` says where DICOM files are, by their UIDs. The options stand sealed in the folder. Told are JSON lines on
standard output: `{"progress":0.41}`, and last `{"files":[…]}`, or `{"error":"…"}` with exit status 1.

The process takes what the live rooms leave: nice 15, the idle class of the disk, bounded memory and CPU time. It dies
with the server, by the kernel's doing, and what is whole of its files is there for the next one.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from ..journal import JournalError
from ..seal.keys import DataKey
from ..seal.suites import SealError, suite_named
from .kinds import ExportError, Kind, kind_of, read_options, run_kind
from .work import Work

#: Progress is told in steps of this.
_STEP = 0.002
_NICE = 15
#: Seconds of processor time after which a worker that was told of its end is killed.
_GRACE = 5
_PR_SET_PDEATHSIG = 1
#: ioprio_set(2) by machine; the C library has no name for it.
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_IOPRIO_WHO_PROCESS, _IOPRIO_IDLE = 1, 3 << 13
#: Longest line of what to do, with the places of some thousand images.
_MAX_REQUEST = 4 << 20


def main() -> int:
    """Do what standard input says; return the exit status."""
    _yield_to_others()
    try:
        asked = json.loads(sys.stdin.buffer.read(_MAX_REQUEST))
        _bound(int(asked["memory_mb"]) << 20, int(asked["cpu_seconds"]))
        key = DataKey(suite_named(asked["suite"]), bytes.fromhex(asked["key"])) if asked["suite"] else None
        images = {str(uid): Path(path) for uid, path in asked.get("images", {}).items()}
        work = Work(Path(asked["recording"]), Path(asked["folder"]), key, _Teller(), images)
        kind = kind_of(asked["kind"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return _fail(f"The worker was not told what to do ({type(error).__name__}).")
    sentence = _do(kind, work)
    if sentence:
        work.drop_unfinished()
        return _fail(sentence)
    _say({"files": work.files})
    return 0


def _do(kind: Kind, work: Work) -> str:
    """Do it; gives what went wrong in a sentence, empty: nothing."""
    try:
        options = read_options(kind, work.request())
        run_kind(kind, work, options)
        work.tidy()
    except (ExportError, JournalError, SealError) as error:
        return str(error)
    except MemoryError:
        return "The export needs more memory than the server allows it."
    except OSError as error:
        return f"A file could not be read or written: {os.strerror(error.errno or 0)}."
    except Exception as error:
        # a hostile recording may lead a decoder astray: its text could quote what is in it
        return f"The recording cannot be exported ({type(error).__name__})."
    return ""


class _Teller:
    """Tell progress in steps, and never backwards."""

    def __init__(self) -> None:
        self._said = -1.0

    def __call__(self, progress: float) -> None:
        if progress - self._said >= _STEP:
            self._said = progress
            _say({"progress": round(progress, 4)})


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _fail(sentence: str) -> int:
    _say({"error": sentence})
    return 1


def _yield_to_others() -> None:
    """Come last for processor and disk, and end with whoever started this."""
    os.nice(max(0, _NICE - os.nice(0)))
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if (number := _IOPRIO_SET.get(platform.machine())) is not None:
        library.syscall(number, _IOPRIO_WHO_PROCESS, 0, _IOPRIO_IDLE)


def _bound(memory: int, seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold pictures in the clear
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # the first is told by SIGXCPU, which says why it ended; the second is the end
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + _GRACE))


if __name__ == "__main__":
    sys.exit(main())
