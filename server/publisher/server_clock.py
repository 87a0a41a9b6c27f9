"""The server's clock, as its answers tell it. Times are Unix nanoseconds; no clock is read here."""

from __future__ import annotations

from collections import deque

#: Samples kept: half a minute at one a second, short enough to follow a clock that drifts.
SAMPLES = 32


class ServerClock:
    """Translates our time into the server's by the sample that travelled fastest (its error: half a round trip)."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES)

    def add(self, asked: int, server: int, answered: int) -> None:
        """Learn that the server's clock showed `server` between our `asked` and `answered`."""
        if answered >= asked:
            self._samples.append((answered - asked, server - (asked + answered) // 2))

    @property
    def known(self) -> bool:
        """Whether there is a sample."""
        return bool(self._samples)

    def translate(self, time: int) -> int:
        """Return the server's time at ours; unchanged until the first sample."""
        return time + min(self._samples)[1] if self._samples else time
