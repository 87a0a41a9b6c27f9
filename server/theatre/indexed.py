"""The pictures of a track by its frame index: hours lie open at once, and only what is shown is read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np

from media.rtp.packet import RtpPacket
from recorder.export.index import Track
from recorder.journal import RECORD_HEADER_SIZE, JournalError, RecordType, record_header, tap_packets
from recorder.segments.index import FrameIndex, SegmentEntry
from recorder.source import JournalSource

from .pictures import Pictures, media_packet

#: Blocks whose packets are known by their numbers: a picture may lie in two, sound and others between.
_KEPT = 8


class IndexedPictures(Pictures):
    """One track. What the index leaves out (after a loss, until a decoder can begin again) is not there at all."""

    def __init__(self, track: Track, index: FrameIndex, source: JournalSource, offset: float) -> None:
        """`offset`: where the track's time 0 lies, seconds of the recording.

        Raises SegmentError, OSError, SealError.
        """
        self._index = index
        self._source = source
        self._blocks: OrderedDict[int, dict[int, bytes]] = OrderedDict()
        facts = index.facts
        segments, times, first, counts, keys = [], [], [], [], []
        self._segments: list[SegmentEntry] = []
        for number, segment in enumerate(index.all_segments()):
            self._segments.append(segment)
            for frame in index.frames(segment):
                if frame.silence is not None:
                    continue  # nothing was sent there, and nothing is
                segments.append(number)
                ticks = segment.start + frame.decoding + frame.composition - facts.shift
                times.append(offset + ticks / facts.timescale)
                first.append(segment.sequence + frame.sequence)
                counts.append(frame.packets)
                keys.append(frame.key)
        self._segment_of = np.array(segments, np.int64)
        self._first = np.array(first, np.int64)
        self._counts = np.array(counts, np.int64)
        self._keys = np.array(keys, np.bool_)
        whole = np.ones(len(times), np.bool_)
        super().__init__(track, np.array(times, np.float64), whole, np.zeros(len(times), np.bool_))

    @property
    def rate(self) -> int:
        """Bits a second, on the whole; nearly, since the index counts packets and not bytes."""
        return int(
            8 * _USUAL * self._counts.sum() / max(float(np.ptp(self.times)) if len(self) else 0.0, 1.0)
        )

    def bits(self, numbers: list[int]) -> int:
        """Return how much these pictures have, nearly."""
        return 8 * _USUAL * int(self._counts[numbers].sum())

    def begins(self, number: int) -> bool:
        """Tell whether a decoder can begin at a picture (sound: always)."""
        return self.sound or bool(self._keys[number])

    def jumps(self, number: int) -> bool:
        """Tell whether a picture's packets do not follow on from those of the one before."""
        return number > 0 and bool(self._first[number] != self._first[number - 1] + self._counts[number - 1])

    def packets_of(self, number: int) -> Iterator[RtpPacket]:
        """Read a picture's packets. Raises JournalError, SealError, SegmentError, OSError."""
        wanted = range(int(self._first[number]), int(self._first[number] + self._counts[number]))
        places = self._index.places(self._segments[int(self._segment_of[number])])
        for sequence in wanted:
            # the newest blocks first: what came in its time lies where the one before it lay
            data = next((found for place in places if (found := self._block(place).get(sequence))), None)
            if data is None:
                raise JournalError("The journal no longer holds what was indexed.")
            packet = media_packet(data, self.track.payload_type)
            if packet is not None:
                yield packet

    def _block(self, place: int) -> dict[int, bytes]:
        """Give the packets of this track in a block, by their numbers; of two with one number the first."""
        known = self._blocks.get(place)
        if known is not None:
            self._blocks.move_to_end(place)
            return known
        known = self._blocks[place] = {}
        block, at = self._source.block(place), 0
        while at + RECORD_HEADER_SIZE <= len(block):
            kind, _, length = record_header(block, at)
            begin, at = at + RECORD_HEADER_SIZE, at + RECORD_HEADER_SIZE + length
            if kind != RecordType.PACKETS or at > len(block):
                continue
            record = block[begin:at]
            for producer, _, sequence, start, end in tap_packets(record):
                if producer == self.track.producer:
                    known.setdefault(sequence, record[start:end])
        if len(self._blocks) > _KEPT:
            self._blocks.popitem(last=False)
        return known


#: Bytes of a packet, on the whole.
_USUAL = 1_150
