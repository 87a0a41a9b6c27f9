"""Requests for a key frame, coalesced: at most one a second a producer, however many receivers ask.

An encoder that is asked too often sends nothing but key frames, and a 4K key frame is a burst of 150-500 packets to
everybody. A request that a key frame answers while it waits is dropped. One that none answers is repeated: it may
have been lost, or have come before the publisher was connected, and who waits for a first picture does not complain.
"""

from __future__ import annotations

#: Seconds between two requests to one producer.
INTERVAL = 1.0

#: How often one that is not answered is made: whoever does not answer by then passes on what it cannot change.
ATTEMPTS = 10


class KeyFrameRequests:
    """Decides when one producer is asked. `now` is seconds of any steady clock."""

    def __init__(self) -> None:
        self._sent = float("-inf")
        self._left = 0

    def want(self) -> None:
        """Note that somebody needs a key frame."""
        self._left = ATTEMPTS

    def arrived(self) -> None:
        """Note that a key frame began: whoever waited has been served."""
        self._left = 0

    def due(self, now: float) -> bool:
        """Return whether to ask now; then the next may be asked an interval later."""
        if not self._left or now < self._sent + INTERVAL:
            return False
        self._left -= 1
        self._sent = now
        return True

    def get_timer(self) -> float | None:
        """Return when a waiting request becomes due, None if none waits."""
        return self._sent + INTERVAL if self._left else None
