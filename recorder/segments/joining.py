"""The frames of one segment, put together from the packets in its blocks (media/native/frames.py does it in C)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from media.native.frames import SURE, WALKED, PictureJoiner, walk_tap

from ..journal import RECORD_HEADER_SIZE, RecordType, record_header
from .index import MAX_BYTES, FrameEntry, SegmentEntry, SegmentError, TrackFacts

#: Opus of 20 ms that is silent, mono and stereo (export/container.py says why).
_SILENCE = (b"\xf8\xff\xfe", b"\xfc\xff\xfe")
_WALKED = np.dtype(list(WALKED))


def join_frames(
    facts: TrackFacts, entry: SegmentEntry, frames: Sequence[FrameEntry], blocks: Iterable[bytes]
) -> list[bytes]:
    """Give what each frame holds; `blocks` are those that the segment's packets lie in, opened.

    Raises SegmentError where they no longer hold what was indexed.
    """
    heard = [frame for frame in frames if frame.silence is None]
    first = np.array([frame.sequence for frame in heard], np.int64)
    counts = np.array([frame.packets for frame in heard], np.int64)
    packets = _Packets(facts.producer, entry.sequence, int((first + counts).max(initial=0)))
    for block in blocks:
        packets.take(block)
    places, lengths = packets.of(first, counts)
    # a key frame that did not bring its parameter sets gets those that came before
    sets = facts.sets[entry.sets - 1] if entry.sets else ()
    joiner = PictureJoiner(facts.codec, facts.payload_type, sets)
    flags = bytes([SURE]) * len(counts)
    # a segment may be silence alone, and C takes no empty arrays
    sizes = counts.astype(np.uint32).data
    joined = iter(joiner.join(packets.data, places.data, lengths.data, sizes, flags) if heard else ())
    return [_whole(next(joined)) if frame.silence is None else _SILENCE[frame.silence] for frame in frames]


def _whole(joined: tuple[bytes, bool] | None) -> bytes:
    if joined is None or not joined[0]:
        raise _changed()
    return joined[0]


def _changed() -> SegmentError:
    return SegmentError("The journal no longer holds what was indexed.")


class _Packets:
    """The packets of one segment, by their numbers after its first; of two with one number the first counts."""

    def __init__(self, producer: int, first: int, count: int) -> None:
        #: What stands between the packets in the journal may stand between them here.
        self.data = bytearray()
        self._producer = producer
        self._first = first
        self._count = count
        self._found: list[NDArray[np.void]] = []

    def take(self, block: bytes) -> None:
        """Take what a block has of them. Raises SegmentError where that is more than any segment has."""
        walked = bytearray()
        for start, record in _tap_records(block):
            runs, _, _ = walk_tap(record, start)
            walked += b"".join(run for producer, run in runs if producer == self._producer)
        found = np.frombuffer(walked, _WALKED)
        numbers = found["sequence"].astype(np.int64) - self._first
        mine = np.flatnonzero((numbers >= 0) & (numbers < self._count))
        # those that follow each other are copied at once
        breaks = (np.flatnonzero(np.diff(mine) > 1) + 1).tolist()
        for begin, end in pairwise([0, *breaks, len(mine)] if len(mine) else []):
            self._copy(block, found[mine[begin] : mine[end - 1] + 1])
        # beside the packets stand their headers, 24 bytes each
        if len(self.data) > 2 * MAX_BYTES:
            raise _too_large()

    def of(
        self, first: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
        """Tell where in `data` the packets of these ranges stand, and their lengths. Raises SegmentError."""
        found = np.concatenate([np.empty(0, _WALKED), *self._found])
        numbers, order = np.unique(found["sequence"].astype(np.int64) - self._first, return_index=True)
        if int(found["length"][order].sum(dtype=np.int64)) > MAX_BYTES:
            raise _too_large()
        before = np.cumsum(counts) - counts
        wanted = np.repeat(first - before, counts) + np.arange(int(counts.sum()))
        at = np.searchsorted(numbers, wanted)
        if len(wanted) and (int(at.max()) >= len(numbers) or not np.array_equal(numbers[at], wanted)):
            raise _changed()
        chosen = found[order[at]]
        return chosen["offset"].astype(np.uint32), chosen["length"].copy()

    def _copy(self, block: bytes, run: NDArray[np.void]) -> None:
        begin, end = int(run["offset"][0]), int(run["offset"][-1]) + int(run["length"][-1])
        taken = run.copy()
        taken["offset"] -= np.uint64(begin)
        taken["offset"] += np.uint64(len(self.data))
        self.data += memoryview(block)[begin:end]
        self._found.append(taken)


def _too_large() -> SegmentError:
    return SegmentError("A segment has more bytes than any.")


def _tap_records(block: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield the tap records of a block, those of each record of the journal together, and where they begin."""
    view = memoryview(block)
    position = 0
    while position + RECORD_HEADER_SIZE <= len(block):
        kind, _, length = record_header(block, position)
        start = position + RECORD_HEADER_SIZE
        position = start + length
        if position > len(block):
            return
        if kind == RecordType.PACKETS:
            yield start, view[start:position]
