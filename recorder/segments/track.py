"""Makes one producer's segments from its index and the sealed journal: only their own blocks are read and opened."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from media.plane import Codec

from ..library import read_header
from ..seal.keys import DataKey
from ..sealing import JournalOpener
from ..source import JournalSource
from . import fmp4, hls, webm
from .index import FrameEntry, FrameIndex, Readable, SegmentEntry
from .joining import join_frames
from .sample import NO_SETS_INSIDE, as_sample


class SegmentedTrack:
    """One producer of a recording, in segments. Not for several threads at once.

    Its methods raise SegmentError, JournalError, SealError when the journal is no more what was indexed, and
    OSError.
    """

    def __init__(self, index: FrameIndex, source: JournalSource) -> None:
        self._index = index
        self._source = source
        self.facts = index.facts

    @property
    def count(self) -> int:
        """How many segments there are."""
        return self._index.segments

    @property
    def bytes_read(self) -> int:
        """How many bytes of the journal were read."""
        return self._source.bytes_read

    @property
    def in_webm(self) -> bool:
        """Whether the container is WebM; MP4 if not."""
        return self.facts.codec is Codec.VP8

    def close(self) -> None:
        """Let the files go."""
        self._index.close()
        self._source.close()

    def init(self) -> bytes:
        """Build what stands before all segments."""
        facts = self.facts
        if self.in_webm:
            return webm.write_init(facts.width, facts.height)
        size = (0, 0) if facts.resized else (facts.width, facts.height)
        sound = facts.codec is Codec.OPUS
        return fmp4.write_init(facts.entry, facts.timescale, facts.shift, None if sound else size)

    def segments(self) -> Iterator[tuple[int, int, bool]]:
        """Tell start, duration (ticks) and whether a decoder can begin there, of all segments."""
        for segment in self._index.all_segments():
            yield segment.start, segment.duration, segment.key

    def entries(self, number: int) -> tuple[SegmentEntry, list[FrameEntry]]:
        """Give one segment's record and its frames, without reading the journal; IndexError where there is none."""
        entry = self._index.segment(number)
        return entry, self._index.frames(entry)

    def expect(self, numbers: Iterable[int]) -> None:
        """Say which segments will be asked for, in their order, to a source that opens blocks ahead."""
        index = self._index
        self._source.expect(base for number in numbers for base in index.places(index.segment(number)))

    def joined(self, number: int) -> tuple[SegmentEntry, list[FrameEntry], list[bytes]]:
        """Give one segment's record, its frames, and what they hold; IndexError where there is none."""
        entry, frames = self.entries(number)
        blocks = map(self._source.block, self._index.places(entry))
        return entry, frames, join_frames(self.facts, entry, frames, blocks)

    def rate(self) -> int:
        """Estimate the bits a second that it has at most, from some segments all over it."""
        entries = [self._index.segment(number) for number in range(0, self.count, max(1, self.count // 16))]
        return hls.rate_of(self.facts, ((entry.duration, self._index.frames(entry)) for entry in entries))

    def segment(self, number: int) -> bytes:
        """Make one segment; IndexError where there is none."""
        entry, frames, data = self.joined(number)
        ends = [frame.decoding for frame in frames[1:]] + [entry.duration]
        if not self.in_webm:
            samples = [
                fmp4.Sample(self._sample(content), end - frame.decoding, frame.composition, frame.key)
                for frame, content, end in zip(frames, data, ends, strict=True)
            ]
            return fmp4.write_fragment(number, entry.start, samples)
        times = [self._milliseconds(entry.start + frame.decoding) for frame in frames]
        times.append(self._milliseconds(entry.start + entry.duration))
        return webm.write_cluster(
            [
                webm.Block(content, time, after - time, frame.key)
                for frame, content, time, after in zip(frames, data, times[:-1], times[1:], strict=True)
            ]
        )

    def _milliseconds(self, ticks: int) -> int:
        """Round as FFmpeg does: to the nearest, halves up."""
        return (ticks * 2000 + self.facts.timescale) // (2 * self.facts.timescale)

    def _sample(self, data: bytes) -> bytes:
        """Give a frame as a sample of MP4."""
        return as_sample(self.facts.codec, data, sets_inside=self.facts.entry[4:8] != NO_SETS_INSIDE)


#: Opens a journal's blocks: all its volumes, where they begin (known or not), and the opener of a sealed one.
Source: TypeAlias = "Callable[[Path, array[int], JournalOpener | None], JournalSource]"


def open_track(
    index: Readable, journal: Path, key: DataKey | None, source: Source = JournalSource
) -> SegmentedTrack:
    """Open a track by its index, an open file. Raises SegmentError, JournalError, SealError, OSError."""
    frames = FrameIndex(index)
    opener = JournalOpener(read_header(journal), key) if key is not None else None
    return SegmentedTrack(frames, source(journal, array("Q"), opener))
