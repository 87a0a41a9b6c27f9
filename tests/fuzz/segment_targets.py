"""A frame index or a preview from the disk: it is refused, or nothing in it leads out of itself."""

from __future__ import annotations

import io

from media.plane import Codec
from recorder.segments.index import (
    MAX_FRAMES,
    MAX_PACKETS,
    MAX_PLACES,
    FrameEntry,
    FrameIndex,
    SegmentEntry,
    SegmentError,
    TrackFacts,
    write_index,
)
from recorder.segments.preview import MAX_FRAMES as PREVIEW_FRAMES
from recorder.segments.preview import (
    MAX_PIECE,
    PreviewError,
    PreviewFacts,
    PreviewFile,
    PreviewFrame,
    PreviewWriter,
    parse_piece,
    write_piece,
)

REFUSALS = (SegmentError,)
PREVIEW_REFUSALS = (PreviewError,)

_PICTURES = TrackFacts(
    7, Codec.H264, 102, 90_000, 'video/mp4; codecs="avc1.640033"', 320, 240, 0, b"avc1", ((b"\x67", b"\x68"),)
)
_SOUND = TrackFacts(8, Codec.OPUS, 0, 48_000, 'audio/mp4; codecs="opus"', 0, 0, 0, b"Opus")

#: Two segments of two pictures, the later packets in two blocks; one of sound and silence.
INDICES = (
    write_index(
        _PICTURES,
        [
            SegmentEntry(0, 65_536, 6000, 0, 2, 0, 1, 1, key=True),
            SegmentEntry(6000, 65_542, 90_000, 2, 1, 1, 2, 0, key=False),
        ],
        [200, 500, 900],
        [
            FrameEntry(0, 4, 0, 0, key=True),
            FrameEntry(4, 2, 3000, 0, key=False),
            FrameEntry(0, 9, 0, 0, key=False),
        ],
    ),
    write_index(
        _SOUND,
        [SegmentEntry(0, 65_536, 1920, 0, 2, 0, 1, 0, key=True)],
        [200],
        [FrameEntry(0, 1, 0, 0, key=True), FrameEntry(0, 0, 960, 0, key=True, silence=True)],
    ),
)


def read_index(data: bytes) -> None:
    """Read an index through, every record of it."""
    index = FrameIndex(io.BytesIO(data))
    ended = None
    for number, segment in enumerate(index.all_segments()):
        assert segment == index.segment(number)
        assert ended in (None, segment.start)
        ended = segment.start + segment.duration
        frames, places = index.frames(segment), index.places(segment)
        assert 0 < len(frames) == segment.frames <= MAX_FRAMES
        assert len(places) == segment.places <= MAX_PLACES
        assert segment.sets <= len(index.facts.sets)
        assert all(frame.sequence + frame.packets <= MAX_PACKETS for frame in frames)
        assert all((frame.packets == 0) == (frame.silence is not None) for frame in frames)
        assert all(0 <= frame.decoding <= segment.duration for frame in frames)


PIECE = write_piece([PreviewFrame(0, b"\0\0\1\x67", True), PreviewFrame(3000, b"\0\0\1\x41", False)])


def _preview() -> bytes:
    file = io.BytesIO()
    writer = PreviewWriter(file)
    writer.add(PIECE, 0, 180_000)
    writer.add(PIECE, 180_000, 360_000)
    writer.finish(PreviewFacts("avc1.4d4020", 854, 480))
    return file.getvalue()


#: A file, and a piece by itself.
PREVIEWS = (b"f" + _preview(), b"p" + PIECE)


def read_preview(data: bytes) -> None:
    """Read a preview's file or one piece, by the first byte: what is read is written as it was."""
    if data[:1] == b"p":
        frames = parse_piece(data[1:])
        assert 0 < len(frames) <= PREVIEW_FRAMES
        assert write_piece(frames) == data[1:]
        return
    preview = PreviewFile(io.BytesIO(data[1:]))
    at = 0
    for number, piece in enumerate(preview.pieces):
        assert piece.offset == at
        assert piece.start < piece.end
        content = preview.piece(number)
        assert 0 < len(content) == piece.length <= MAX_PIECE
        at += len(content)
    assert at < len(data)
