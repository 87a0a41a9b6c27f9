"""What the publisher shows: one line that renews itself on a terminal, else a line a second."""

from __future__ import annotations

import contextlib
import sys
from typing import TextIO

from .session import Status

#: Back to the beginning of the line, and erase it.
_AGAIN = "\r\x1b[K"


def line(status: Status, *, encodes: bool) -> str:
    """Write a status as people read it."""
    text = (
        f"{status.bits_per_second / 1e6:6.2f} Mbit/s  {status.frames_per_second:5.1f} frames/s  "
        f"{status.key_frames} key frames  {status.repeated} repeated"
    )
    if status.key_frames_wanted:
        answer = "" if encodes else " (the next one of the source serves)"
        text += f"  {status.key_frames_wanted} key frames asked for{answer}"
    if status.left_out:
        text += f"  {status.left_out} pictures left out: the encoder does not keep up"
    if (reception := status.reception) is not None:
        text += f"  loss {100 * reception.lost:.1f} %  jitter {1000 * reception.jitter:.1f} ms"
        if reception.round_trip is not None:
            text += f"  round trip {1000 * reception.round_trip:.1f} ms"
    return text


class Bar:
    """Shows statuses and says sentences. A sentence never stands in the middle of a status."""

    def __init__(self, terminal: TextIO | None = None, log: TextIO | None = None) -> None:
        """`terminal` is standard error, `log` standard output, if not given."""
        self._terminal = terminal or sys.stderr
        self._log = log or sys.stdout
        self._renewed = self._terminal.isatty()
        self._shown = False
        self.encodes = False

    def show(self, status: Status) -> None:
        """Show how it goes."""
        text = line(status, encodes=self.encodes)
        with contextlib.suppress(BrokenPipeError):
            if self._renewed:
                self._terminal.write(_AGAIN + text)
                self._terminal.flush()
                self._shown = True
            else:
                print(text, file=self._log, flush=True)

    def say(self, sentence: str) -> None:
        """Say what somebody may have to know of."""
        with contextlib.suppress(BrokenPipeError):
            self._terminal.write(f"{_AGAIN if self._shown else ''}{sentence}\n")
            self._terminal.flush()
        self._shown = False

    def end(self, sentence: str) -> None:
        """Say the last word."""
        with contextlib.suppress(BrokenPipeError):
            if self._shown:
                self._terminal.write("\n")
                self._terminal.flush()
            print(sentence, file=self._log, flush=True)
        self._shown = False
