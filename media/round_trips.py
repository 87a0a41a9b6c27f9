"""The round trip to who only sends: we say our time, the answer says how long ago it was heard (RFC 3611, 4.4-4.5)."""

from __future__ import annotations

from collections import deque

from .rtp.ntp import middle_bits

#: Times that may still be answered: browsers answer with their next report, up to 5 s later.
REMEMBERED = 8

#: What a clock's grain may turn into less than nothing, seconds.
LEAST = 0.001


class ReferenceTimes:
    """What one peer was told last. The NTP time is that of our steady clock, as RFC 3611 allows."""

    def __init__(self) -> None:
        self._told: deque[tuple[int, float]] = deque(maxlen=REMEMBERED)

    def ask(self, now: float) -> int:
        """Return the 64-bit NTP time to be told at `now`, seconds of the steady clock."""
        ntp_time = int(now * (1 << 32)) & 0xFFFFFFFFFFFFFFFF
        self._told.append((middle_bits(ntp_time), now))
        return ntp_time

    def answered(self, word: int, delay: int, now: float) -> float | None:
        """Return the round trip in seconds; None if we never told that time. `delay` is in 1/65,536 s."""
        told = next((at for known, at in self._told if known == word), None)
        return None if told is None else max(now - told - delay / 65536, LEAST)
