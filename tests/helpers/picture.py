"""What a viewer sees of one stream: frames in order, each when it is complete.

A gap that does not close waits for a key frame, as a decoder does. Sound is taken as it comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from media.ids import ProducerId
from media.rtp.packet import RtpPacket

#: Seconds that a gap may stay before a key frame is asked for, and between two requests.
PATIENCE = 0.5
ASK_AGAIN = 0.5


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame on the glass: when, how old, and how high."""

    time: float
    age: float
    height: int


@dataclass(slots=True)
class Picture:
    """One stream at its receiver."""

    clock_rate: int
    video: bool = True
    shown: list[Shown] = field(default_factory=list)
    _waiting: dict[int, RtpPacket] = field(default_factory=dict)
    _next: int | None = None
    _stuck_since: float | None = None
    _asked: float = 0.0

    def take(self, records: bytes, producer: ProducerId, now: float) -> None:
        """Take what the tap of the viewer's plane holds."""
        for number, packet in _records(records, producer):
            if not self.video:
                self.shown.append(Shown(now, self._age(packet, now), 0))
            elif self._next is None or number >= self._next:
                self._waiting[number] = packet
        if self.video:
            self._show(now)

    def _age(self, packet: RtpPacket, now: float) -> float:
        """All canonical timestamps count from the session's beginning."""
        return (int(now * self.clock_rate) - packet.timestamp & 0xFFFFFFFF) / self.clock_rate

    def _show(self, now: float) -> None:
        if self._next is None:
            self._next = self._key_frame()
        while self._next is not None and (frame := self._frame(self._next)) is not None:
            for number in range(self._next, frame + 1):
                last = self._waiting.pop(number)
            self._next = frame + 1
            self._stuck_since = None
            self.shown.append(Shown(now, self._age(last, now), int.from_bytes(last.payload[2:4], "big")))
        if self._waiting and self._stuck_since is None:
            self._stuck_since = now
        elif self._stuck_since is not None and now - self._stuck_since > PATIENCE:
            later = self._key_frame()
            if later is not None:
                self._waiting = {n: packet for n, packet in self._waiting.items() if n >= later}
                self._next, self._stuck_since = later, None

    def _key_frame(self) -> int | None:
        """Find the newest key frame's first packet."""
        found = [n for n, packet in self._waiting.items() if packet.payload[:2] == b"\x10\x00"]
        return max(found, default=None)

    def _frame(self, first: int) -> int | None:
        """Return the last packet of the frame that begins at `first`, if all of it is there."""
        number = first
        while (packet := self._waiting.get(number)) is not None:
            if packet.marker:
                return number
            number += 1
        return None

    def needs_key_frame(self, now: float) -> bool:
        """Tell whether it is time to ask for a key frame."""
        stuck = self._stuck_since is not None and now - self._stuck_since > PATIENCE
        if not self.video or not stuck or now - self._asked < ASK_AGAIN:
            return False
        self._asked = now
        return True

    # -- what was seen -----------------------------------------------------------------------------------------------

    def between(self, start: float, end: float) -> list[Shown]:
        """List what was shown in a stretch of time."""
        return [shown for shown in self.shown if start <= shown.time < end]

    def longest_standstill(self, start: float, end: float) -> float:
        """Return the longest time without a new frame, s."""
        times = [start, *(shown.time for shown in self.between(start, end)), end]
        return max(b - a for a, b in pairwise(times))

    def heights(self, start: float, end: float) -> set[int]:
        """Return the heights shown in a stretch of time."""
        return {shown.height for shown in self.between(start, end)}

    def age(self, share: float, start: float, end: float) -> float:
        """Return the age, s, that this share of the frames did not exceed when they were shown."""
        ages = sorted(shown.age for shown in self.between(start, end))
        return ages[min(int(share * len(ages)), len(ages) - 1)]


def _records(data: bytes, producer: ProducerId) -> Iterator[tuple[int, RtpPacket]]:
    """Read the records of one producer (`Plane.read_tap`)."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        record = data[at + 4 : at + 4 + length]
        if int.from_bytes(record[:4], "big") == producer:
            yield int.from_bytes(record[12:20], "big"), RtpPacket.parse(record[20:])
        at += 4 + length
