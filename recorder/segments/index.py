"""The frame index of one producer: which frames a replay shows, and where in the journal their packets stand.

It is made when the recording is prepared (`export/frame_index.py`) and lies beside the journal (FORMAT.md,
"Frame index"). Its records have a fixed size, so what one segment needs is read without the rest.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from media.plane import Codec

from ..journal import JsonObject, encode_json

MAGIC = b"KONSILFI"
VERSION = 1
SUFFIX = ".index"

#: Blocks that one segment's packets may lie in: a second of a camera lies in three, late packets in a few before.
MAX_PLACES = 64
#: Bytes of packets that one segment may have: twice the largest picture.
MAX_BYTES = 64 << 20
#: Frames and packets of one segment: a second has fewer, whatever sends them.
MAX_FRAMES = 90_000
MAX_PACKETS = 1 << 20
#: Different parameter sets that a track may have: the segment's field has 15 bits, and 0 means none.
MAX_SETS = (1 << 15) - 1

_MAX_JSON = 4 << 20
_MAX_COUNT = 1 << 27
_MAX_ENTRY = 1 << 16
_READ = 1 << 16

_HEADER = struct.Struct("!8sHI")  # magic, version, length of the JSON
_SEGMENT = struct.Struct("!qQIIIIHH")
_PLACE = struct.Struct("!Q")
_FRAME = struct.Struct("!IIII")

_KEY, _SILENT, _STEREO = 1 << 31, 1 << 30, 1 << 29
_TICKS = {90_000, 48_000}


class SegmentError(ValueError):
    """An index or a segment cannot be made or read; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """What holds for a whole track. `shift` is how much earlier than its time (ticks) the first frame is decoded."""

    producer: int
    codec: Codec
    payload_type: int  # 0: any
    timescale: int
    media_type: str
    width: int
    height: int
    shift: int
    #: The sample entry of MP4 (ISO/IEC 14496-12, section 8.5.2), whole; empty for WebM.
    entry: bytes
    #: Parameter sets that key frames need, as they changed.
    sets: tuple[tuple[bytes, ...], ...] = ()
    #: Whether pictures change their size on the way.
    resized: bool = False

    def json(self) -> JsonObject:
        """Give the fields of the index's head."""
        return {
            "producer": self.producer,
            "codec": self.codec.name,
            "payload_type": self.payload_type,
            "timescale": self.timescale,
            "type": self.media_type,
            "width": self.width,
            "height": self.height,
            "shift": self.shift,
            "resized": self.resized,
            "entry": base64.b64encode(self.entry).decode(),
            "sets": [[base64.b64encode(unit).decode() for unit in units] for units in self.sets],
        }


@dataclass(frozen=True, slots=True)
class SegmentEntry:
    """One segment: ticks of the track, the range of its records, the first packet's sequence number."""

    start: int
    sequence: int
    duration: int
    frame: int
    frames: int
    place: int
    places: int
    #: Which parameter sets its key frame needs, from 1 on; 0: none.
    sets: int
    key: bool

    def __bytes__(self) -> bytes:
        return _SEGMENT.pack(
            self.start, self.sequence, self.duration, self.frame, self.frames, self.place, self.places,
            self.sets << 1 | self.key,
        )  # fmt: skip

    @classmethod
    def parse(cls, data: bytes, position: int = 0) -> SegmentEntry:
        """Read one record. Raises SegmentError for one that no track has."""
        start, sequence, duration, frame, frames, place, places, bits = _SEGMENT.unpack_from(data, position)
        if start < 0 or sequence >> 62 or not 0 < frames <= MAX_FRAMES or places > MAX_PLACES:
            raise SegmentError("A segment of the index has times or lengths that no segment has.")
        return cls(start, sequence, duration, frame, frames, place, places, bits >> 1, bool(bits & 1))


@dataclass(frozen=True, slots=True)
class FrameEntry:
    """One frame: its packets, counted from the segment's first; when it is decoded, and how much later shown."""

    sequence: int
    packets: int
    decoding: int
    composition: int
    key: bool
    #: Sound that no packet bears, since the microphone was mute: None, or whether it is stereo.
    silence: bool | None = None

    def __bytes__(self) -> bytes:
        bits = self.packets | _KEY * self.key
        if self.silence is not None:
            bits |= _SILENT | _STEREO * self.silence
        return _FRAME.pack(self.sequence, bits, self.decoding, self.composition)

    @classmethod
    def parse(cls, data: bytes, position: int = 0) -> FrameEntry:
        """Read one record. Raises SegmentError for one that no track has."""
        sequence, bits, decoding, composition = _FRAME.unpack_from(data, position)
        silence = bool(bits & _STEREO) if bits & _SILENT else None
        packets = bits & (_STEREO - 1)
        if (packets == 0) != (silence is not None) or packets > MAX_PACKETS or sequence > MAX_PACKETS:
            raise SegmentError("A frame of the index has packets that no frame has.")
        return cls(sequence, packets, decoding, composition, bool(bits & _KEY), silence)


def write_index(
    facts: TrackFacts, segments: Iterable[SegmentEntry], places: Iterable[int], frames: Iterable[FrameEntry]
) -> bytes:
    """Build an index's bytes; the same track is always the same bytes."""
    tables = (
        b"".join(bytes(segment) for segment in segments),
        b"".join(_PLACE.pack(place) for place in places),
        b"".join(bytes(frame) for frame in frames),
    )
    counts = {
        name: len(table) // size
        for name, table, size in zip(("segments", "places", "frames"), tables, _SIZES, strict=True)
    }
    text = encode_json(facts.json() | counts)
    if len(text) > _MAX_JSON or len(facts.entry) > _MAX_ENTRY:
        raise SegmentError("The track's parameter sets change too often for an index.")
    return b"".join((_HEADER.pack(MAGIC, VERSION, len(text)), text, *tables))


_SIZES = (_SEGMENT.size, _PLACE.size, _FRAME.size)


class Readable(Protocol):
    """A file that is read at any place; of a sealed one a piece ends with its chunk."""

    def seek(self, offset: int, whence: int = ..., /) -> int: ...
    def read(self, size: int = ..., /) -> bytes | None: ...
    def close(self) -> None: ...


class FrameIndex:
    """An open index; `file` may be read at any place and belongs to it from now on.

    What is read is checked when it is read: nothing of a hostile index leads outside its tables. Raises
    SegmentError, and what the file raises.
    """

    def __init__(self, file: Readable) -> None:
        self._file = file
        magic, version, length = _HEADER.unpack(self._read(0, _HEADER.size))
        if magic != MAGIC or version != VERSION or length > _MAX_JSON:
            raise SegmentError("This is no frame index, or one of another version.")
        fields = _fields(self._read(_HEADER.size, length))
        self.facts = _facts(fields)
        #: How many segments there are.
        self.segments, self._places, self._frames = counts = tuple(
            _number(fields, name, _MAX_COUNT) for name in ("segments", "places", "frames")
        )
        starts = [_HEADER.size + length]
        for count, size in zip(counts, _SIZES, strict=True):
            starts.append(starts[-1] + count * size)
        self._segments_at, self._places_at, self._frames_at, end = starts
        if file.seek(0, os.SEEK_END) != end:
            raise SegmentError("The frame index is not as long as it says.")

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def segment(self, number: int) -> SegmentEntry:
        """Read one segment's record; IndexError where there is none."""
        if not 0 <= number < self.segments:
            raise IndexError(number)
        return self._checked(
            SegmentEntry.parse(self._read(self._segments_at + number * _SEGMENT.size, _SEGMENT.size))
        )

    def all_segments(self) -> Iterator[SegmentEntry]:
        """Read the records of all segments, each beginning where the one before ended."""
        at, left = self._segments_at, self.segments
        expected: int | None = None
        while left:
            count = min(left, _READ // _SEGMENT.size)
            data = self._read(at, count * _SEGMENT.size)
            for position in range(0, len(data), _SEGMENT.size):
                segment = self._checked(SegmentEntry.parse(data, position))
                if expected is not None and segment.start != expected:
                    raise SegmentError("A segment of the index does not begin where the one before ended.")
                expected = segment.start + segment.duration
                yield segment
            at, left = at + len(data), left - count

    def frames(self, segment: SegmentEntry) -> list[FrameEntry]:
        """Read the frames of one segment, in the order of decoding."""
        data = self._read(self._frames_at + segment.frame * _FRAME.size, segment.frames * _FRAME.size)
        frames = [FrameEntry.parse(data, position) for position in range(0, len(data), _FRAME.size)]
        decoding = ended = 0
        for frame in frames:
            if frame.decoding < decoding or frame.decoding > segment.duration:
                raise SegmentError("A frame of the index is decoded outside its segment, or before its turn.")
            if frame.packets and frame.sequence < ended:
                raise SegmentError("Two frames of the index have the same packets.")
            decoding = frame.decoding
            ended = max(ended, frame.sequence + frame.packets)
        if ended > MAX_PACKETS:
            raise SegmentError("A segment of the index has more packets than any.")
        return frames

    def places(self, segment: SegmentEntry) -> list[int]:
        """Read where the payloads of a segment's blocks begin in the journal."""
        data = self._read(self._places_at + segment.place * _PLACE.size, segment.places * _PLACE.size)
        return [place for (place,) in _PLACE.iter_unpack(data)]

    def _checked(self, segment: SegmentEntry) -> SegmentEntry:
        if (
            segment.frame + segment.frames > self._frames
            or segment.place + segment.places > self._places
            or segment.sets > len(self.facts.sets)
        ):
            raise SegmentError("A segment of the index has records that are not there.")
        return segment

    def _read(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        pieces = []
        while length > 0:
            piece = self._file.read(length)
            if not piece:
                raise SegmentError("The frame index ends before its time.")
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)


def _fields(text: bytes) -> JsonObject:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise SegmentError("The head of the frame index is not JSON.") from None
    if not isinstance(fields, dict):
        raise SegmentError("The head of the frame index is no object.")
    return fields


def _number(fields: JsonObject, name: str, most: int) -> int:
    value = fields.get(name)
    if type(value) is not int or not 0 <= value <= most:
        raise SegmentError(f"The field {name} of the frame index is out of range.")
    return value


def _facts(fields: JsonObject) -> TrackFacts:
    codec, media_type, sets = fields.get("codec"), fields.get("type"), fields.get("sets")
    if not isinstance(codec, str) or codec not in Codec.__members__ or not isinstance(media_type, str):
        raise SegmentError("The frame index does not say which codec it is of.")
    timescale = _number(fields, "timescale", 90_000)
    if timescale not in _TICKS or not media_type.isprintable() or len(media_type) > 200:
        raise SegmentError("The frame index has a clock or a type that no track has.")
    if (
        not isinstance(sets, list)
        or len(sets) > MAX_SETS
        or not all(isinstance(units, list) for units in sets)
    ):
        raise SegmentError("The parameter sets of the frame index cannot be read.")
    return TrackFacts(
        producer=_number(fields, "producer", (1 << 32) - 1),
        codec=Codec[codec],
        payload_type=_number(fields, "payload_type", 127),
        timescale=timescale,
        media_type=media_type,
        width=_number(fields, "width", 65_535),
        height=_number(fields, "height", 65_535),
        shift=_number(fields, "shift", (1 << 31) - 1),
        resized=fields.get("resized") is True,
        entry=_binary(fields.get("entry")),
        sets=tuple(tuple(_binary(unit) for unit in units) for units in sets),
    )


def _binary(text: object) -> bytes:
    if not isinstance(text, str):
        raise SegmentError("What should be base64 in the frame index is no text.")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SegmentError("What should be base64 in the frame index is none.") from None
    if len(data) > _MAX_ENTRY:
        raise SegmentError("A parameter set of the frame index is longer than any.")
    return data
