"""One timeline for all encodings of a picture: (producer, RTP timestamp) names one frame, whatever the layer.

A browser that sends a picture in several encodings begins each at a timestamp of its own choice. What must be added to
an encoding's timestamps is found in two steps. First roughly, by the publisher's clock: abs-capture-time or a sender
report ties a timestamp of each encoding to one clock, to within a few ms. Then exactly, by the frames themselves: the
same captured frame bears a timestamp in each encoding, so among the differences between recent timestamps of both the
true one occurs, and the rough value says which it is. Where it does not say so beyond doubt, there is no offset yet,
and the encoding is not sent to anybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from .plane import EncodingStatistics

_WRAP = 1 << 32

#: How often a difference must occur among the recent frames before it is believed.
LEAST_PAIRS = 3
#: The rough value must lie within this share of a frame's time of the exact one: beyond, it may be the next frame's.
CERTAIN = 0.4


def _signed(value: int) -> int:
    value %= _WRAP
    return value - _WRAP if value >= _WRAP >> 1 else value


def origin(rtp_timestamp: int, ntp_time: int, clock_rate: int) -> int:
    """Return the RTP timestamp of the NTP epoch (64-bit NTP time), modulo 2**32."""
    return (rtp_timestamp - (ntp_time * clock_rate >> 32)) % _WRAP


def exact_offset(rough: int, reference: Sequence[int], other: Sequence[int]) -> int | None:
    """Find what is to be added to `other`'s timestamps to make them `reference`'s; None where it is in doubt.

    Both hold raw RTP timestamps of recent frames; `rough` is the offset to within less than half a frame.
    """
    unwrapped = sorted(_signed(t - reference[0]) for t in reference) if reference else []
    steps = [b - a for a, b in pairwise(unwrapped) if b > a]
    if not steps or not other:
        return None
    differences = Counter((r - o) % _WRAP for r in reference for o in other)
    found = min(differences, key=lambda difference: abs(_signed(difference - rough)))
    if differences[found] < LEAST_PAIRS or abs(_signed(found - rough)) > CERTAIN * min(steps):
        return None
    return found


class FrameIdentity:
    """One producer's encodings. The first (index 0) is the reference."""

    def __init__(self, clock_rate: int, *, settled: bool = True) -> None:
        """Not `settled`: what is added to the first encoding's timestamps is not known yet (`settle`)."""
        self._clock_rate = clock_rate
        self._reported: dict[int, int] = {}
        self.offsets: dict[int, int] = {0: 0} if settled else {}

    @property
    def settled(self) -> bool:
        """Whether the first encoding lies on the canonical timeline."""
        return 0 in self.offsets

    def settle(self, offset: int) -> None:
        """Learn where on the canonical timeline the first encoding lies, which goes on with another's."""
        self.offsets[0] = offset

    def learn(self, encoding: int, rtp_timestamp: int, ntp_time: int) -> None:
        """Take what a sender report of an encoding ties together."""
        self._reported[encoding] = origin(rtp_timestamp, ntp_time, self._clock_rate)

    def forget(self, encoding: int) -> None:
        """An encoding began anew, under another SSRC."""
        self._reported.pop(encoding, None)
        if encoding == 0:
            self.offsets = {0: 0}
        else:
            self.offsets.pop(encoding, None)

    def find(self, encodings: Sequence[EncodingStatistics]) -> list[tuple[int, int]]:
        """Return the (encoding, offset) that are known now and were not before."""
        found: list[tuple[int, int]] = []
        if not self.settled:
            return found
        for i in range(1, len(encodings)):
            if i in self.offsets:
                continue
            rough = self._rough(encodings, i)
            if rough is None:
                continue
            offset = exact_offset(rough, encodings[0].recent_timestamps, encodings[i].recent_timestamps)
            if offset is not None:
                self.offsets[i] = (offset + self.offsets[0]) % _WRAP
                found.append((i, self.offsets[i]))
        return found

    def _rough(self, encodings: Sequence[EncodingStatistics], i: int) -> int | None:
        first, other = encodings[0].capture, encodings[i].capture
        if first != (0, 0) and other != (0, 0):
            return (origin(*first, self._clock_rate) - origin(*other, self._clock_rate)) % _WRAP
        if 0 in self._reported and i in self._reported:
            return (self._reported[0] - self._reported[i]) % _WRAP
        return None
