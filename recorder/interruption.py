"""When the disk does not follow: since when, why, and what is left out until it does.

A recording is *interrupted* as soon as the disk refuses or is too slow, and everybody is told then. What comes
meanwhile waits in memory; nothing is missing if the disk is back in time. Beyond MAX_BACKLOG packets are left out,
counted for each producer, until most of what waits is written: one hole with a key frame behind it, not many.
"""

from __future__ import annotations

from dataclasses import dataclass

from .journal import Gap, nanoseconds

#: What may wait for the disk; beyond it packets are left out. 19 s of a 4K field.
MAX_BACKLOG = 48 << 20
#: Packets are taken again, and the interruption is over, when less than this waits.
RESUME_BACKLOG = 12 << 20
#: Beyond this even marks and events are left out: no disk can be waited for without end.
MAX_TALK_BACKLOG = 64 << 20


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the disk takes nothing: a word for programs, a sentence for people."""

    cause: str
    sentence: str


TOO_SLOW = Trouble("slow", "The disk for recordings is too slow.")


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The recording is not being written since `since` (Unix seconds)."""

    trouble: Trouble
    since: float


@dataclass(frozen=True, slots=True)
class Resumed:
    """It goes on; `seconds` of it are missing, so many packets and other records."""

    seconds: float
    packets: int
    records: int = 0


class Interruption:
    """What a Recording knows of its disk. `now` is Unix seconds."""

    def __init__(self) -> None:
        #: Packets, and other records, that were left out so far; seconds in which they were.
        self.packets = 0
        self.records = 0
        self.seconds = 0.0
        self._told: Trouble | None = None
        self._since = 0.0
        self._leaving_out_since: float | None = None
        self._left: dict[int, tuple[int, int]] = {}  # producer: when the first was left out (ns), how many
        self._before = (0.0, 0, 0)  # seconds, packets, records when the last interruption ended

    @property
    def is_interrupted(self) -> bool:
        """Whether everybody has been told that the disk does not follow."""
        return self._told is not None

    @property
    def leaving_out(self) -> bool:
        """Whether packets are being left out."""
        return self._leaving_out_since is not None

    def takes(self, backlog: int, size: int, now: float) -> bool:
        """Whether packets of this size are kept, when so much waits for the disk."""
        if self._leaving_out_since is None and backlog + size > MAX_BACKLOG:
            self._leaving_out_since = now
        return self._leaving_out_since is None

    def leave_out(self, producer: int, packets: int, now: float) -> None:
        """Count packets that are not kept; producer 0: nobody knows whose."""
        since, before = self._left.get(producer, (nanoseconds(now), 0))
        self._left[producer] = since, before + packets
        self.packets += packets

    def take_gaps(self, now: float) -> list[tuple[int, Gap]]:
        """Give what was left out, with the time (ns) of the first: packets are taken again, or never more."""
        if self._leaving_out_since is not None:
            self.seconds += max(0.0, now - self._leaving_out_since)
            self._leaving_out_since = None
        gaps = [(since, Gap(producer, packets)) for producer, (since, packets) in sorted(self._left.items())]
        self._left.clear()
        return gaps

    def receive_trouble(
        self, trouble: Trouble | None, backlog: int, now: float
    ) -> Interrupted | Resumed | None:
        """Learn what the disk says, and how much waits for it; returns what is to be told to everybody.

        When it is Resumed, take the gaps.
        """
        found = trouble or (TOO_SLOW if self.leaving_out and self._told is None else None)
        if found is not None and found != self._told:
            if self._told is None:
                self._since = now
            self._told = found
            return Interrupted(found, self._since)
        if self._told is not None and trouble is None and backlog <= RESUME_BACKLOG:
            self._told = None
            out = 0.0 if self._leaving_out_since is None else max(0.0, now - self._leaving_out_since)
            seconds, packets, records = self._before
            self._before = self.seconds + out, self.packets, self.records
            return Resumed(self.seconds + out - seconds, self.packets - packets, self.records - records)
        return None
