"""Makes the frame index of a track from the frames that its container gets (FORMAT.md, "Frame index")."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.codecs import h264, h265, vp8, vp9
from media.codecs.packetisation import split_annex_b
from media.plane import Codec

from ..parts import write_part
from ..seal.keys import DataKey
from ..segments.index import (
    MAX_BYTES,
    MAX_FRAMES,
    MAX_PACKETS,
    MAX_PLACES,
    MAX_SETS,
    SUFFIX,
    FrameEntry,
    SegmentEntry,
    SegmentError,
    TrackFacts,
    write_index,
)
from .container import OPUS_RATE, VIDEO_RATE
from .frames import Frame
from .index import Packets, Track
from .sample_entry import Parameters, picture_parameters, sound_parameters

#: A segment lasts this many seconds at most, or one picture.
LONGEST = 1
_KEY, _SILENT, _STEREO = 1, 2, 4

#: How much of a key frame tells its size: the headers of VP8 and VP9; of AV1 the delimiter, and a sequence header whose
#: length is one byte.
_VP_HEAD, _AV1_HEAD = 32, 260

_SETS = {Codec.H264: (h264.SPS, h264.PPS), Codec.H265: (h265.VPS, h265.SPS, h265.PPS)}


class FrameNotes:
    """What an index needs to know of each frame, noted as the frames go by on their way elsewhere."""

    def __init__(self, track: Track) -> None:
        self.track = track
        self.rate = OPUS_RATE if track.codec is Codec.OPUS else VIDEO_RATE
        self.first_picture = b""
        self._step = 0
        self.times = array("q")
        self.decoding = array("q")
        self.first = array("q")  # where the frame's packets stand in Packets, or -1
        self.after = array("q")
        self.bits = array("B")
        self.sets: dict[tuple[bytes, ...], int] = {}  # numbered from 1 on
        self.sets_of: dict[int, int] = {}  # by the key frame's number
        self._sizes: set[object] = set()

    def follow(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Note each frame and pass it on."""
        sound = self.track.codec is Codec.OPUS
        needed = _SETS.get(self.track.codec)
        for frame in frames:
            if not sound and not self.times:
                self.first_picture = frame.data
            bits = _KEY * frame.key
            if frame.first < 0:
                bits |= _SILENT | _STEREO * bool(frame.data[0] & 4)
            elif frame.key and needed is None and not sound:
                self._sizes.add(_size(self.track.codec, frame.data))
            elif frame.key and needed is not None:
                units = _parameter_sets(self.track.codec, frame.data, needed)
                self.sets_of[len(self.times)] = self.sets.setdefault(units, len(self.sets) + 1)
            if self.times and frame.timestamp > self.times[-1]:
                self._step = frame.timestamp - self.times[-1]
            self.times.append(frame.timestamp)
            self.decoding.append(frame.decoding)
            self.first.append(frame.first)
            self.after.append(frame.after)
            self.bits.append(bits)
            yield frame

    @property
    def end(self) -> int:
        """When the last frame ends, if it lasts as long as the one before it."""
        return max(self.times, default=0) + self._step

    def parameters(self) -> Parameters:
        """Read the track's from its first picture. Raises ContainerError."""
        if self.track.codec is Codec.OPUS:
            return sound_parameters()
        return picture_parameters(self.track.codec, self.first_picture, sets_change=len(self.sets) > 1)

    def facts(self) -> TrackFacts:
        """Say what holds for the whole track. Raises ContainerError."""
        parameters = self.parameters()
        return TrackFacts(
            producer=self.track.producer,
            codec=self.track.codec,
            payload_type=self.track.payload_type,
            timescale=self.rate,
            media_type=parameters.media_type,
            width=parameters.width,
            height=parameters.height,
            shift=self.times[0] - self.decoding[0],
            entry=parameters.entry,
            sets=tuple(self.sets),
            resized=len(self.sets) > 1 or len(self._sizes) > 1,
        )


def _size(codec: Codec, picture: bytes) -> object:
    """Give what changes when a key frame's size does: of AV1 its sequence header, which is the first OBU."""
    if codec is Codec.AV1:
        return picture[
            2 : 4 + picture[3]
        ]  # after the delimiter of 2 bytes: head, length (below 128), content
    return (vp8 if codec is Codec.VP8 else vp9).picture_size(picture)


def _parameter_sets(codec: Codec, picture: bytes, needed: tuple[int, ...]) -> tuple[bytes, ...]:
    """Find the first of each kind in a key frame: those that were put before it, where it did not bring its own."""
    found: dict[int, bytes] = {}
    # the sets stand at the beginning, and a picture has megabytes
    for unit in split_annex_b(picture[:65_536]):
        kind = unit[0] & 0x1F if codec is Codec.H264 else unit[0] >> 1 & 0x3F
        if kind in needed:
            found.setdefault(kind, unit)
    return tuple(found[kind] for kind in needed if kind in found)


def head_of(codec: Codec, picture: bytes) -> bytes:
    """Cut from a key frame what FrameNotes takes from those behind the first: of an hour it is a few bytes each."""
    needed = _SETS.get(codec)
    if needed is not None:
        # a unit of another kind comes first: a frame without parameter sets is one, too
        return b"".join(b"\0\0\1" + unit for unit in (b"\x09", *_parameter_sets(codec, picture, needed)))
    return picture[: _AV1_HEAD if codec is Codec.AV1 else _VP_HEAD]


def write_frame_index(
    folder: Path,
    notes: FrameNotes,
    packets: Packets,
    blocks: NDArray[np.uint64],
    key: DataKey | None,
    until: int = 0,
) -> tuple[str, TrackFacts]:
    """Write `<producer>.index`; its name and what it says of the track. The last frame lasts `until` then at least.

    `blocks`: where the payload of each whole block of the journal begins. Raises SegmentError for a track that
    is none (thousands of parameter sets, a picture from all over the journal), ContainerError, OSError.
    """
    if len(notes.sets) > MAX_SETS:
        raise SegmentError("The track's parameter sets change too often for an index.")
    facts = notes.facts()
    name = f"{notes.track.producer}{SUFFIX}"
    write_part(folder / name, write_index(facts, *_Cutting(notes, packets, blocks, until).tables()), key)
    return name, facts


class _Cutting:
    """Cuts a track into segments."""

    def __init__(self, notes: FrameNotes, packets: Packets, blocks: NDArray[np.uint64], until: int) -> None:
        self._notes = notes
        self._packets = packets
        # the block of each packet, by its number
        self._block_of = np.searchsorted(blocks, packets.offsets, "right") - 1
        self._blocks = blocks
        self._bytes = np.concatenate(([0], np.cumsum(packets.lengths.astype(np.int64))))
        shift = notes.times[0] - notes.decoding[0]
        self._line = [time + shift for time in notes.decoding]
        # a frame lasts until the next, the last one as long as the one before it
        last = self._line[-1] - self._line[-2] if len(self._line) > 1 else notes.rate // 50
        self._line.append(max(self._line[-1] + last, until))

    def tables(self) -> tuple[list[SegmentEntry], list[int], list[FrameEntry]]:
        """Give the index's three tables."""
        segments: list[SegmentEntry] = []
        places: list[int] = []
        frames: list[FrameEntry] = []
        for begin, end in self._cuts():
            for first, after in self._fitting(begin, end):
                around = self._blocks_of(first, after)
                segments.append(self._segment(first, after, len(places), len(around)))
                places += [int(place) for place in around]
                frames += self._frames(first, after, segments[-1])
        return segments, places, frames

    def _cuts(self) -> Iterator[tuple[int, int]]:
        """Yield each segment's frames, begin and end: a second at most, and a key frame begins one."""
        notes, line = self._notes, self._line
        longest = LONGEST * notes.rate
        at_keys = notes.track.codec is not Codec.OPUS
        begin = 0
        for number in range(1, len(notes.times)):
            if line[number + 1] - line[begin] > longest or (at_keys and notes.bits[number] & _KEY):
                yield begin, number
                begin = number
        yield begin, len(notes.times)

    def _fitting(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Cut once more what is larger than a segment may be."""
        packets = self._span(begin, end)
        sequences = self._packets.sequence[packets]
        if (
            end - begin <= MAX_FRAMES
            and self._bytes[packets.stop] - self._bytes[packets.start] <= MAX_BYTES
            and len(self._blocks_of(begin, end)) <= MAX_PLACES
            and (not len(sequences) or sequences[-1] - sequences[0] < MAX_PACKETS)
        ):
            yield begin, end
        elif end - begin == 1:
            raise SegmentError("A picture has more packets than any, or they lie all over the journal.")
        else:
            yield from self._fitting(begin, (begin + end) // 2)
            yield from self._fitting((begin + end) // 2, end)

    def _span(self, begin: int, end: int) -> slice:
        """Tell where the packets of these frames stand; a hole between them would have ended the segment."""
        notes = self._notes
        first = next((place for place in notes.first[begin:end] if place >= 0), 0)
        return slice(first, max([0, *notes.after[begin:end]]))

    def _blocks_of(self, begin: int, end: int) -> NDArray[np.uint64]:
        return self._blocks[np.unique(self._block_of[self._span(begin, end)])]

    def _segment(self, begin: int, end: int, place: int, places: int) -> SegmentEntry:
        packets = self._span(begin, end)
        return SegmentEntry(
            start=self._line[begin],
            sequence=int(self._packets.sequence[packets.start]) if packets.stop else 0,
            duration=self._line[end] - self._line[begin],
            frame=begin,
            frames=end - begin,
            place=place,
            places=places,
            sets=self._notes.sets_of.get(begin, 0),
            key=bool(self._notes.bits[begin] & _KEY),
        )

    def _frames(self, begin: int, end: int, segment: SegmentEntry) -> Iterator[FrameEntry]:
        notes, sequence = self._notes, self._packets.sequence
        for number in range(begin, end):
            bits, first, after = notes.bits[number], notes.first[number], notes.after[number]
            silent = bool(bits & _SILENT)
            yield FrameEntry(
                sequence=0 if silent else int(sequence[first]) - segment.sequence,
                packets=0 if silent else int(sequence[after - 1] - sequence[first]) + 1,
                decoding=self._line[number] - segment.start,
                composition=notes.times[number] - notes.decoding[number],
                key=bool(bits & _KEY),
                silence=bool(bits & _STEREO) if silent else None,
            )
