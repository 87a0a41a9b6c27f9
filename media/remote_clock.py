"""A publisher's clock, seen from here: what its NTP time is by our own.

The offset is the smallest of the newest (arrival less NTP) differences, the report that travelled fastest, less half
the shortest round trip that was measured lately. What is left of the network's one-way delay makes a picture look
younger than it is by just that, so ages are called estimated.

Audio and video of one transport share one such clock, and so stay in step, as long as the clock does not move between
the report of one and that of the other. Therefore it moves up slowly (only a drift or a slower line pull it up), and
when it moves at once, whoever passes its times on tells all of them anew (`Reporting`). A correction of the
publisher's own clock is no movement of ours: `step` takes it out.
"""

from __future__ import annotations

from collections import deque

#: Sender reports remembered; about half a minute of audio and video, short enough to follow a drifting clock.
SAMPLES = 32

#: Round trips remembered: one a second.
ROUND_TRIPS = 32

#: So much a second the offset may grow: five times what quartz drifts, and no eye sees it between sound and picture.
SLEW = 0.001


class RemoteClock:
    """Translates a sender's NTP times into ours. All times are Unix nanoseconds."""

    def __init__(self) -> None:
        self._differences: deque[int] = deque(maxlen=SAMPLES)
        self._round_trips: deque[int] = deque(maxlen=ROUND_TRIPS)
        self._offset: int | None = None
        self._last = 0
        #: by how much the sender's clock was set forward since the first sample, ns
        self.stepped = 0

    @property
    def offset(self) -> int | None:
        """Our clock less the sender's; None before the first sample."""
        return self._offset

    def add(self, remote: int, arrival: int) -> int:
        """Learn from a sender report that says `remote` and arrived at `arrival`; returns by how much we moved."""
        self._differences.append(arrival - remote)
        elapsed, self._last = max(0, arrival - self._last), arrival
        return self._move(int(elapsed * SLEW))

    def set_round_trip(self, nanoseconds: int) -> int:
        """Learn how long an answer takes; returns by how much we moved."""
        self._round_trips.append(nanoseconds)
        return self._move(0) if self._differences else 0

    def _move(self, allowed: int) -> int:
        target = min(self._differences) - (min(self._round_trips) // 2 if self._round_trips else 0)
        if self._offset is None:
            self._offset = target
            return 0
        moved = min(target - self._offset, allowed)
        self._offset += moved
        return moved

    def explains(self, remote: int, arrival: int, step: int) -> bool:
        """Tell whether a report fits better if the sender's clock was set forward by `step` before it."""
        if self._offset is None:
            return False
        late = arrival - remote - self._offset
        return abs(late + step) < abs(late)

    def step(self, forward: int) -> None:
        """Note that the sender's clock was set forward (or, negative, back) by so much."""
        self.stepped += forward
        self._differences = deque((d - forward for d in self._differences), maxlen=SAMPLES)
        if self._offset is not None:
            self._offset -= forward

    def translate(self, remote: int) -> int:
        """Return what our clock showed when the sender's showed `remote`; needs one sample at least."""
        assert self._offset is not None
        return remote + self._offset
