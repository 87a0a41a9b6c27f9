"""`python -m recorder.export.job`: one export, in a process of its own.

What it is to do comes as one JSON object on standard input, the recording's key with it: arguments can be seen by
everybody. `{"recording":"<folder>","folder":"<folder>","kind":"camera","suite":"SM4-GCM-SM3","key":"<hex>",
"memory_mb":4096,"cpu_seconds":36000,"images":{},"patients":[]}`; `suite` and `key` are null where the recording is
not sealed, `images` says where DICOM files are, by their UIDs, `patients` how those are called who are hidden. The
options stand sealed in the folder. Told are JSON lines on standard output: `{"progress":0.41}`, and last
`{"files":[…]}`, or `{"error":"…","code":"disk_full"}` (`failing`) with exit status 1.

The process takes what the live rooms leave: nice 15, the idle class of the disk, bounded memory and CPU time. It dies
with the server, by the kernel's doing, and what is whole of its files is there for the next one.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .kinds import Kind, kind_of, read_options, run_kind
from .work import Work
from .worker import Teller, attempt, fail, fail_untold, read_asked, say, yield_to_others

_NICE = 15


def main() -> int:
    """Do what standard input says; return the exit status."""
    yield_to_others(_NICE)
    try:
        asked, key = read_asked()
        images = {str(uid): Path(path) for uid, path in asked.get("images", {}).items()}
        patients = [str(name) for name in asked.get("patients", [])]
        work = Work(Path(asked["recording"]), Path(asked["folder"]), key, Teller(), images, patients)
        kind = kind_of(asked["kind"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return fail_untold(error)
    if failure := attempt(lambda: _do(kind, work), "export"):
        work.drop_unfinished()
        return fail(failure)
    say({"files": work.files})
    return 0


def _do(kind: Kind, work: Work) -> None:
    options = read_options(kind, work.request())
    run_kind(kind, work, options)
    work.tidy()


if __name__ == "__main__":
    sys.exit(main())
