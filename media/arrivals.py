"""Whether a publisher's reports can be true: no frame is captured after it has arrived.

A sender report ties RTP timestamps to a clock, and some encoders tie them wrongly: FFmpeg's WHIP muxer says of each
picture that it was captured later than it was, by what its connection took at the begin. A picture would seem younger
than it is. But where a report has a frame captured at C that arrived at A, it is wrong by C - A at least; with that
taken off, what it says is how old a picture is at least.

A report that is wrong by less than its frames take to arrive cannot be told from a true one here.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from .plane import EncodingStatistics
from .reports import SenderInstant

#: Arrivals remembered, one a second: the one that took least says most, and what was long ago was perhaps another line.
KEPT: Final = 4

#: So much, ns, packets may overtake reports. Who is ahead by more has reports that are not believed.
TOLERANCE: Final = 50_000_000

_WRAP: Final = 1 << 32


class Arrivals:
    """When packets of one encoding arrived, now and then one."""

    def __init__(self) -> None:
        #: RTP timestamp and arrival, Unix ns
        self._seen: deque[tuple[int, int]] = deque(maxlen=KEPT)

    def note(self, statistics: EncodingStatistics) -> None:
        """Remember the newest packet."""
        newest = statistics.last_timestamp, statistics.last_arrival
        if not self._seen or self._seen[-1] != newest:
            self._seen.append(newest)

    def ahead_of(self, instant: SenderInstant, clock_rate: int) -> int:
        """Give by how many ns at least a report has frames captured too late; 0: it may be true."""
        late = (_captured(timestamp, instant, clock_rate) - arrival for timestamp, arrival in self._seen)
        return max([0, *late])


def _captured(rtp_timestamp: int, instant: SenderInstant, clock_rate: int) -> int:
    ticks = (rtp_timestamp - instant.rtp_timestamp + (_WRAP >> 1)) % _WRAP - (_WRAP >> 1)
    return instant.time + ticks * 1_000_000_000 // clock_rate
