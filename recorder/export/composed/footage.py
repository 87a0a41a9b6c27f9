"""Where a film's pictures and sounds come from: by their frame indices, or by going through the whole journal.

By indices only what is shown is read, so a clip out of hours takes no longer than a clip. The journal is gone through
where a recording has no indices, or where something is damaged: that way passes over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from media.plane import Codec

from ...journal import JournalError
from ...seal.suites import SealError
from ...segments.index import SegmentError
from ..failing import past_damage
from ..frames import Frame, FrameReader
from ..indexed import IndexedTrack, indexed_cameras
from ..kinds import ExportError
from ..placing import Placed, Read, Tracks, frames_from, since
from ..shown import Camera, Timeline
from ..work import Work


class Footage(Protocol):
    """One producer's frames. Positions are seconds of the recording."""

    @property
    def codec(self) -> Codec:
        """In which its frames are encoded."""

    @property
    def begin(self) -> float:
        """When its first frame is shown or heard."""

    @property
    def end(self) -> float:
        """When its last frame is."""

    def frames_from(self, position: float) -> Iterator[Frame]:
        """Yield pictures from the last key frame at or before a position on, sound from the position on."""

    def position(self, timestamp: int) -> float:
        """Tell when a frame of this timestamp is shown or heard."""


@dataclass(frozen=True, slots=True)
class Reel:
    """All footage of a recording: pictures by producer, sounds."""

    pictures: dict[int, Footage]
    sounds: list[Footage]


@dataclass(frozen=True, slots=True)
class _Indexed:
    track: IndexedTrack
    offset: float
    begin: float

    @property
    def codec(self) -> Codec:
        return self.track.codec

    @property
    def end(self) -> float:
        return self.position(self.track.last)

    def frames_from(self, position: float) -> Iterator[Frame]:
        ticks = round((position - self.offset) * self.track.rate)
        return self.track.sounds_from(ticks) if self.codec is Codec.OPUS else self.track.pictures_from(ticks)

    def position(self, timestamp: int) -> float:
        return self.offset + timestamp / self.track.rate


@dataclass(frozen=True, slots=True)
class _Walked:
    placed: Placed
    read: Read
    camera: Camera | None

    @property
    def codec(self) -> Codec:
        return self.placed.track.codec

    @property
    def begin(self) -> float:
        return self.placed.begin

    @property
    def end(self) -> float:
        return self.placed.end

    def frames_from(self, position: float) -> Iterator[Frame]:
        if self.codec is not Codec.OPUS:
            return frames_from(self.placed, self.read, position)
        packets = since(self.placed.packets, self.placed.ticks(position))
        return FrameReader(self.placed.track, packets, self.read).frames() if len(packets) else iter(())

    def position(self, timestamp: int) -> float:
        if self.camera is None:
            return self.placed.at(timestamp)
        # by the description's own reckoning, by which marks find their frames
        rtp = (self.placed.packets.first_timestamp + timestamp) % (1 << 32)
        return self.camera.position(rtp, self.placed.at(timestamp))


def indexed_reel(work: Work, opened: ExitStack) -> Reel | None:
    """Open a recording's footage by its indices; None where the journal must be gone through.

    Raises SegmentError, ExportError, JournalError, SealError, OSError.
    """
    cameras = indexed_cameras(work, lambda: None, opened)
    if cameras is None:
        return None
    later = {fields["producer"]: fields.get("picture_at") for fields in work.description["cameras"]}
    pictures: dict[int, Footage] = {}
    sounds: list[Footage] = []
    for producer, camera in cameras.items():
        if camera.track.codec is Codec.OPUS:
            sounds.append(_Indexed(camera.track, camera.offset, camera.offset))
            continue
        at = later.get(producer)
        begin = camera.offset + (float(at) if isinstance(at, int | float) else 0.0)
        pictures[producer] = _Indexed(camera.track, camera.offset, begin)
        if camera.sound is not None:
            sounds.append(_Indexed(camera.sound, camera.offset, camera.offset))
    return Reel(pictures, sounds)


def with_reel(work: Work, timeline: Timeline, make: Callable[[Reel], None]) -> None:
    """Make something of a recording's tracks: by its indices, or by going through the whole journal.

    The second way passes over what is damaged; what `make` had whole by then stays. Raises ExportError, JournalError,
    SealError, OSError.
    """
    damaged = False
    with ExitStack() as opened:
        try:
            if (reel := indexed_reel(work, opened)) is not None:
                make(reel)
                return
        except (SegmentError, SealError, JournalError):
            damaged = True
            opened.enter_context(past_damage())
        reel = walked_reel(work, timeline, opened, work.part(0.0, 0.05))
        if damaged and timeline.cameras and not reel.pictures:
            raise ExportError("The recording has no picture.", "no_picture")
        make(reel)


def walked_reel(work: Work, timeline: Timeline, opened: ExitStack, tell: Callable[[float], None]) -> Reel:
    """Go through the whole journal for it. Raises JournalError, SealError, OSError."""
    tracks = Tracks(work.index(tell))
    read = opened.enter_context(work.source()).read
    pictures: dict[int, Footage] = {
        producer: _Walked(placed, read, timeline.cameras[producer])
        for producer, placed in tracks.pictures.items()
        if producer in timeline.cameras
    }
    return Reel(pictures, [_Walked(placed, read, None) for placed in tracks.sounds.values()])
