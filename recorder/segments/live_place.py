"""Where a live track's frames lie on the time that all of a room's tracks share (docs/hls.md).

Sans-IO. RTP timestamps run by the clock of who sends, sound's by another than the picture's, and reports say now and
then what time they meant. A track that counted from its first frame alone would part from the others by and by.
"""

from __future__ import annotations

from dataclasses import dataclass

_NS = 1_000_000_000

#: By how much of the time that passes a frame may be moved towards its place: nobody sees a fiftieth.
_SLEW = 50
#: What is further ahead than this, seconds, is no drift: the sender's clock or line was interrupted.
_JUMP = 0.5


@dataclass(slots=True)
class Zero:
    """From when the tracks of a room count their time, Unix ns: a second before the first frame of any."""

    value: int | None = None


class Place:
    """Places the frames of one track. `rate` is ticks a second of its RTP clock."""

    def __init__(self, rate: int, zero: Zero) -> None:
        self._rate = rate
        self._zero = zero
        self._frame: tuple[int, int] | None = None  # RTP timestamp and place of the newest frame

    def of(self, timestamp: int, arrival: int, told: tuple[int, int] | None) -> int | None:
        """Give the ticks at which a frame lies, or None where that is before all time.

        `arrival` is its last packet's, Unix ns. `told` is what the newest report says: an RTP timestamp, and its time.
        """
        rate = self._rate
        if told is not None:
            # by the sender's reports, so that sound lies at its picture; by its arrival before there is one. A report
            # by which a frame was seen after it came is wrong (FFmpeg's is, by what its connection took): pictures
            # would be told less late than they are
            seen = min(told[1] + _signed(timestamp - told[0]) * _NS // rate, arrival)
        elif self._frame is None:
            seen = arrival
        else:
            return self._follow(timestamp, None)
        if self._zero.value is None:
            self._zero.value = seen - _NS
        wanted = (seen - self._zero.value) * rate // _NS
        if self._frame is None:
            if wanted < 0:
                return None
            self._frame = timestamp, wanted
            return wanted
        return self._follow(timestamp, wanted)

    def seen(self, ticks: int) -> float:
        """Give the Unix seconds of a place."""
        assert self._zero.value is not None
        return (self._zero.value + ticks * _NS // self._rate) / _NS

    def _follow(self, timestamp: int, wanted: int | None) -> int:
        assert self._frame is not None
        before, place = self._frame
        passed = _signed(timestamp - before)
        if passed <= 0:
            return place + passed  # sound that was overtaken: it moves nothing
        placed = place + passed
        if wanted is not None:
            late = wanted - placed
            limit = passed // _SLEW + 1
            placed = wanted if late > _JUMP * self._rate else placed + max(-limit, min(limit, late))
        self._frame = timestamp, placed
        return placed


def _signed(ticks: int) -> int:
    return (ticks + (1 << 31)) % (1 << 32) - (1 << 31)
