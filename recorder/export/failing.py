"""Why an export failed: a sentence for whoever asked, and a code that says it to a page in its reader's language."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass

from ..journal import JournalError
from ..seal.suites import NoKeyError, SealError
from .kinds import ExportError

_FULL = (errno.ENOSPC, errno.EDQUOT)
#: What is not found where something is damaged may have been there.
_MISSED = frozenset({"nothing_in_range", "no_such_camera", "no_picture"})


@dataclass(frozen=True, slots=True)
class Failure:
    """`code` is one of PROTOCOL.md, section 6; empty: nobody who reads it can do anything about it."""

    sentence: str
    code: str = ""


#: It had all the processor time that it is given.
OUT_OF_TIME = Failure("It took more time than the server gives an export.", "out_of_time")
#: Killed from outside again and again: mostly the kernel's doing, where memory is short.
KILLED = Failure("Its process was ended from outside, three times.", "killed")


def why(error: Exception, what: str = "export") -> Failure:
    """Say why it failed; `what` was to be made."""
    if isinstance(error, ExportError):
        return Failure(str(error), error.code)
    if isinstance(error, NoKeyError):
        return Failure(str(error), "no_key")
    if isinstance(error, JournalError | SealError):
        return Failure(str(error), "damaged")
    if isinstance(error, MemoryError):
        return Failure(f"The {what} needs more memory than the server allows it.", "out_of_memory")
    if isinstance(error, FileNotFoundError):
        return Failure("A file of the recording is not on this disk.", "missing")
    if isinstance(error, OSError):
        sentence = f"A file could not be read or written: {os.strerror(error.errno or 0)}."
        return Failure(sentence, "disk_full") if error.errno in _FULL else Failure(sentence, "disk")
    # a hostile recording may lead a decoder astray: its text could quote what is in it
    return Failure(f"The {what} of the recording cannot be made ({type(error).__name__}).")


@contextlib.contextmanager
def past_damage() -> Iterator[None]:
    """Say of what is not found here that the recording is damaged: what goes around the damage is done in it."""
    try:
        yield
    except ExportError as error:
        if error.code not in _MISSED:
            raise
        sentence = "What is damaged of the recording leaves nothing to export in this range."
        raise ExportError(sentence, "damaged") from None
