"""Requests for a key frame, coalesced: at most one a second a producer, however many receivers ask.

An encoder that is asked too often sends nothing but key frames, and a 4K key frame is a burst of 150-500 packets to
everybody. A request that a key frame answers while it waits is dropped.
"""

from __future__ import annotations

#: Seconds between two requests to one producer.
INTERVAL = 1.0


class KeyFrameRequests:
    """Decides when one producer is asked. `now` is seconds of any steady clock."""

    def __init__(self) -> None:
        self._sent = float("-inf")
        self._wanted = False

    def want(self) -> None:
        """Note that somebody needs a key frame."""
        self._wanted = True

    def arrived(self) -> None:
        """Note that a key frame began: whoever waited has been served."""
        self._wanted = False

    def due(self, now: float) -> bool:
        """Return whether to ask now; then the next may be asked an interval later."""
        if not self._wanted or now < self._sent + INTERVAL:
            return False
        self._wanted = False
        self._sent = now
        return True

    def get_timer(self) -> float | None:
        """Return when a waiting request becomes due, None if none waits."""
        return self._sent + INTERVAL if self._wanted else None
