"""The frames of one segment, put together from the packets in its blocks (media/native/frames.py does it in C)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

from media.native.frames import SURE, WALKED_STRUCT, PictureJoiner, walk_tap

from ..journal import RECORD_HEADER_SIZE, RecordType, record_header
from .index import MAX_BYTES, FrameEntry, SegmentEntry, SegmentError, TrackFacts

#: Opus of 20 ms that is silent, mono and stereo (export/container.py says why).
_SILENCE = (b"\xf8\xff\xfe", b"\xfc\xff\xfe")


def join_frames(
    facts: TrackFacts, entry: SegmentEntry, frames: Sequence[FrameEntry], blocks: Iterable[bytes]
) -> list[bytes]:
    """Give what each frame holds; `blocks` are those that the segment's packets lie in, opened.

    Raises SegmentError where they no longer hold what was indexed.
    """
    packets = _Packets(facts.producer, entry, frames)
    for block in blocks:
        packets.take(block)
    places, lengths, counts = array("I"), array("H"), array("I")
    try:
        for frame in frames:
            if frame.silence is None:
                found = [packets.found[frame.sequence + number] for number in range(frame.packets)]
                places.extend(place for place, _ in found)
                lengths.extend(length for _, length in found)
                counts.append(frame.packets)
    except KeyError:
        raise _changed() from None
    # a key frame that did not bring its parameter sets gets those that came before
    sets = facts.sets[entry.sets - 1] if entry.sets else ()
    joiner = PictureJoiner(facts.codec, facts.payload_type, sets)
    flags = bytes([SURE]) * len(counts)
    # a segment may be silence alone, and C takes no empty arrays
    joined = iter(joiner.join(packets.data, places, lengths, counts, flags) if counts else ())
    return [_whole(next(joined)) if frame.silence is None else _SILENCE[frame.silence] for frame in frames]


def _whole(joined: tuple[bytes, bool] | None) -> bytes:
    if joined is None or not joined[0]:
        raise _changed()
    return joined[0]


def _changed() -> SegmentError:
    return SegmentError("The journal no longer holds what was indexed.")


class _Packets:
    """The packets of one segment; of two with one number the first, as in the first pass."""

    def __init__(self, producer: int, entry: SegmentEntry, frames: Iterable[FrameEntry]) -> None:
        self.data = bytearray()
        #: Place in `data` and length, by the number after the segment's first.
        self.found: dict[int, tuple[int, int]] = {}
        self._producer = producer
        self._first = entry.sequence
        self._end = entry.sequence + max((frame.sequence + frame.packets for frame in frames), default=0)

    def take(self, block: bytes) -> None:
        """Take what a block has of them. Raises SegmentError where that is more than any segment has."""
        for record in _tap_records(block):
            runs, _, _ = walk_tap(record, 0)
            for producer, run in runs:
                if producer == self._producer:
                    self._take(record, run)
        if len(self.data) > MAX_BYTES:
            raise SegmentError("A segment has more bytes than any.")

    def _take(self, record: bytes, run: bytes) -> None:
        for place, _, sequence, _, length, _ in WALKED_STRUCT.iter_unpack(run):
            number = sequence - self._first
            if self._first <= sequence < self._end and number not in self.found:
                self.found[number] = (len(self.data), length)
                self.data += record[place : place + length]


def _tap_records(block: bytes) -> Iterator[bytes]:
    """Yield the tap records of a block, those of each record of the journal together."""
    position = 0
    while position + RECORD_HEADER_SIZE <= len(block):
        kind, _, length = record_header(block, position)
        start = position + RECORD_HEADER_SIZE
        position = start + length
        if position > len(block):
            return
        if kind == RecordType.PACKETS:
            yield block[start:position]
