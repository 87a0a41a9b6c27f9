"""A publisher's clock, seen from here: what its NTP time is by our own.

The offset is the smallest of the newest (arrival less NTP) differences: the report that travelled fastest. What is left
of the network's one-way delay makes a picture look younger than it is by just that, so ages are called estimated.
Audio and video of one transport share one such clock; therefore they stay in step.
"""

from __future__ import annotations

from collections import deque

#: Sender reports remembered; about half a minute of audio and video, short enough to follow a drifting clock.
SAMPLES = 32


class RemoteClock:
    """Translates a sender's NTP times into ours. All times are Unix nanoseconds."""

    def __init__(self) -> None:
        self._differences: deque[int] = deque(maxlen=SAMPLES)

    def add(self, remote: int, arrival: int) -> None:
        """Learn from a sender report that says `remote` and arrived at `arrival`."""
        self._differences.append(arrival - remote)

    def translate(self, remote: int) -> int:
        """Return what our clock showed when the sender's showed `remote`; needs one sample at least."""
        return remote + min(self._differences)
