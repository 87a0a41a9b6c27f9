"""How fast copying may go, so that live pictures have the line and the disk."""

from __future__ import annotations


class Pace:
    """Spreads bytes over time. `rate` is bytes a second; `now` is seconds of a clock that never steps."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free = 0.0

    def wait(self, count: int, now: float, share: float = 1.0) -> float:
        """Take so many bytes, at a share of the rate; gives the seconds to wait before they are moved."""
        begin = max(now, self._free)
        self._free = begin + count / (self._rate * share)
        return begin - now
