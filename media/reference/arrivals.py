"""When a transport's packets arrived, for the transport-wide feedback that we send to a publisher."""

from __future__ import annotations

from ..rtp.sequence import extend
from ..rtp.transport_wide import TICK_NS, Arrivals, wrap

_MS = 1_000_000

#: Numbers that are remembered: half a second of a 4K stream. What is farther behind is not told any more.
MAX_NUMBERS = 1024

#: A feedback leaves so long after the first packet that it tells of: sooner where much comes.
PATIENCE_NS = 100 * _MS
HURRY_NS = 50 * _MS
HURRY_PACKETS = 20

#: With so many packets a feedback leaves at once.
MAX_WAITING = 200

#: Arrivals in one packet: with 2 bytes for each, and their chunks, some 1,100 bytes.
MAX_ARRIVALS = 400


class ArrivalLog:
    """Keep arrivals until they are told. Times are ns: `arrival` by the kernel, `now` by the plane."""

    def __init__(self) -> None:
        """Begin with nothing arrived."""
        self._ticks: dict[int, int] = {}
        self._next = self._highest = 0
        self._waiting = 0
        self._patience = PATIENCE_NS
        self._due: int | None = None
        self._count = 0

    def record(self, number: int, arrival: int, now: int) -> None:
        """Note a packet by its 16 bits of transport-wide number; the first of equal ones counts."""
        extended = extend(number, self._highest) if self._ticks else number
        if not self._ticks or extended - self._highest >= MAX_NUMBERS:
            # the beginning, or a new one: nobody can say what became of the numbers between
            self._ticks.clear()
            self._next = self._highest = extended
        elif self._highest - extended >= MAX_NUMBERS or extended in self._ticks:
            return
        self._highest = max(self._highest, extended)
        self._ticks[extended] = arrival // TICK_NS
        self._ticks = {n: tick for n, tick in self._ticks.items() if self._highest - n < MAX_NUMBERS}
        # what comes late was told to be missing: it is told once more, with all that came after it
        self._next = max(min(self._next, extended), self._highest - MAX_NUMBERS + 1)
        self._waiting += 1
        if self._due is None:
            self._due = now + self._patience
        if self._waiting >= MAX_WAITING:
            self._due = now

    def get_timer(self) -> int | None:
        """Tell when feedback is due."""
        return self._due

    def take(self, now: int) -> list[Arrivals]:
        """Take the feedbacks that are due, one after the other."""
        if self._due is None or now < self._due:
            return []
        self._patience = HURRY_NS if self._waiting >= HURRY_PACKETS else PATIENCE_NS
        self._due, self._waiting = None, 0
        feedbacks = []
        while self._next <= self._highest:
            ticks = self._piece()
            wrapped = (tick if tick is None else wrap(tick) for tick in ticks)
            feedbacks.append(Arrivals(self._next & 0xFFFF, tuple(wrapped), self._count))
            self._next += len(ticks)
            self._count = self._count + 1 & 0xFF
        return feedbacks

    def _piece(self) -> list[int | None]:
        """List what fits one packet: so many arrivals, each within 8 s of the one before."""
        ticks: list[int | None] = []
        arrived = 0
        last: int | None = None
        for number in range(self._next, self._highest + 1):
            tick = self._ticks.get(number)
            if tick is not None:
                if (last is not None and not -0x8000 <= tick - last < 0x8000) or arrived == MAX_ARRIVALS:
                    break
                last, arrived = tick, arrived + 1
            ticks.append(tick)
        # the piece ends with an arrival, as the last one does
        while ticks[-1] is None:
            ticks.pop()
        return ticks
