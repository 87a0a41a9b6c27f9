"""Cameras by their frame indices: only the blocks that a film's frames lie in are read and opened, each once.

A clip of ten seconds out of a recording of hours takes a second so. Where a recording has no indices, or sound that
belongs to a picture stands for itself in the description, whoever exports goes through the whole journal first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from media.plane import Codec

from ..library import JOURNAL
from ..parts import open_part
from ..segments.index import SUFFIX, SegmentError
from ..segments.track import SegmentedTrack, open_track
from ..source import JournalSource
from .ahead import CipherThreads
from .container import OPUS_RATE, VIDEO_RATE
from .frames import Frame
from .work import Work


class IndexedTrack:
    """One producer's frames. Timestamps count from its camera's media time 0, as in a container of the whole."""

    def __init__(self, track: SegmentedTrack, read: Callable[[], None]) -> None:
        """Take an open track with at least one segment; `read` is called for each one that was read."""
        self.codec = track.facts.codec
        self.rate = track.facts.timescale
        self._track = track
        self._read = read
        self._shift = track.facts.shift
        self._starts: list[int] = []
        self._keys: list[int] = []
        #: Where the last segment ends.
        self.end = 0
        for number, (start, duration, key) in enumerate(track.segments()):
            self._starts.append(start)
            self.end = start + duration - self._shift
            if key:
                self._keys.append(number)
        if not self._keys:
            raise SegmentError("The frame index names no segment that a film can begin at.")
        #: When the last frame is shown or heard.
        self.last = max(self._times(len(self._starts) - 1))

    def keys(self) -> Iterator[int]:
        """Yield when each picture is shown that a decoder can begin with."""
        for number in self._keys:
            yield next(self._times(number))

    def count(self, begin: int, end: int) -> int:
        """Tell how many segments are read for what lies between two timestamps."""
        return self._number(end) - self._number(begin) + 1

    def pictures_from(self, timestamp: int, end: int | None = None) -> Iterator[Frame]:
        """Yield the frames from the last key frame at or before a timestamp on, or from the first there is.

        Behind `end` no more is read than is asked for.
        """
        place = max(0, bisect_right(self._keys, self._number(timestamp)) - 1)
        while place > 0 and next(self._times(self._keys[place])) > timestamp:
            place -= 1  # it is decoded before, but shown after it
        yield from self._all(self._keys[place], end)

    def sounds_from(self, timestamp: int, end: int | None = None) -> Iterator[Frame]:
        """Yield what is heard from a timestamp on. Behind `end` no more is read than is asked for."""
        for frame in self._all(self._number(timestamp), end):
            if frame.timestamp >= timestamp:
                yield frame

    def _number(self, timestamp: int) -> int:
        return max(0, bisect_right(self._starts, timestamp + self._shift) - 1)

    def _all(self, first: int, end: int | None) -> Iterator[Frame]:
        last = len(self._starts) - 1 if end is None else self._number(end)
        for number in range(first, len(self._starts)):
            if number == first:
                self._track.expect([first])
            frames = self._frames(number)
            if number == first:
                yield next(frames)  # who only looks at the first one needs no more
                self._track.expect(range(first + 1, last + 1))
            yield from frames
            self._read()

    def _times(self, number: int) -> Iterator[int]:
        """Yield when the frames of a segment are shown."""
        entry, frames = self._track.entries(number)
        return (entry.start + frame.decoding - self._shift + frame.composition for frame in frames)

    def _frames(self, number: int) -> Iterator[Frame]:
        entry, frames, data = self._track.joined(number)
        for frame, content in zip(frames, data, strict=True):
            decoding = entry.start + frame.decoding - self._shift
            yield Frame(decoding + frame.composition, decoding, content, frame.key)


@dataclass(frozen=True, slots=True)
class IndexedCamera:
    """A camera of the description, or a sound that stands for itself; `offset`: its media time 0, in seconds."""

    producer: int
    source: str
    offset: float
    track: IndexedTrack
    sound: IndexedTrack | None

    @property
    def end(self) -> float:
        """The position at which its last frame is shown or heard."""
        ends = [track.last / track.rate for track in (self.track, self.sound) if track is not None]
        return self.offset + max(ends)

    def at(self, timestamp: int) -> float:
        """Tell the position of a timestamp of its picture, in seconds of the recording."""
        return self.offset + timestamp / self.track.rate

    def ticks(self, position: float, rate: int) -> int:
        """Tell the timestamp at a position, on a clock of this rate."""
        return round((position - self.offset) * rate)


def indexed_cameras(
    work: Work, read: Callable[[], None], opened: ExitStack, threads: CipherThreads | None = None
) -> dict[int, IndexedCamera] | None:
    """Open all cameras by their indices; None where that is not possible, and the journal says more.

    `read` is called for each segment that was read; `opened` lets the files go; `threads` open blocks ahead. Raises
    SegmentError, ExportError, JournalError, SealError, OSError.
    """
    described = work.description.get("cameras")
    if not isinstance(described, list) or work.description.get("problems") != []:
        return None
    cameras: dict[int, IndexedCamera] = {}
    alone: set[object] = set()  # whose sound has no picture, though there may be one
    silent: set[object] = set()
    for fields in described:
        camera = _camera(fields, partial(_open, work, read, opened, threads))
        if camera is None:
            return None
        cameras[camera.producer] = camera
        if camera.track.codec is Codec.OPUS:
            alone.add(fields.get("participant"))
        elif camera.sound is None:
            silent.add(fields.get("participant"))
    return cameras if cameras and not alone & silent else None


def _camera(fields: Any, opened: Callable[[int], IndexedTrack | None]) -> IndexedCamera | None:
    if not isinstance(fields, dict):
        return None
    producer, audio, offset, source = (fields.get(name) for name in ("producer", "audio", "offset", "source"))
    if type(producer) is not int or not isinstance(offset, float) or not isinstance(source, str):
        return None
    track = opened(producer)
    sound = opened(audio) if type(audio) is int else None
    if track is None or (audio is not None and sound is None):
        return None
    if track.rate != (OPUS_RATE if track.codec is Codec.OPUS else VIDEO_RATE):
        return None
    return IndexedCamera(producer, source, offset, track, sound)


def _open(
    work: Work, read: Callable[[], None], opened: ExitStack, threads: CipherThreads | None, producer: int
) -> IndexedTrack | None:
    path: Path = work.recording / f"{producer}{SUFFIX}"
    if not path.is_file():
        return None
    index = opened.enter_context(open_part(path, work.key))
    source = threads.source if threads is not None else JournalSource
    track = open_track(index, work.recording / JOURNAL, work.key, source)
    opened.callback(track.close)
    return IndexedTrack(track, read)
