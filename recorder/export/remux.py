"""Makes the containers and the description of a recording from its journal, deterministically.

Two passes: `index_journal` finds every packet's place, then each camera's packets are read from the file in
their order. Sound goes into the file of its own sender's picture where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from media.plane import Codec

from ..journal import JsonObject, encode_json
from ..library import DESCRIPTION, JOURNAL, SUMMARY, summarise
from ..manifest import UNSIGNED, JournalEnd, hash_file
from ..parts import write_part
from ..seal.keys import DataKey
from ..seal.suites import SealError
from ..sealing import JournalOpener
from ..segments.index import SegmentError
from ..source import JournalSource
from ..volumes import volumes_of
from .container import (
    OPUS_RATE,
    VIDEO_RATE,
    ContainerError,
    Written,
    fill_silence,
    suffix_for,
    write_container,
)
from .description import Camera, describe
from .frame_index import FrameNotes, write_frame_index
from .frames import TELL_EACH, Frame, FrameReader
from .index import JournalIndex, Packets, Track, index_journal
from .stills import write_stills
from .timeline import Line, arrival_line, place, report_line

#: Which of a sender's pictures takes its sound: the one that people watch.
_SOUND_GOES_TO = ("field", "camera", "second", "screen")
#: Sound that begins longer than this before the picture (seconds) gets a file of its own.
_LONGEST_LEAD = 5.0


def export(
    folder: Path,
    progress: Callable[[float], None] = lambda _: None,
    key: DataKey | None = None,
    *,
    indices_only: bool = False,
) -> None:
    """Make all files beside a journal. What existed is replaced. Raises JournalError, SealError, OSError.

    With `indices_only` the frame indices alone, for a recording that was prepared and signed before there were any.
    """
    journal = folder / JOURNAL
    index = index_journal(journal, lambda share: progress(share * 0.4), key)
    if index.header.seal is not None and key is None:
        raise SealError("The recording is sealed, and its key is not here.")
    total = sum(int(packets.lengths.sum(dtype=np.int64)) for packets in index.packets.values()) or 1
    done = told = 0

    def read(offset: int, length: int) -> bytes:
        nonlocal done, told
        done += length
        if done - told > TELL_EACH:
            told = done
            progress(0.4 + 0.6 * min(done / total, 1.0))
        return source.read(offset, length)

    opener = JournalOpener(index.header, key) if key is not None else None
    with JournalSource(journal, index.blocks, opener) as source:
        work = _Export(folder, index, read, key, indices_only=indices_only)
        cameras = work.cameras()
        if indices_only:
            return
        stills = write_stills(folder, index, source.read, key)
    description = describe(index, cameras, stills)
    write_part(folder / DESCRIPTION, encode_json(description), key)
    write_part(folder / SUMMARY, encode_json(summarise(description)), None)
    made = [camera.file for camera in cameras if camera.file] + [str(still["file"]) for still in stills]
    names = {DESCRIPTION, SUMMARY, *made, *work.indices, *(path.name for path in volumes_of(journal))}
    log: JsonObject = {"operations": len(index.operations), "head": index.log_head.hex()}
    parts = [asdict(hash_file(folder / name)) for name in sorted(names)]
    write_part(folder / UNSIGNED, encode_json({"log": log, "parts": parts, "journal": end_of(index)}), None)
    progress(1.0)


def end_of(index: JournalIndex) -> JsonObject:
    """Say how far a journal goes, for its manifest."""
    return asdict(
        JournalEnd(
            until=min(index.last_time, (1 << 63) - 1),
            ignored_bytes=index.ignored,
            packets_left_out=min(sum(gap.packets for _, gap in index.gaps), (1 << 63) - 1),
        )
    )


@dataclass(frozen=True, slots=True)
class _Placed:
    """A track that has packets, and where its timestamps lie on the server's clock."""

    track: Track
    packets: Packets
    line: Line

    def begin(self) -> float:
        return self.line.at(0)


class _Export:
    def __init__(
        self,
        folder: Path,
        index: JournalIndex,
        read: Callable[[int, int], bytes],
        key: DataKey | None,
        *,
        indices_only: bool,
    ) -> None:
        #: The names of the frame indices that were made.
        self.indices: list[str] = []
        self._indices_only = indices_only
        self._blocks = np.array(index.blocks, np.uint64)
        self._folder = folder
        self._index = index
        self._read = read
        self._key = key

    def cameras(self) -> list[Camera]:
        """Write every container, by producer; a sound without a picture stands for itself."""
        tracks = {n: t for n, t in sorted(self._index.tracks.items()) if len(self._index.packets[n])}
        sound_of = self._pair(tracks)
        cameras = []
        for number, track in tracks.items():
            if track.codec is not Codec.OPUS:
                cameras += self._video(track, tracks.get(sound_of.get(number, 0)))
            elif number not in sound_of.values():
                cameras.append(self._sound_alone(track))
        return sorted(cameras, key=lambda camera: camera.track.producer)

    def _pair(self, tracks: dict[int, Track]) -> dict[int, int]:
        """Give each microphone to one picture of its participant: {picture: sound}."""
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

    def _video(self, track: Track, sound: Track | None) -> list[Camera]:
        video, audio = self._place(track, sound)
        first = next(self._reader(video).frames(), None)
        if first is None:
            alone = [self._sound_alone(sound)] if sound is not None else []
            return [Camera(track, problem="No key frame was received, so no picture can be shown."), *alone]
        picture_begin = video.line.at(first.timestamp)
        lead = (picture_begin - audio.begin()) / 1e9 if audio is not None else 0.0
        if audio is not None and sound is not None and lead > _LONGEST_LEAD:
            return [*self._video(track, None), self._sound_alone(sound)]
        # time 0 of the file: the first picture, or the sound before it, on the picture's clock
        zero = first.timestamp - max(0, round(lead * VIDEO_RATE))
        path = self._folder / f"{track.producer}{suffix_for(track.codec)}"
        reader = self._reader(video)
        span = _Span()
        seen = FrameNotes(track)
        frames = seen.follow(span.follow(_shifted(reader.frames(), zero)))
        ears = self._reader(audio) if audio is not None else None
        sounds = heard = None
        if audio is not None and ears is not None:
            heard = FrameNotes(audio.track)
            sounds = heard.follow(
                _resampled(self._sounding(ears), audio.line, video.line.at(zero), video.line)
            )
        try:
            written = self._write(path, (track.codec, frames), sounds)
        except ContainerError as error:
            alone = [self._sound_alone(sound)] if sound is not None else []
            return [Camera(track, problem=str(error)), *alone]
        camera = self._camera(video, reader, written, path, zero, span.seconds(VIDEO_RATE))
        camera = replace(camera, picture_at=(first.timestamp - zero) / VIDEO_RATE)
        camera = replace(camera, media_type=self._index_track(seen))
        if audio is None or ears is None or heard is None:
            return [camera]
        self._index_track(heard)
        return [camera.with_sound(audio.track, self._holes(audio, ears))]

    def _sound_alone(self, track: Track) -> Camera:
        audio, _ = self._place(track, None)
        ears = self._reader(audio)
        span, heard = _Span(), FrameNotes(track)
        path = self._folder / f"{track.producer}{suffix_for(None)}"
        try:
            written = self._write(path, None, heard.follow(span.follow(self._sounding(ears))))
        except ContainerError as error:
            return Camera(track, problem=str(error))
        camera = self._camera(audio, ears, written, path, 0, span.seconds(OPUS_RATE))
        return replace(camera, media_type=self._index_track(heard))

    def _write(
        self, path: Path, video: tuple[Codec, Iterator[Frame]] | None, audio: Iterator[Frame] | None
    ) -> Written:
        if not self._indices_only:
            return write_container(path, video, audio, self._key)
        for frames in (video[1] if video is not None else (), audio or ()):
            for _ in frames:
                pass  # on their way they are noted
        return Written("", 0, 0)

    def _index_track(self, notes: FrameNotes) -> str:
        """Make a track's frame index; its media type, empty where there can be none."""
        if not notes.times:
            return ""
        packets = self._index.packets[notes.track.producer]
        try:
            name, facts = write_frame_index(self._folder, notes, packets, self._blocks, self._key)
        except (SegmentError, ContainerError):
            return ""
        self.indices.append(name)
        return facts.media_type

    def _camera(
        self, placed: _Placed, reader: FrameReader, written: Written, path: Path, zero: int, seconds: float
    ) -> Camera:
        return Camera(
            placed.track,
            file=path.name,
            codecs=written.codecs,
            offset=self._at(placed.line.at(zero)),
            seconds=seconds,
            first_rtp_timestamp=(placed.packets.first_timestamp + zero) % (1 << 32),
            width=written.width,
            height=written.height,
            holes=self._holes(placed, reader),
        )

    def _holes(self, placed: _Placed, reader: FrameReader) -> list[tuple[int, float, float, int]]:
        line = placed.line
        return [
            (
                placed.track.producer,
                self._at(line.at(h.start)),
                (line.at(h.end) - line.at(h.start)) / 1e9,
                h.packets,
            )
            for h in reader.holes
        ]

    def _at(self, instant: float) -> float:
        return (instant - self._index.header.started) / 1e9

    def _reader(self, placed: _Placed) -> FrameReader:
        return FrameReader(placed.track, placed.packets, self._read)

    @staticmethod
    def _sounding(reader: FrameReader) -> Iterator[Frame]:
        return fill_silence(reader.frames())

    def _place(self, track: Track, sound: Track | None) -> tuple[_Placed, _Placed | None]:
        lines = self._lines(track)
        packets = self._index.packets
        if sound is None:
            return _Placed(track, packets[track.producer], lines[0]), None
        video, audio = place(lines, self._lines(sound))
        return (
            _Placed(track, packets[track.producer], video),
            _Placed(sound, packets[sound.producer], audio),
        )

    def _lines(self, track: Track) -> tuple[Line, Line | None]:
        packets = self._index.packets[track.producer]
        reports = self._index.reports.get(track.producer, [])
        return arrival_line(packets, track.clock_rate), report_line(packets, reports, track.clock_rate)


class _Span:
    """How long a stream of frames lasts, the last one as long as the one before it."""

    def __init__(self) -> None:
        self._first = self._last = self._step = 0
        self._any = False

    def follow(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if not self._any:
                self._any, self._first, self._last = True, 0, frame.timestamp
            if frame.timestamp > self._last:
                self._step, self._last = frame.timestamp - self._last, frame.timestamp
            yield frame

    def seconds(self, rate: int) -> float:
        return (self._last + self._step - self._first) / rate


def _shifted(frames: Iterator[Frame], zero: int) -> Iterator[Frame]:
    for frame in frames:
        shown, decoded = frame.timestamp - zero, frame.decoding - zero
        yield Frame(shown, decoded, frame.data, frame.key, frame.first, frame.after)


def _resampled(frames: Iterator[Frame], line: Line, zero: float, video: Line) -> Iterator[Frame]:
    """Lay sound on the picture's clock: 1/48,000 s of the file, from its time 0 on."""
    # one second of the file is VIDEO_RATE ticks of the picture's clock, whatever that takes by NTP
    second = video.ns_per_tick * VIDEO_RATE
    begin = round((line.at(0) - zero) / second * OPUS_RATE)
    pace = line.ns_per_tick / second * OPUS_RATE
    for frame in frames:
        timestamp = begin + round(frame.timestamp * pace)
        if timestamp >= 0:
            yield Frame(timestamp, timestamp, frame.data, True, frame.first, frame.after)
