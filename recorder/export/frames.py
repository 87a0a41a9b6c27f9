"""A track's frames: only whole ones, and only those that a decoder can rely on.

After a loss, pictures that refer to what is missing would show tissue that was never there, and some
players stop for good. So everything up to the next key frame is left out and becomes a hole: a replay shows
that something is missing, never a lie. (The recorder asks for a key frame at least every ten seconds.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.native.frames import REFUSED, SURE, Joined
from media.plane import Codec

from .index import Packets, Track
from .joining import TrackJoiner

#: A frame whose timestamp lies further back than this behind one before it is no B-frame but a broken clock.
MOST_REORDERING = 1.0  # seconds
#: A hole that begins this soon after the last one continues it.
_HOLE_MERGE = 1.0  # seconds
#: Whoever reads frames tells his progress each time that so many bytes of packets were read.
TELL_EACH = 4 << 20


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
    """The packets of each picture, from its edge to the next, by their common timestamp."""

    edges: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    decoding: NDArray[np.int64]
    missing_before: NDArray[np.int64]
    missing_inside: NDArray[np.int64]
    usable: NDArray[np.bool_]  # complete at its end, and its time lies where a picture can be


class Early(Protocol):
    """Pictures that were put together before (early.EarlyPictures)."""

    def fits(self, packets: Packets, edges: NDArray[np.int64], flags: NDArray[np.uint8]) -> bool: ...
    def pictures(self) -> Iterator[Joined]: ...


class FrameReader:
    """Walks through a track's frames in the order of sending and notes the holes between them.

    `read(offset, length)` gives bytes of the journal, within one record. `holes` is complete once `frames` is
    exhausted.
    Where `packets` begin with a picture before which nothing was missing, `continues` says so: then a frame that
    needs those before it may be the first. `sets` are parameter sets that came before these packets. With `early`,
    where it fits, nothing is read of pictures, and frames have its bytes.
    """

    def __init__(
        self,
        track: Track,
        packets: Packets,
        read: Callable[[int, int], bytes],
        *,
        continues: bool = False,
        sets: Sequence[bytes] = (),
        early: Early | None = None,
    ) -> None:
        self.holes: list[Hole] = []
        self._track = track
        self._packets = packets
        self._read = read
        self._continues = continues
        self._sets = sets
        self._early = early
        self._hole: Hole | None = None

    def frames(self) -> Iterator[Frame]:
        """Yield whole, decodable frames; the first is a key frame. Raises JournalError, SealError, OSError."""
        if not len(self._packets):
            return iter(())
        joiner = TrackJoiner(self._track, self._sets)
        return self._sounds(joiner) if self._track.codec is Codec.OPUS else self._pictures(joiner)

    def _sounds(self, joiner: TrackJoiner) -> Iterator[Frame]:
        packets = self._packets
        count = len(packets)
        missing = np.diff(packets.sequence, prepend=packets.sequence[0] - 1) - 1
        edges, flags = np.arange(count + 1), np.zeros(count, np.uint8)
        sounds = joiner.pictures(packets.offsets, packets.lengths, self._read, edges, flags)
        newest, before = -1, 0
        every = zip(map(int, packets.timestamps), map(int, missing), sounds, strict=True)
        for position, (timestamp, lost, sound) in enumerate(every):
            if lost:
                self._open_hole(before, lost)
            before = timestamp
            if sound is None:
                continue  # padding
            data, _ = sound
            if not data:
                self._open_hole(timestamp, 0)
                continue
            if timestamp <= newest:
                continue  # a clock that went backwards: nothing is heard twice
            newest = timestamp
            self._close_hole(timestamp)
            yield Frame(timestamp, timestamp, data, True, position, position + 1)
        self._close_hole(before)

    def _pictures(self, joiner: TrackJoiner) -> Iterator[Frame]:
        spans = self._spans()
        whole = spans.usable & (spans.missing_inside == 0)
        sure = spans.missing_before == 0
        sure[0] = self._continues
        flags = (sure * SURE | ~whole * REFUSED).astype(np.uint8)
        packets = self._packets
        if self._early is not None and self._early.fits(packets, spans.edges, flags):
            pictures = self._early.pictures()
        else:
            pictures = joiner.pictures(packets.offsets, packets.lengths, self._read, spans.edges, flags)
        lost = spans.missing_before + spans.missing_inside
        intact = self._continues  # whether the decoder has what the next picture refers to
        last: int | None = None  # the timestamp of the last picture shown
        times = zip(map(int, spans.timestamp), map(int, spans.decoding), strict=True)
        edges = pairwise(map(int, spans.edges))
        for (timestamp, decoding), (start, end), missing, picture in zip(
            times, edges, map(int, lost), pictures, strict=True
        ):
            if missing:
                intact = False
                self._open_hole(last, missing)
            if picture is None:
                continue  # padding, or repair data of another payload type
            data, key = picture
            intact = bool(data) and (intact or key)
            if not intact:
                self._open_hole(last, 0)
                continue
            self._close_hole(timestamp)
            last = timestamp
            yield Frame(timestamp, decoding, data, key, start, end)
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
        in_time = np.maximum.accumulate(timestamp) - timestamp <= MOST_REORDERING * self._track.clock_rate
        first = np.zeros(len(start), np.bool_)
        first[np.unique(timestamp, return_index=True)[1]] = True
        placed = in_time & first
        # pictures out of order (B-frames): decoding times are the same times in rising order, all earlier
        # by what the picture needs that waits longest
        ordered = np.sort(timestamp[placed])
        decoding = timestamp.copy()
        decoding[placed] = ordered - max(0, int((ordered - timestamp[placed]).max(initial=0)))
        edges = np.concatenate((start, [len(packets)]))
        return _Spans(edges, timestamp, decoding, before, inside, ended & placed)

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
