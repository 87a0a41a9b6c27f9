"""What a transport was sent lately, by transport-wide number, until its peer's feedback says what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..feedback_group import FeedbackGroup
from ..rtp.sequence import extend
from ..rtp.transport_wide import TICK_NS, Arrivals

#: Packets that may wait for feedback.
MAX_SENT = 16_384

#: The same, while the peer has never given any.
MAX_UNANSWERED = 1_024

#: Packets that left within this time make one group.
BURST_NS = 5_000_000


@dataclass(slots=True)
class _Sent:
    time: int
    size: int
    cluster: int
    reported_lost: bool = False


@dataclass(slots=True)
class _Group:
    first: int
    cluster: int
    last: int = 0
    arrival: int = 0
    size: int = 0
    received: int = 0
    lost: int = 0


class SentWindow:
    """Number a transport's packets, and join them with its peer's feedback."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self.next_number = 1
        self.ignored = 0
        self._sent: dict[int, _Sent] = {}
        self._last_tick: int | None = None

    def put(self, size: int, time: int, cluster: int) -> None:
        """Enter the packet that left as `next_number`: bytes of its datagram, ns, the probe under way or 0."""
        self._sent[self.next_number] = _Sent(time, size, cluster)
        most = MAX_UNANSWERED if self._last_tick is None else MAX_SENT
        self._sent.pop(self.next_number - most, None)
        self.next_number += 1

    def join(self, arrivals: Arrivals) -> list[FeedbackGroup]:
        """Make groups of a feedback; what it says of anything else than packets without an answer is ignored."""
        base = extend(arrivals.base, self.next_number - 1)
        groups: list[_Group] = []
        ticks = (None if tick is None else self._unwrap(tick) for tick in arrivals.ticks)
        for number, tick in enumerate(ticks, base):
            sent = self._sent.get(number)
            if sent is None or (tick is None and sent.reported_lost):
                self.ignored += 1
                continue
            group = groups[-1] if groups else None
            if group is None or group.cluster != sent.cluster or sent.time - group.first > BURST_NS:
                group = _Group(sent.time, sent.cluster)
                groups.append(group)
            group.last = sent.time
            if tick is None:
                sent.reported_lost = True
                group.lost += 1
            else:
                del self._sent[number]
                group.size += sent.size
                group.received += 1
                group.arrival = max(group.arrival, tick * TICK_NS) if group.received > 1 else tick * TICK_NS
        return [
            FeedbackGroup(g.first, g.last, g.arrival, g.size, g.received, g.lost, g.cluster) for g in groups
        ]

    def _unwrap(self, tick: int) -> int:
        """Follow the receiver's clock, 32 bits of 250 µs, over its wraps."""
        if self._last_tick is None:
            self._last_tick = tick
        self._last_tick += (tick - self._last_tick + (1 << 31) & 0xFFFFFFFF) - (1 << 31)
        return self._last_tick
