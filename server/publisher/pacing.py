"""When each access unit, and each burst of its packets, leaves. No clock: times are arguments, in seconds.

A file is sent by its timestamps, all counted from one origin, so that no rounding ever adds up. Pictures and sound
of a container are interleaved in chunks; a second is read ahead and sent in the order of time. A live source is
sent as it comes.

If the machine slept, or the disk stalled, the rest is not sent in a rush: from then on everything, RTP timestamps
included, is later by what was lost (`shift`), so that a receiver's buffer does not grow.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .source import AccessUnit

#: Media time read ahead of what is sent, and the most units and bytes held for it. A computed picture is encoded as it
#: is needed, or a key frame that somebody asks for would stand behind those that wait.
READ_AHEAD = Fraction(1)
COMPUTED_AHEAD = Fraction(1, 10)
MOST_UNITS = 1024
MOST_BYTES = 64 << 20

#: Later than this is a pause and not a hiccup.
MOST_LATE = 0.5
#: A live source's timestamps may stray from our clock by this before they are moved.
MOST_STRAY = 2.0

#: Packets that leave at once, and the time to the next: 300 Mbit/s. A key frame in one burst (400 packets at
#: 4K) would overflow small receive buffers and hold up everybody else's packets at the server.
BURST_PACKETS = 32
BURST_SPACING = 0.001


@dataclass(frozen=True, slots=True)
class Release:
    """A unit whose time has come: `due` by the steady clock; `time` in seconds of media, every shift included."""

    unit: AccessUnit
    due: float
    time: Fraction


class Pacer:
    """Holds access units until they are due."""

    def __init__(self, *, live: bool, read_ahead: Fraction = READ_AHEAD) -> None:
        self._read_ahead = read_ahead
        self.shift = Fraction(0)
        self._live = live
        self._waiting: list[tuple[Fraction, int, AccessUnit]] = []
        self._count = 0
        self._bytes = 0
        self._newest = Fraction(0)
        self._origin: float | None = None
        self._ended = False

    @property
    def wants_more(self) -> bool:
        """Whether the source should be read further."""
        if self._ended:
            return False
        if not self._waiting or self._live:
            return len(self._waiting) < MOST_UNITS
        full = len(self._waiting) >= MOST_UNITS or self._bytes >= MOST_BYTES
        return not full and self._newest - self._waiting[0][0] < self._read_ahead

    @property
    def finished(self) -> bool:
        """Whether the source has ended and everything was released."""
        return self._ended and not self._waiting

    def receive(self, unit: AccessUnit) -> None:
        """Take a unit from the source."""
        self._count += 1
        heapq.heappush(self._waiting, (unit.time, self._count, unit))
        self._bytes += sum(map(len, unit.payloads))
        self._newest = max(self._newest, unit.time)

    def receive_end(self) -> None:
        """Learn that nothing more will come."""
        self._ended = True

    def get_timer(self) -> float | None:
        """When `release` has something; None while nothing is held or (before the start) too little is read."""
        if not self._waiting:
            return None
        if self._live:
            return 0.0
        if self._origin is None:
            return None if self.wants_more else 0.0
        return self._due(self._waiting[0][0])

    def release(self, now: float) -> Release | None:
        """Take the next unit if it is due."""
        timer = self.get_timer()
        if timer is None or timer > now:
            return None
        time, _, unit = heapq.heappop(self._waiting)
        self._bytes -= sum(map(len, unit.payloads))
        if self._origin is None:
            self._origin = now - float(time)
        due = self._due(time)
        if self._live:
            if abs(now - due) > MOST_STRAY:
                self.shift += _exact(now - due)
            due = now
        elif now - due > MOST_LATE:
            self.shift += _exact(now - due)
            due = now
        return Release(unit, due, time + self.shift)

    def _due(self, time: Fraction) -> float:
        assert self._origin is not None
        return self._origin + float(time + self.shift)


class Bursts:
    """Cuts what is released into bursts, one after another."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, Sequence[bytes]]] = deque()
        self._free = 0.0  # when the next burst may leave

    def receive(self, packets: Sequence[bytes], now: float) -> None:
        """Take the packets of a unit, behind those that wait."""
        self._free = max(self._free, now)
        for start in range(0, len(packets), BURST_PACKETS):
            self._waiting.append((self._free, packets[start : start + BURST_PACKETS]))
            self._free += BURST_SPACING

    def get_timer(self) -> float | None:
        """When the next burst leaves."""
        return self._waiting[0][0] if self._waiting else None

    def next_burst(self, now: float) -> Sequence[bytes] | None:
        """Take the next burst if its time has come."""
        if self._waiting and self._waiting[0][0] <= now:
            return self._waiting.popleft()[1]
        return None


def _exact(seconds: float) -> Fraction:
    # whole milliseconds are whole ticks of every RTP clock
    return Fraction(round(seconds * 1000), 1000)
