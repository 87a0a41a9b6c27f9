"""A consumer's sequence numbers against those of the encodings that it is sent, without a gap that is no loss.

A run maps consecutive numbers of one encoding. What is dropped on purpose gets no number, so that it ends a run. What
was lost upstream gets one, since nobody knows what it was: it stays a gap, and when it comes it finds its place.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from ..rtp.sequence import extend

#: Runs in which a consumer may still ask for packets: two seconds of a stream whose every second frame is dropped.
MAX_RUNS = 256


@dataclass(frozen=True, slots=True)
class Naming:
    """Say what is added to what an encoding calls its frames, so that the names go on over a switch."""

    timestamp: int = 0
    picture: int = 0
    tl0: int = 0
    frame_number: int = 0


@dataclass(slots=True)
class Run:
    """Map `count` numbers from `first_in` on to the consumer's from `first_out` on.

    `life` counts the beginnings of the encoding at its sender, `stint` those of any encoding towards the consumer.
    """

    encoding: int
    life: int
    stint: int
    naming: Naming
    first_in: int = 0
    first_out: int = 0
    count: int = 0

    @property
    def end_in(self) -> int:
        """The number behind the run's last, in."""
        return self.first_in + self.count

    def out(self, number: int) -> int:
        """Map one of the run's numbers."""
        return self.first_out + number - self.first_in


class Numbering:
    """Give numbers."""

    def __init__(self) -> None:
        """Begin with nothing sent; the first number is 1."""
        self._runs: deque[Run] = deque(maxlen=MAX_RUNS)
        self.seen = -1
        self._floor = 0

    @property
    def highest(self) -> int:
        """The newest number given; 0: none."""
        return self._runs[-1].first_out + self._runs[-1].count - 1 if self._runs else self._floor

    def begin(self, number: int) -> None:
        """Go on with another stream, or the same later, at this number."""
        self.seen = number - 1

    def take(self, number: int, kind: Run) -> int:
        """Give a number to the next packet, and to those before it that are missing. `kind` says what runs are now."""
        self._extend(number + 1, kind)
        self.seen = number
        return self.highest

    def skip(self, number: int, kind: Run) -> None:
        """Give none to the next packet, but to those before it that are missing."""
        self._extend(number, kind)
        self.seen = number

    def find(self, encoding: int, life: int, number: int) -> Run | None:
        """Find the run of a late packet."""
        for run in reversed(self._runs):
            if (run.encoding, run.life) == (encoding, life) and number >= run.first_in:
                return run if number < run.end_in else None
        return None

    def source(self, sequence_number: int) -> tuple[Run, int, int] | None:
        """Find (run, the encoding's number, the consumer's) of a packet by what it was sent as."""
        return self.source_of(extend(sequence_number, self.highest)) if self._runs else None

    def source_of(self, out: int) -> tuple[Run, int, int] | None:
        """Find the same by the consumer's whole number."""
        for run in self._runs:
            if run.first_out <= out < run.first_out + run.count:
                return run, run.first_in + out - run.first_out, out
        return None

    def rewind(self, highest: int) -> None:
        """Take back the numbers beyond this one: they were given, but not used."""
        while self._runs and self._runs[-1].first_out > highest:
            self._runs.pop()
        self._floor = highest
        if self._runs:
            newest = self._runs[-1]
            newest.count = min(newest.count, highest + 1 - newest.first_out)

    def _extend(self, end: int, kind: Run) -> None:
        first = self.seen + 1
        if first >= end:
            return
        newest = self._runs[-1] if self._runs else None
        if newest is not None and (newest.stint, newest.naming, newest.end_in) == (
            kind.stint,
            kind.naming,
            first,
        ):
            newest.count += end - first
            return
        self._runs.append(replace(kind, first_in=first, first_out=self.highest + 1, count=end - first))
