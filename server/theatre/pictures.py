"""Where the pictures of one recorded track stand, when each was taken, which a decoder may be sent. No file, no clock.

As in a container (`recorder/export/frames.py`) nothing is shown that refers to what is missing: after a loss there is
no picture until the next one that a decoder can begin at. What is sent are the recorded packets themselves, so that a
picture here is a row of packets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, or one packet of sound: its packets, and when it was taken, seconds of the recording."""

    number: int
    first: int
    end: int
    time: float


class Pictures:
    """The pictures of a track in the order of sending. `read(offset, length)` gives bytes of the journal."""

    def __init__(
        self, track: Track, packets: Packets, line: Line, started: int, read: Callable[[int, int], bytes]
    ) -> None:
        """`line` lays the track's timestamps on the server's clock, `started` is the recording's zero, ns."""
        self.track = track
        self.sound = track.codec is Codec.OPUS
        self._packets = packets
        self._read = read
        self._keys: dict[int, bool] = {}
        timestamps = packets.timestamps
        edges = np.flatnonzero(np.diff(timestamps)) + 1
        self._first: NDArray[np.int64] = np.concatenate(([0], edges)).astype(np.int64)
        self._end: NDArray[np.int64] = np.concatenate((edges, [len(packets)])).astype(np.int64)
        stamps = timestamps[self._first]
        self.times = np.asarray((line.zero + stamps * line.ns_per_tick - started) / 1e9, np.float64)
        steps = np.diff(packets.sequence) - 1
        #: whether packets before this picture never came
        self._broken: NDArray[np.bool_] = np.concatenate(([False], steps[edges - 1] > 0))
        total = np.concatenate(([0], np.cumsum(steps)))
        inside = total[self._end - 1] - total[self._first]
        ended = np.logical_or.reduceat(packets.markers, self._first) | np.concatenate(
            (~self._broken[1:], [False])
        )
        newest = np.maximum.accumulate(self.times)
        unique = np.zeros(len(stamps), np.bool_)
        unique[np.unique(stamps, return_index=True)[1]] = True
        in_time = newest - self.times <= _MOST_REORDERING
        self._whole: NDArray[np.bool_] = (
            unique & in_time if self.sound else (inside == 0) & ended & in_time & unique
        )
        #: when each has to leave: no picture that is shown before it comes after it (B-frames)
        held = np.where(self._whole, self.times, np.inf)
        self.due: NDArray[np.float64] = np.minimum(np.minimum.accumulate(held[::-1])[::-1], newest)
        self.reordered = bool((self.due < self.times - 1e-6)[self._whole].any())
        self._sizes = np.concatenate(([0], np.cumsum(packets.lengths.astype(np.int64))))

    def __len__(self) -> int:
        return len(self._first)

    def __getitem__(self, number: int) -> Picture:
        return Picture(number, int(self._first[number]), int(self._end[number]), float(self.times[number]))

    @property
    def rate(self) -> int:
        """Bits a second, on the whole."""
        span = float(self.times.max() - self.times.min()) if len(self) else 0.0
        return int(8 * self._sizes[-1] / max(span, 1.0))

    def bits(self, numbers: list[int]) -> int:
        """Return how much these pictures have."""
        return 8 * sum(int(self._sizes[self._end[n]] - self._sizes[self._first[n]]) for n in numbers)

    def after(self, position: float) -> int:
        """Return the first picture that has to leave later than at a position."""
        return int(np.searchsorted(self.due, position + 1e-6, "right"))

    def begins(self, number: int) -> bool:
        """Tell whether a decoder can begin at a picture (sound: always)."""
        if self.sound:
            return bool(self._whole[number])
        known = self._keys.get(number)
        if known is None:
            known = self._keys[number] = bool(self._whole[number]) and self._looks_like_a_beginning(number)
        return known

    def _looks_like_a_beginning(self, number: int) -> bool:
        for packet in range(int(self._first[number]), int(self._end[number])):
            found = self.packet(packet)
            if found is not None:
                return _BEGINS[self.track.codec](found.payload)
        return False

    def packet(self, number: int) -> RtpPacket | None:
        """Read a packet; None for padding, another payload type and what is no RTP."""
        try:
            packet = RtpPacket.parse(
                self._read(int(self._packets.offsets[number]), int(self._packets.lengths[number]))
            )
        except RtpError:
            return None
        if self.track.payload_type and packet.payload_type != self.track.payload_type:
            return None
        return packet if packet.payload else None

    def follows(self, number: int, *, intact: bool) -> bool:
        """Tell whether a picture may be sent; `intact`: the decoder has what came before it."""
        if not self._whole[number]:
            return False
        return (intact and not self._broken[number]) or self.begins(number)

    def lost(self, number: int) -> bool:
        """Tell whether what refers to this picture cannot be decoded when it is left out: pictures, never sound."""
        return not self.sound and (bool(self._broken[number]) or not self._whole[number])

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

    def comes_soon(self, position: float, seconds: float) -> bool:
        """Tell whether a decoder can begin within so many seconds after a position."""
        numbers = range(self.after(position), self.after(position + seconds))
        return any(self.begins(n) for n in numbers)

    def packets_of(self, number: int) -> Iterator[RtpPacket]:
        """Read a picture's packets."""
        for packet in range(int(self._first[number]), int(self._end[number])):
            found = self.packet(packet)
            if found is not None:
                yield found
