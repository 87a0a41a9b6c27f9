"""``python -m server recordings repair``: what was torn is ended, what is made is made anew, and all is said."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from recorder.journal import JournalError
from recorder.library import JOURNAL, Library, read_header
from recorder.manifest import ManifestError
from recorder.repairing import RepairError, discard, repair, undo
from recorder.seal import keys
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError


def repair_all(
    library: Library, options: argparse.Namespace, note: Callable[[str, str], None] = lambda *_: None
) -> int:
    """Repair the recordings that are named, noting (name, deed) in the audit book; 0 when nothing was lost, 1 else.

    Raises RepairError, SealError, ManifestError, JournalError, UnknownRecording, OSError of the only one.
    """
    lost = False
    for name in options.names:
        folder = library.folder(name)
        try:
            lost = _one(folder, options, note) or lost
        except (RepairError, SealError, ManifestError, JournalError, OSError) as error:
            if len(options.names) == 1:
                raise
            # the others may be helped
            print(f"{name}: {error}", file=sys.stderr)
            lost = True
    return 1 if lost else 0


def _one(folder: Path, options: argparse.Namespace, note: Callable[[str, str], None]) -> bool:
    if options.undo or options.discard:
        note(folder.name, "repair_undone" if options.undo else "repair_discarded")
        (undo if options.undo else discard)(folder)
        print(f"{folder.name}: " + ("as it was before." if options.undo else "what was before is gone."))
        return False
    told = sys.stderr.isatty()

    def say(share: float) -> None:
        if told:
            print(f"\r{folder.name} {share:4.0%} ", end="", file=sys.stderr, flush=True)

    note(folder.name, "recording_repaired")
    signing = options.signing_key if options.signing_key.exists() else None
    repaired = repair(folder, _key(folder, options.private_key), signing, time.time(), say)
    if told:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    whole = not repaired.done and not repaired.lost
    print(
        f"{folder.name}: "
        + ("whole, nothing was done." if whole else "repaired." if repaired.done else "damaged.")
    )
    for sentence in repaired.done:
        print(f"    {sentence}")
    for sentence in repaired.lost:
        print(f"    LOST: {sentence}")
    if signing is None and repaired.done:
        print("    It is not signed: the signing key is not here.")
    if repaired.done:
        print(
            "    What was replaced is kept: `repair --undo` gives it back, `repair --discard` lets go of it."
        )
    return bool(repaired.lost)


def _key(folder: Path, private: Path) -> DataKey | None:
    if read_header(folder / JOURNAL).seal is None:
        return None
    if (wrapped := keys.read(folder)) is None:
        raise SealError("The key of this recording has been destroyed.")
    if not private.exists():
        raise SealError("The recording is sealed, and the hospital's key is not here.")
    return wrapped.open(private)
