"""`python -m recorder.export.previews`: the previews of one recording's video tracks, in a process of its own.

What it is to do comes as one JSON object on standard input, as for an export (`job`): `{"recording":"<folder>",
"suite":"SM4-GCM-SM3","key":"<hex>","memory_mb":4096,"cpu_seconds":36000}`. Told are JSON lines on standard output:
`{"progress":0.41}`, and last `{"files":[…]}`, or `{"error":"…"}` with exit status 1.

Each frame is decoded and encoded anew, small, with the time that it has in the track's segments. That takes long, so
the process takes only the processor time that nobody else wants, and each minute of a track is a file of its own until
the last one is there: who goes on passes over those.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from media.codecs.packetisation import split_annex_b
from media.plane import Codec

from ..journal import JournalError
from ..library import JOURNAL
from ..parts import open_part, written_part
from ..seal.keys import DataKey
from ..seal.suites import SealError
from ..segments.index import SUFFIX as INDEX
from ..segments.index import SegmentError, TrackFacts
from ..segments.preview import (
    MAX_FRAMES,
    MAX_PIECE,
    MAX_TICKS,
    SUFFIX,
    TIMESCALE,
    PreviewError,
    PreviewFacts,
    PreviewFile,
    PreviewFrame,
    PreviewWriter,
    write_piece,
)
from ..segments.track import SegmentedTrack, open_track
from .composed.pictures import decode
from .indexed import IndexedTrack
from .kinds import ExportError
from .recoding import HIGH_DEFINITION, laid, size_within
from .worker import Teller, attempt, fail, fail_untold, read_asked, say, yield_to_others

_NICE = 19
#: A preview's size at most: 480 lines show a surgeon where he is, and cost a browser's decoder less than 1 ms.
LINES, COLUMNS = 480, 1280
#: From one key frame to the next: a picture is reached over half a second of pictures at most.
KEY_TICKS = TIMESCALE // 2
#: What is lost at most when the process is killed, where key frames are not rarer.
_SECTION_TICKS = 60 * TIMESCALE
#: A piece is ended with so many bytes; one picture of this size has less than what is left then.
_ENOUGH = MAX_PIECE // 2
#: About 550 kbit/s of moving tissue. The next slower preset saves a fifth of that, for a millisecond each picture.
_ENCODER = {
    "preset": "superfast",
    "tune": "zerolatency",
    "profile": "main",
    "level": "3.2",
    "crf": "26",
    "maxrate": "2000k",
    "bufsize": "2000k",
    "forced-idr": "1",
    "sc_threshold": "0",
}
#: Colours of a stream that does not say which: BT.709 of high definition, else BT.601 (ITU-T H.273, table 4).
_BT709, _BT601 = 1, 6
_UNSAID = (0, 2)
#: A sequence parameter set's NAL unit type (ITU-T H.264, table 7-1).
_SPS = 7


def make_previews(
    folder: Path, key: DataKey | None, tell: Callable[[float], None] = lambda _: None
) -> list[str]:
    """Make the previews that a prepared recording has not; names those that it has.

    Raises JournalError, SealError, OSError, SegmentError for an index that is none, PreviewError for a section that is
    none, and ExportError while another process makes them.
    """
    with ExitStack() as opened:
        opened.enter_context(_alone(folder))
        for path in folder.glob(f"*{SUFFIX}.part"):
            path.unlink(missing_ok=True)
        tracks: list[_Track] = []
        for path in sorted(folder.glob(f"*{INDEX}")):
            segments = open_track(open_part(path, key), folder / JOURNAL, key)
            opened.callback(segments.close)
            if segments.facts.codec is not Codec.OPUS:
                tracks.append(_Track(folder, key, segments))
        total = sum(track.ticks for track in tracks)
        done = 0

        def tell_of_track(ticks: int) -> None:
            tell((done + ticks) / total)

        for track in tracks:
            track.make(tell_of_track)
            done += track.ticks
    tell(1.0)
    return sorted(path.name for path in folder.glob(f"*{SUFFIX}"))


def size_of(facts: TrackFacts) -> tuple[int, int]:
    """Choose the size of a track's preview: its shape, and no more lines than it has."""
    if not facts.width or not facts.height:
        raise SegmentError("The frame index does not say how large the pictures are.")
    # whose size changes may have begun with the smallest of his layers
    lines = LINES if facts.resized else min(LINES, facts.height)
    scale = min(lines / facts.height, COLUMNS / facts.width)
    return _even(facts.width * scale), _even(facts.height * scale)


def _even(side: float) -> int:
    return max(16, round(side / 2) * 2)


class _Track:
    """One track, of which a preview is made."""

    def __init__(self, folder: Path, key: DataKey | None, track: SegmentedTrack) -> None:
        self._folder, self._key = folder, key
        self._codec = track.facts.codec
        self._producer = track.facts.producer
        self._size = size_of(track.facts)
        self._track = IndexedTrack(track, lambda: None)
        self._starts = list(_sections(self._track.keys()))
        self._end = self._track.end
        self._small = _Small(*self._size)
        #: The pictures that are being decoded, and the next of them.
        self._decoded: Iterator[av.VideoFrame] | None = None
        self._next: av.VideoFrame | None = None

    @property
    def ticks(self) -> int:
        """How long the track lasts."""
        return max(1, self._end - self._starts[0])

    def make(self, tell: Callable[[int], None]) -> None:
        """Make the preview where it is not there, from the first section on that is not."""
        names = [f"{self._producer}.{number}{SUFFIX}" for number in range(len(self._starts))]
        if not (self._folder / f"{self._producer}{SUFFIX}").is_file():
            for name, start, end in zip(names, self._starts, [*self._starts[1:], self._end], strict=True):
                if (self._folder / name).is_file():
                    self._decoded = self._next = None
                    tell(end - self._starts[0])
                else:
                    self._make_section(name, start, end, tell)
            try:
                self._join(names)
            except (PreviewError, SealError):
                # a section is not what was written: the next worker makes them anew
                self._drop_sections()
                raise
        self._drop_sections()

    def _drop_sections(self) -> None:
        for path in self._folder.glob(f"{self._producer}.*{SUFFIX}"):
            path.unlink()

    def _make_section(self, name: str, start: int, end: int, tell: Callable[[int], None]) -> None:
        if self._decoded is None:
            self._decoded = decode(self._codec, self._track.pictures_from(start))
            self._advance()
        codec = ""
        with written_part(self._folder / name, self._key) as file:
            writer = PreviewWriter(file)
            for frames, until in self._pieces(self._between(start, end, tell), end):
                codec = codec or _codec(frames[0].data)
                writer.add(write_piece(frames), frames[0].time, until)
            writer.finish(PreviewFacts(codec, *self._size))

    def _between(self, start: int, end: int, tell: Callable[[int], None]) -> Iterator[av.VideoFrame]:
        """Yield the pictures of a section. What is shown before it belongs to the one before, or needs it."""
        last = start - 1
        while self._next is not None and (at := _time(self._next)) < end:
            if at > last:
                last = at
                yield self._next
                tell(at - self._starts[0])
            self._advance()

    def _advance(self) -> None:
        assert self._decoded is not None
        try:
            self._next = next(self._decoded, None)
        except (SegmentError, JournalError, SealError):
            # something is damaged: the next section begins behind it
            self._decoded = self._next = None

    def _pieces(
        self, pictures: Iterator[av.VideoFrame], end: int
    ) -> Iterator[tuple[list[PreviewFrame], int]]:
        """Encode the pictures; yields each piece's frames and where the last of them ends."""
        encoder: _Encoder | None = None
        for picture in pictures:
            if encoder is not None and not encoder.takes(picture):
                yield encoder.frames, _time(picture)
                encoder = None
            if encoder is None:
                encoder = _Encoder(*self._size, _colours(picture))
            encoder.encode(self._small.made_of(picture), _time(picture))
        if encoder is not None:
            yield encoder.frames, end

    def _join(self, names: list[str]) -> None:
        """Put the sections behind each other; where no picture could be decoded there is no preview."""
        facts = next((facts for facts in map(self._facts_of, names) if facts.codec), None)
        if facts is None:
            return
        with written_part(self._folder / f"{self._producer}{SUFFIX}", self._key) as file:
            writer = PreviewWriter(file)
            for name in names:
                with closing(self._open(name)) as section:
                    for number, piece in enumerate(section.pieces):
                        writer.add(section.piece(number), piece.start, piece.end)
            writer.finish(facts)

    def _facts_of(self, name: str) -> PreviewFacts:
        with closing(self._open(name)) as section:
            return section.facts

    def _open(self, name: str) -> PreviewFile:
        return PreviewFile(open_part(self._folder / name, self._key))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others off: of two servers on one folder one makes a preview. Raises ExportError where one does."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ExportError("Another process makes the preview of this recording.") from None
        except OSError:
            pass  # a disk without locks is none less
        yield
    finally:
        os.close(opened)


def _sections(keys: Iterator[int]) -> Iterator[int]:
    """Choose the key frames at which a section begins."""
    last: int | None = None
    for at in keys:
        if last is None or at - last >= _SECTION_TICKS:
            last = at
            yield at


def _time(picture: av.VideoFrame) -> int:
    assert picture.pts is not None
    return int(picture.pts)


def _colours(picture: av.VideoFrame) -> int:
    said = int(picture.colorspace)
    if said not in _UNSAID:
        return said
    return _BT709 if picture.height >= HIGH_DEFINITION else _BT601


class _Small:
    """Makes pictures small; one whose shape is another than the track's stands between black bars."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._scaler = VideoReformatter()

    def made_of(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Give it in the preview's size, with the colours that it has."""
        wide, high = size_within(picture, self._width, self._height)
        small = self._scaler.reformat(
            picture,
            wide,
            high,
            "yuv420p",
            dst_color_range=ColorRange.MPEG,
            interpolation=Interpolation.AREA if wide < picture.width else Interpolation.BICUBIC,
            threads=1,
        )
        if (wide, high) == (self._width, self._height):
            return small
        planes = laid(np.asarray(small.to_ndarray()), wide, high, self._width, self._height)
        return av.VideoFrame.from_ndarray(planes, format="yuv420p")


class _Encoder:
    """Encodes one piece: its first picture and one each half second are key frames."""

    def __init__(self, width: int, height: int, colours: int) -> None:
        self.frames: list[PreviewFrame] = []
        self._bytes = 0
        self._colours = colours
        self._key_at: int | None = None
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = Fraction(1, TIMESCALE)
        context.framerate = Fraction(30)
        context.thread_count = 1  # the live rooms need the others
        context.gop_size = MAX_FRAMES
        context.colorspace, context.color_range = colours, int(ColorRange.MPEG)
        context.options = _ENCODER
        self._context = context

    def takes(self, picture: av.VideoFrame) -> bool:
        """Tell whether a picture may still come into this piece."""
        return (
            _time(picture) - self.frames[0].time < MAX_TICKS
            and len(self.frames) < MAX_FRAMES
            and self._bytes < _ENOUGH
            and _colours(picture) == self._colours
        )

    def encode(self, small: av.VideoFrame, at: int) -> None:
        """Add a picture."""
        begins = self._key_at is None or at - self._key_at >= KEY_TICKS
        small.pts, small.time_base = at, Fraction(1, TIMESCALE)
        small.pict_type = PictureType.I if begins else PictureType.NONE
        if begins:
            self._key_at = at
        # the encoder looks at no later picture: each comes out at once
        (packet,) = self._context.encode(small)
        self.frames.append(PreviewFrame(at, bytes(packet), packet.is_keyframe))
        self._bytes += packet.size


def _codec(picture: bytes) -> str:
    """Name the codec as WebCodecs does: by the profile and level of the sequence parameter set (RFC 6381)."""
    parameters = next(unit for unit in split_annex_b(picture) if unit[0] & 0x1F == _SPS)
    return f"avc1.{parameters[1:4].hex()}"


def main() -> int:
    """Do what standard input says; return the exit status."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    yield_to_others(_NICE)
    av.logging.set_level(None)
    try:
        asked, key = read_asked()
        folder = Path(asked["recording"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return fail_untold(error)
    made: list[str] = []
    if failure := attempt(lambda: made.extend(make_previews(folder, key, Teller())), "preview"):
        return fail(failure)
    say({"files": made})
    return 0


if __name__ == "__main__":
    sys.exit(main())
