"""How often a client may speak."""

from __future__ import annotations


class TokenBucket:
    """Allow `rate` takings a second on average and `burst` at once. `now` is in seconds, of any clock."""

    __slots__ = ("_burst", "_filled", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError("A token bucket needs a positive rate and a burst of at least one.")
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._filled = now

    def take(self, now: float) -> bool:
        """Take one token if there is one. A clock that steps back gives none and takes none."""
        elapsed = now - self._filled
        if elapsed > 0:
            self._tokens = min(self._burst, self._tokens + elapsed * self._rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
