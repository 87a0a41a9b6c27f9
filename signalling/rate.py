"""How often, and how much, a client may speak."""

from __future__ import annotations

from typing import Final

#: Messages a second on average, and at once (PROTOCOL.md, "Limits").
MESSAGE_RATE: Final = 200
MESSAGE_BURST: Final = 400


def message_cost(text: str | bytes) -> int:
    """Count a message once, and once more for each 8 KiB: the largest takes 5 ms and more to read."""
    return 1 + len(text) // 8192


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

    def take(self, now: float, cost: float = 1) -> bool:
        """Take `cost` tokens if there are so many. A clock that steps back gives none and takes none."""
        elapsed = now - self._filled
        if elapsed > 0:
            self._tokens = min(self._burst, self._tokens + elapsed * self._rate)
        self._filled = now
        if self._tokens < cost:
            return False
        self._tokens -= cost
        return True
