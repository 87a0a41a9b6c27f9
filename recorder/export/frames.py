"""A track's frames: only whole ones, and only those that a decoder can rely on.

After a loss, pictures that refer to what is missing would show tissue that was never there, and some
players stop for good. So everything up to the next key frame is left out and becomes a hole: a replay shows
that something is missing, never a lie. (The recorder asks for a key frame at least every ten seconds.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.codecs import opus
from media.codecs.packetisation import CodecError
from media.plane import Codec
from media.rtp.packet import RtpError, RtpPacket

from .assembly import assembler_for
from .index import Packets, Track

#: A frame whose timestamp lies further back than this behind one before it is no B-frame but a broken clock.
_MOST_REORDERING = 1.0  # seconds
#: A hole that begins this soon after the last one continues it.
_HOLE_MERGE = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as a container takes it; `timestamp` and `decoding` count from the track's first packet."""

    timestamp: int
    decoding: int
    data: bytes
    key: bool
    #: Where its packets stand among the track's (Packets), start and end; -1: silence that was filled in.
    first: int = -1
    after: int = -1


@dataclass(slots=True)
class Hole:
    """From `start` to `end` nothing can be shown or heard; so many packets never came."""

    start: int
    end: int
    packets: int


@dataclass(frozen=True, slots=True)
class _Spans:
    """The packets of each picture, start to end, by their common timestamp; arrays of one length."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    decoding: NDArray[np.int64]
    missing_before: NDArray[np.int64]
    missing_inside: NDArray[np.int64]
    usable: NDArray[np.bool_]  # complete at its end, and its time lies where a picture can be


class FrameReader:
    """Walks through a track's frames in the order of sending and notes the holes between them.

    `read(offset, length)` gives bytes of the journal. `holes` is complete once `frames` is exhausted.
    """

    def __init__(self, track: Track, packets: Packets, read: Callable[[int, int], bytes]) -> None:
        self.holes: list[Hole] = []
        self._track = track
        self._packets = packets
        self._read = read
        self._hole: Hole | None = None

    def frames(self) -> Iterator[Frame]:
        """Yield whole, decodable frames; the first is a key frame."""
        return self._sounds() if self._track.codec is Codec.OPUS else self._pictures()

    def _sounds(self) -> Iterator[Frame]:
        packets = self._packets
        newest = -1
        for position in range(len(packets)):
            timestamp = int(packets.timestamps[position])
            if position:
                missing = int(packets.sequence[position] - packets.sequence[position - 1]) - 1
                if missing:
                    self._open_hole(int(packets.timestamps[position - 1]), missing)
            payload = self._payload(position)
            if not payload:
                continue  # padding
            try:
                opus.duration(payload)
            except CodecError:
                self._open_hole(timestamp, 0)
                continue
            if timestamp <= newest:
                continue  # a clock that went backwards: nothing is heard twice
            newest = timestamp
            self._close_hole(timestamp)
            yield Frame(timestamp, timestamp, payload, True, position, position + 1)
        if len(packets):
            self._close_hole(int(packets.timestamps[-1]))

    def _pictures(self) -> Iterator[Frame]:
        if not len(self._packets):
            return
        spans = self._spans()
        assembler = assembler_for(self._track.codec, self._track.fmtp)
        intact = False  # whether the decoder has what the next picture refers to
        last: int | None = None  # the timestamp of the last picture shown
        for number in range(len(spans.start)):
            timestamp = int(spans.timestamp[number])
            before, inside = int(spans.missing_before[number]), int(spans.missing_inside[number])
            if before or inside:
                intact = False
                self._open_hole(last, before + inside)
            start, end = int(spans.start[number]), int(spans.end[number])
            payloads = [self._payload(n) for n in range(start, end)]
            payloads = [payload for payload in payloads if payload]
            if not payloads:
                continue  # padding, or repair data of another payload type
            try:
                if inside or not spans.usable[number]:
                    raise CodecError("The picture is not whole, or its time is impossible.")
                data, key = assembler.assemble(payloads, beginning_sure=number > 0 and not before)
            except CodecError:
                intact = False
            else:
                intact = intact or key
            if not intact:
                self._open_hole(last, 0)
                continue
            self._close_hole(timestamp)
            last = timestamp
            yield Frame(timestamp, int(spans.decoding[number]), data, key, start, end)
        self._close_hole(int(spans.timestamp[-1]))

    def _spans(self) -> _Spans:
        packets = self._packets
        edges = np.flatnonzero(np.diff(packets.timestamps)) + 1
        start = np.concatenate(([0], edges))
        end = np.concatenate((edges, [len(packets)]))
        timestamp = packets.timestamps[start]
        steps = np.diff(packets.sequence) - 1  # what is missing between neighbours
        before = np.concatenate(([0], steps[edges - 1]))
        total = np.concatenate(([0], np.cumsum(steps)))
        inside = total[end - 1] - total[start]
        # a picture has ended where its marker is, or where the next packet belongs to another
        ended = np.logical_or.reduceat(packets.markers, start) | np.concatenate((before[1:] == 0, [False]))
        in_time = np.maximum.accumulate(timestamp) - timestamp <= _MOST_REORDERING * self._track.clock_rate
        first = np.zeros(len(start), np.bool_)
        first[np.unique(timestamp, return_index=True)[1]] = True
        placed = in_time & first
        # pictures out of order (B-frames): decoding times are the same times in rising order, all earlier
        # by what the picture needs that waits longest
        ordered = np.sort(timestamp[placed])
        decoding = timestamp.copy()
        decoding[placed] = ordered - max(0, int((ordered - timestamp[placed]).max(initial=0)))
        return _Spans(start, end, timestamp, decoding, before, inside, ended & placed)

    def _payload(self, position: int) -> bytes:
        """Read a packet's payload; empty for padding, another payload type or what is no RTP."""
        length = int(self._packets.lengths[position])
        try:
            packet = RtpPacket.parse(self._read(int(self._packets.offsets[position]), length))
        except RtpError:
            return b""
        if self._track.payload_type and packet.payload_type != self._track.payload_type:
            return b""
        return packet.payload

    def _open_hole(self, since: int | None, packets: int) -> None:
        if since is None:
            return  # before the first picture nothing is missing yet
        if self._hole is None:
            if self.holes and since - self.holes[-1].end <= _HOLE_MERGE * self._track.clock_rate:
                self._hole = self.holes.pop()
            else:
                self._hole = Hole(since, since, 0)
        self._hole.packets += packets

    def _close_hole(self, timestamp: int) -> None:
        if self._hole is not None:
            self._hole.end = max(self._hole.end, timestamp)
            self.holes.append(self._hole)
            self._hole = None
