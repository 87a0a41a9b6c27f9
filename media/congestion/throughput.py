"""What arrived: bits a second by the receiver's own clock, and what a probe proves."""

from __future__ import annotations

from collections import deque

from ..feedback_group import FeedbackGroup

WINDOW_SECONDS = 0.5

#: A probe counts when so much of it arrived, and its rate is believed up to so much above the rate sent.
PROBE_PACKETS = 5
#: What arrives more slowly than this share of the sending filled the line: then most of what arrived is its capacity.
FILLED, OF_FILLED = 0.9, 0.95


class Throughput:
    """The rate that was received lately."""

    def __init__(self) -> None:
        # a feedback tells what arrived since the one before: the first of these is only where the window begins
        self._window: deque[tuple[float, int]] = deque()
        self._bytes = 0

    def add(self, received_bytes: int, now: float) -> None:
        """Count what a feedback says arrived."""
        self._window.append((now, received_bytes))
        self._bytes += received_bytes
        self._expire(now)

    def _expire(self, now: float) -> None:
        while len(self._window) > 1 and self._window[1][0] <= now - WINDOW_SECONDS:
            self._bytes -= self._window.popleft()[1]

    def rate(self, now: float) -> int | None:
        """Bits a second over the window; None while it is not full."""
        self._expire(now)
        if not self._window or now - self._window[0][0] < WINDOW_SECONDS:
            return None
        began, before = self._window[0]
        return int((self._bytes - before) * 8 / (now - began))


class ProbeResult:
    """Adds up the groups of one probe cluster."""

    def __init__(self, cluster: int) -> None:
        self.cluster = cluster
        self._first: FeedbackGroup | None = None
        self._last: FeedbackGroup | None = None
        self._bytes = self._packets = 0
        #: whether it arrived more slowly than it was sent: then it has shown the line's limit
        self.filled = False

    def add(self, group: FeedbackGroup) -> None:
        """Take one of its groups, in order."""
        if not group.packets_received:
            return
        if self._first is None:
            self._first = group
        self._last = group
        self._bytes += group.bytes_received
        self._packets += group.packets_received

    def rate(self) -> int | None:
        """Return the bits a second that the line carried of it; None where too little arrived to tell.

        The first group's bytes came before the first moment that is known, so they do not count.
        """
        first, last = self._first, self._last
        if first is None or last is None or first is last or self._packets < PROBE_PACKETS:
            return None
        sent, arrived = last.last_sent - first.last_sent, last.last_arrival - first.last_arrival
        if sent <= 0 or arrived <= 0:
            return None
        payload = (self._bytes - first.bytes_received) * 8 * 1_000_000_000
        sending, receiving = payload / sent, payload / arrived
        self.filled = receiving < FILLED * sending
        if self.filled:
            return int(OF_FILLED * receiving)
        return int(min(sending, receiving))
