"""Where the pictures of one recorded track stand, when each was taken, which a decoder may be sent. No file, no clock.

They are found by the frame index beside a journal (`IndexedPictures`, `indexed.py`), where there is one: then nothing
but what is shown is read. Else the whole journal is gone through before (`Pictures` of its packets).

As in a container (`recorder/export/frames.py`) nothing is shown that refers to what is missing: after a loss there is
no picture until the next one that a decoder can begin at. What is sent are the recorded packets themselves, so that a
picture here is a row of packets.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from media.codecs import av1, h264, h265, vp8, vp9
from media.plane import Codec
from media.rtp.packet import RtpError, RtpPacket
from recorder.export.index import Packets, Track
from recorder.export.timeline import Line

#: A picture whose timestamp lies further back than this behind one before it is no B-frame but a broken clock, seconds.
_MOST_REORDERING = 1.0

_BEGINS: dict[Codec, Callable[[bytes], bool]] = {
    Codec.H264: h264.starts_key_frame,
    Codec.H265: h265.starts_key_frame,
    Codec.VP8: vp8.starts_key_frame,
    Codec.VP9: vp9.starts_key_frame,
    Codec.AV1: av1.starts_key_frame,
}


class Pictures(ABC):
    """The pictures of a track in the order of sending (sound: each packet). Times are the recording's, in seconds."""

    def __init__(
        self, track: Track, times: NDArray[np.float64], whole: NDArray[np.bool_], broken: NDArray[np.bool_]
    ) -> None:
        """`whole`: it can be shown, and its time is possible; `broken`: packets before it are missing."""
        self.track = track
        self.sound = track.codec is Codec.OPUS
        self.times = times
        self._whole = whole
        self._broken = broken
        newest = np.maximum.accumulate(times) if len(times) else times
        #: when each has to leave: no picture that is shown before it comes after it (B-frames)
        held = np.where(whole, times, np.inf)
        self.due: NDArray[np.float64] = np.minimum(np.minimum.accumulate(held[::-1])[::-1], newest)
        self.reordered = bool((self.due < times - 1e-6)[whole].any())

    def __len__(self) -> int:
        return len(self.times)

    @property
    @abstractmethod
    def rate(self) -> int:
        """Bits a second, on the whole."""

    @abstractmethod
    def bits(self, numbers: list[int]) -> int:
        """Return how much these pictures have."""

    @abstractmethod
    def begins(self, number: int) -> bool:
        """Tell whether a decoder can begin at a picture (sound: always)."""

    @abstractmethod
    def packets_of(self, number: int) -> Iterator[RtpPacket]:
        """Read a picture's packets. Raises JournalError, SealError, OSError."""

    def jumps(self, number: int) -> bool:
        """Tell whether a picture's packets do not follow on from those of the one before."""
        return bool(self._broken[number])

    def after(self, position: float) -> int:
        """Return the first picture that has to leave later than at a position."""
        return int(np.searchsorted(self.due, position + 1e-6, "right"))

    def follows(self, number: int, *, intact: bool) -> bool:
        """Tell whether a picture may be sent; `intact`: the decoder has what came before it."""
        if not self._whole[number]:
            return False
        return (intact and not self._broken[number]) or self.begins(number)

    def until(self, position: float) -> tuple[list[int], bool]:
        """List what a decoder is to be sent so that it shows the picture of a position: from a beginning on.

        Also returns whether it may be sent what follows: not where something is missing before that.
        """
        end = self.after(position)
        begin = next((n for n in range(end - 1, -1, -1) if self.begins(n)), None)
        if begin is None:
            return [], False
        key = float(self.times[begin])
        intact, numbers = True, [begin]
        for number in range(begin + 1, end):
            intact = self.follows(number, intact=intact)
            # what is shown before the beginning refers to what a decoder that begins there has not
            if intact and self.times[number] > key:
                numbers.append(number)
        return numbers, intact

    def first_within(self, position: float, seconds: float) -> int | None:
        """Find the first picture within so many seconds behind a position that a decoder can begin at."""
        numbers = range(self.after(position), self.after(position + seconds))
        return next((number for number in numbers if self.begins(number)), None)

    def comes_soon(self, position: float, seconds: float) -> bool:
        """Tell whether a decoder can begin within so many seconds after a position."""
        return self.first_within(position, seconds) is not None


class JournalPictures(Pictures):
    """Those of a journal that was gone through. `read(offset, length)` gives its bytes."""

    def __init__(
        self, track: Track, packets: Packets, line: Line, started: int, read: Callable[[int, int], bytes]
    ) -> None:
        """`line` lays the track's timestamps on the server's clock, `started` is the recording's zero, ns."""
        self._packets = packets
        self._read = read
        self._keys: dict[int, bool] = {}
        timestamps = packets.timestamps
        edges = np.flatnonzero(np.diff(timestamps)) + 1
        self._first: NDArray[np.int64] = np.concatenate(([0], edges)).astype(np.int64)
        self._end: NDArray[np.int64] = np.concatenate((edges, [len(packets)])).astype(np.int64)
        stamps = timestamps[self._first]
        times = np.asarray((line.zero + stamps * line.ns_per_tick - started) / 1e9, np.float64)
        steps = np.diff(packets.sequence) - 1
        broken = np.concatenate(([False], steps[edges - 1] > 0))
        total = np.concatenate(([0], np.cumsum(steps)))
        inside = total[self._end - 1] - total[self._first]
        ended = np.logical_or.reduceat(packets.markers, self._first) | np.concatenate((~broken[1:], [False]))
        unique = np.zeros(len(stamps), np.bool_)
        unique[np.unique(stamps, return_index=True)[1]] = True
        placed = unique & (np.maximum.accumulate(times) - times <= _MOST_REORDERING)
        sound = track.codec is Codec.OPUS
        super().__init__(track, times, placed if sound else placed & (inside == 0) & ended, broken)
        self._sizes = np.concatenate(([0], np.cumsum(packets.lengths.astype(np.int64))))

    @property
    def rate(self) -> int:
        """Bits a second, on the whole."""
        return int(8 * self._sizes[-1] / max(float(np.ptp(self.times)), 1.0))

    def bits(self, numbers: list[int]) -> int:
        """Return how much these pictures have."""
        return 8 * sum(int(self._sizes[self._end[n]] - self._sizes[self._first[n]]) for n in numbers)

    def begins(self, number: int) -> bool:
        """Tell whether a decoder can begin at a picture (sound: always)."""
        if self.sound:
            return bool(self._whole[number])
        known = self._keys.get(number)
        if known is None:
            first = next(self.packets_of(number), None) if self._whole[number] else None
            known = first is not None and _BEGINS[self.track.codec](first.payload)
            self._keys[number] = known
        return known

    def packets_of(self, number: int) -> Iterator[RtpPacket]:
        """Read a picture's packets. Raises JournalError, SealError, OSError."""
        for place in range(int(self._first[number]), int(self._end[number])):
            data = self._read(int(self._packets.offsets[place]), int(self._packets.lengths[place]))
            found = media_packet(data, self.track.payload_type)
            if found is not None:
                yield found


def media_packet(data: bytes, payload_type: int) -> RtpPacket | None:
    """Read a packet; None for padding, another payload type (0: any is right) and what is no RTP."""
    try:
        packet = RtpPacket.parse(data)
    except RtpError:
        return None
    if payload_type and packet.payload_type != payload_type:
        return None
    return packet if packet.payload else None
