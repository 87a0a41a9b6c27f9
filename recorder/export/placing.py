"""A recording's tracks on its time line, readable from any place on: what replays, clips and films begin with.

Which sound belongs to which picture, and how they lie to each other, is decided here for replays and films alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from media.plane import Codec

from .container import OPUS_RATE, VIDEO_RATE, fill_silence
from .frames import Frame, FrameReader
from .index import JournalIndex, Packets, Track
from .timeline import Line, arrival_line, place, report_line

#: Reads so many bytes of the journal from a place on.
Read = Callable[[int, int], bytes]

#: Which of a sender's pictures takes its sound: the one that people watch.
_SOUND_GOES_TO = ("field", "camera", "second", "screen")
#: Sound that begins longer than this before the picture (seconds) stands for itself.
LONGEST_LEAD = 5.0
#: A key frame is asked for at least every ten seconds: it lies so far back, or twice as far, and so on.
_LOOK_BACK = 12.0
#: Where no key frame came for very long, what lies before is given too: it is not all held in memory.
_MOST_HELD = 256 << 20


@dataclass(frozen=True, slots=True)
class Placed:
    """A track that has packets, and where its timestamps (ticks from its first packet) lie on the time line."""

    track: Track
    packets: Packets
    line: Line
    started: int  # of the recording, Unix ns

    def at(self, timestamp: int) -> float:
        """Tell the position of a timestamp, in seconds of the recording."""
        return (self.line.at(timestamp) - self.started) / 1e9

    def ticks(self, position: float) -> int:
        """Tell the timestamp at a position."""
        return round((position * 1e9 + self.started - self.line.zero) / self.line.ns_per_tick)

    @property
    def begin(self) -> float:
        """The position of its first packet."""
        return self.at(0)

    @property
    def end(self) -> float:
        """The position of its last packet."""
        return self.at(int(self.packets.timestamps.max()))


class Tracks:
    """All tracks of a recording that hold anything."""

    def __init__(self, index: JournalIndex) -> None:
        self._index = index
        tracks = {
            number: track
            for number, track in sorted(index.tracks.items())
            if number in index.packets and len(index.packets[number])
        }
        #: {picture: its sound}
        self.sound_of = _pair(tracks)
        self.pictures: dict[int, Placed] = {}
        self.sounds: dict[int, Placed] = {}
        for number, track in tracks.items():
            if track.codec is not Codec.OPUS:
                self._place_picture(track, tracks.get(self.sound_of.get(number, 0)))
            elif number not in self.sound_of.values():
                self.sounds[number] = self._placed(track, self._lines(track)[0])

    def _place_picture(self, track: Track, sound: Track | None) -> None:
        lines = self._lines(track)
        if sound is None:
            self.pictures[track.producer] = self._placed(track, lines[0])
            return
        video, audio = place(lines, self._lines(sound))
        self.pictures[track.producer] = self._placed(track, video)
        self.sounds[sound.producer] = self._placed(sound, audio)

    def _placed(self, track: Track, line: Line) -> Placed:
        return Placed(track, self._index.packets[track.producer], line, self._index.header.started)

    def _lines(self, track: Track) -> tuple[Line, Line | None]:
        packets = self._index.packets[track.producer]
        reports = self._index.reports.get(track.producer, [])
        return arrival_line(packets, track.clock_rate), report_line(packets, reports, track.clock_rate)


def _pair(tracks: dict[int, Track]) -> dict[int, int]:
    """Give each microphone to one picture of its participant."""
    pairs: dict[int, int] = {}
    for number, sound in tracks.items():
        pictures = [
            (_SOUND_GOES_TO.index(track.source), other)
            for other, track in tracks.items()
            if track.codec is not Codec.OPUS
            and track.participant == sound.participant
            and track.source in _SOUND_GOES_TO
            and other not in pairs
        ]
        if sound.codec is Codec.OPUS and sound.source == "microphone" and pictures:
            pairs[min(pictures)[1]] = number
    return pairs


def frames_from(placed: Placed, read: Read, position: float) -> Iterator[Frame]:
    """Yield the frames from the last key frame at or before a position on, or from the first there is.

    What lies before is not read.
    """
    back = _LOOK_BACK
    while True:
        ticks = placed.ticks(position - back)
        whole = ticks <= 0
        packets = placed.packets if whole else since(placed.packets, ticks)
        frames = FrameReader(placed.track, packets, read).frames() if len(packets) else iter(())
        first = next(frames, None)
        if whole or (first is not None and placed.at(first.timestamp) <= position):
            break
        back *= 2
    if first is not None:
        yield from _from_last_key(first, frames, placed.ticks(position))


def _from_last_key(first: Frame, frames: Iterator[Frame], ticks: int) -> Iterator[Frame]:
    """Leave out what lies before the last key frame at or before a timestamp."""
    held, size = [first], len(first.data)
    for frame in frames:
        past = frame.timestamp > ticks
        if frame.key and not past:
            held.clear()
            size = 0
        held.append(frame)
        size += len(frame.data)
        if past or size > _MOST_HELD:
            break
    yield from held
    held.clear()
    yield from frames


def since(packets: Packets, timestamp: int) -> Packets:
    """Leave out what was sent before a timestamp."""
    late = packets.timestamps >= timestamp
    start = int(np.argmax(late)) if bool(late.any()) else len(packets)
    return replace(
        packets,
        offsets=packets.offsets[start:],
        lengths=packets.lengths[start:],
        sequence=packets.sequence[start:],
        timestamps=packets.timestamps[start:],
        arrivals=packets.arrivals[start:],
        markers=packets.markers[start:],
    )


def sound_from(placed: Placed, read: Read, position: float) -> Iterator[Frame]:
    """Yield sound from a position on, where nothing was sent filled with silence."""
    ticks = placed.ticks(position)
    packets = placed.packets if ticks <= 0 else since(placed.packets, ticks)
    if len(packets):
        yield from fill_silence(FrameReader(placed.track, packets, read).frames())


def on_clock_of(frames: Iterator[Frame], sound: Placed, zero: int, picture: Placed) -> Iterator[Frame]:
    """Lay sound on a picture's clock: 1/48,000 s after the picture's timestamp `zero`; what comes before it goes."""
    # one second of the film is VIDEO_RATE ticks of the picture's clock, whatever that takes by NTP
    second = picture.line.ns_per_tick * VIDEO_RATE
    begin = (sound.line.at(0) - picture.line.at(zero)) / second * OPUS_RATE
    pace = sound.line.ns_per_tick / second * OPUS_RATE
    for frame in frames:
        timestamp = round(begin + frame.timestamp * pace)
        if timestamp >= 0:
            yield Frame(timestamp, timestamp, frame.data, True, frame.first, frame.after)


def shifted(frames: Iterator[Frame], zero: int) -> Iterator[Frame]:
    """Count timestamps from `zero`."""
    for frame in frames:
        shown, decoded = frame.timestamp - zero, frame.decoding - zero
        yield Frame(shown, decoded, frame.data, frame.key, frame.first, frame.after)
