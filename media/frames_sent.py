"""Which frames of a picture were sent, by their RTP timestamps: a mark on any other frame is on nothing.

A timestamp lies between the first that was sent and the newest, give or take a second: a page that reckons where its
own preview stands may be ahead of what has arrived. The timeline goes on over an interruption (docs/decisions/0014), so
what was sent before it counts. Timestamps come round after 13 hours at 90 kHz: who has sent for so long has sent them
all, and so has who jumped back, since nobody can tell then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_WRAP: Final = 1 << 32
#: Seconds before the first and after the newest that are taken, too.
SLACK: Final = 1.0


class FramesSent:
    """What a producer has sent so far, on its canonical timeline."""

    def __init__(self, clock_rate: int) -> None:
        self._slack = int(SLACK * clock_rate)
        self._newest: int | None = None
        self._span = 0  # from the first to the newest

    @property
    def newest(self) -> int | None:
        """The newest frame's RTP timestamp; None: there was none."""
        return self._newest

    def note(self, rtp_timestamps: Iterable[int]) -> None:
        """Take the timestamps of frames that have arrived, in any order."""
        for timestamp in rtp_timestamps:
            if self._newest is None:
                self._newest = timestamp
                continue
            ahead = (timestamp - self._newest) % _WRAP
            if ahead < _WRAP >> 1:
                self._newest = timestamp
                self._span = min(self._span + ahead, _WRAP)
            elif _WRAP - ahead > self._span + self._slack:
                # long before the first: its sender began anew, and what it named before is not to be told from it
                self._newest, self._span = timestamp, _WRAP
            else:
                self._span = max(self._span, _WRAP - ahead)

    def holds(self, rtp_timestamp: int) -> bool:
        """Tell whether a frame of this name may have been sent."""
        if self._newest is None:
            return False
        return (self._newest + self._slack - rtp_timestamp) % _WRAP <= self._span + 2 * self._slack
