"""Prepares a finished recording for who looks: frame indices, frozen frames, the description, deterministically.

`index_journal` goes through the journal once, and finds every packet's place; meanwhile the pictures are put together
(`early`). Then each track's frames are gone through in their order: sounds, and the pictures of a track where that was
too early, are read from the file for it.
Sound lies on the clock of its own sender's picture where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path

import numpy as np

from ..journal import JsonObject, encode_json
from ..library import DESCRIPTION, JOURNAL, SUMMARY, summarise
from ..manifest import UNSIGNED, JournalEnd, hash_file
from ..parts import write_part
from ..seal.keys import DataKey
from ..seal.suites import SealError
from ..sealing import JournalOpener
from ..segments.index import SegmentError, TrackFacts
from ..source import JournalSource
from ..volumes import volumes_of
from .container import OPUS_RATE, VIDEO_RATE, ContainerError, fill_silence, silent_frame
from .description import Camera, describe
from .early import EarlyTracks
from .frame_index import FrameNotes, head_of, write_frame_index
from .frames import TELL_EACH, Frame, FrameReader
from .index import JournalIndex, index_journal
from .placing import LONGEST_LEAD, Placed, Read, Tracks, on_clock_of, shifted
from .stills import write_stills


def prepare(
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
    early = EarlyTracks(head_of)
    index = index_journal(journal, lambda share: progress(share * 0.9), key, early)
    early.end()
    if index.header.seal is not None and key is None:
        raise SealError("The recording is sealed, and its key is not here.")
    total = sum(int(packets.lengths.sum(dtype=np.int64)) for packets in index.packets.values()) or 1
    done = told = 0

    def read(offset: int, length: int) -> bytes:
        nonlocal done, told
        done += length
        if done - told > TELL_EACH:
            told = done
            progress(0.9 + 0.1 * min(done / total, 1.0))
        return source.read(offset, length)

    opener = JournalOpener(index.header, key) if key is not None else None
    with JournalSource(journal, index.blocks, opener) as source:
        work = _Preparation(folder, index, read, key, early)
        cameras = work.cameras()
        if indices_only:
            return
        stills = write_stills(folder, index, source.read, key)
    description = describe(index, cameras, stills)
    write_part(folder / DESCRIPTION, encode_json(description), key)
    write_part(folder / SUMMARY, encode_json(summarise(description)), None)
    made = [str(still["file"]) for still in stills]
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


class _Preparation:
    """Makes the frame indices of one recording."""

    def __init__(
        self, folder: Path, index: JournalIndex, read: Read, key: DataKey | None, early: EarlyTracks
    ) -> None:
        #: The names of the frame indices that were made.
        self.indices: list[str] = []
        self._folder = folder
        self._index = index
        self._blocks = np.array(index.blocks, np.uint64)
        self._read = read
        self._key = key
        self._early = early

    def cameras(self) -> list[Camera]:
        """Index every track, by producer; a sound without a picture stands for itself."""
        tracks = Tracks(self._index)
        cameras: list[Camera] = []
        for number, picture in tracks.pictures.items():
            cameras += self._picture(picture, tracks.sounds.get(tracks.sound_of.get(number, 0)))
        paired = set(tracks.sound_of.values())
        cameras += [
            self._sound_alone(sound) for number, sound in tracks.sounds.items() if number not in paired
        ]
        return sorted(cameras, key=lambda camera: camera.track.producer)

    def _picture(self, picture: Placed, sound: Placed | None) -> list[Camera]:
        reader = self._reader(picture)
        first = next(self._reader(picture).frames(), None)
        if first is None:
            problem = Camera(picture.track, problem="No key frame was received, so no picture can be shown.")
            return [problem, *self._alone(sound)]
        lead = picture.at(first.timestamp) - sound.begin if sound is not None else 0.0
        if sound is not None and lead > LONGEST_LEAD:
            return [*self._picture(picture, None), *self._alone(sound)]
        # time 0 of the camera: the first picture, or the sound before it, on the picture's clock
        zero = first.timestamp - max(0, round(lead * VIDEO_RATE))
        seen = FrameNotes(picture.track)
        for _ in seen.follow(shifted(reader.frames(), zero)):
            pass  # on their way they are noted
        until = seconds = seen.end / VIDEO_RATE
        heard = ears = None
        if sound is not None:
            heard, ears = FrameNotes(sound.track), self._reader(sound)
            sounds = on_clock_of(fill_silence(ears.frames()), sound, zero, picture)
            for _ in heard.follow(_filled(sounds, round(until * OPUS_RATE))):
                pass
            # whoever switches his camera off is heard on: his last picture stays beneath what covers it
            seconds = max(until, heard.end / OPUS_RATE)
        try:
            facts = self._write(seen, round(seconds * VIDEO_RATE))
            if heard is not None and heard.times:
                self._write(heard)
        except (SegmentError, ContainerError) as error:
            return [Camera(picture.track, problem=str(error)), *self._alone(sound)]
        camera = self._camera(picture, reader, facts, zero, seconds)
        camera = replace(camera, picture_at=(first.timestamp - zero) / VIDEO_RATE, picture_until=until)
        if sound is None or ears is None or heard is None or not heard.times:
            return [camera]
        return [camera.with_sound(sound.track, self._holes(sound, ears))]

    def _alone(self, sound: Placed | None) -> list[Camera]:
        return [] if sound is None else [self._sound_alone(sound)]

    def _sound_alone(self, sound: Placed) -> Camera:
        ears, heard = self._reader(sound), FrameNotes(sound.track)
        for _ in heard.follow(fill_silence(ears.frames())):
            pass
        if not heard.times:
            return Camera(sound.track, problem="No sound of this microphone can be heard.")
        try:
            facts = self._write(heard)
        except (SegmentError, ContainerError) as error:
            return Camera(sound.track, problem=str(error))
        return self._camera(sound, ears, facts, 0, heard.end / OPUS_RATE)

    def _write(self, notes: FrameNotes, until: int = 0) -> TrackFacts:
        """Write a track's index. Raises SegmentError, ContainerError, OSError."""
        packets = self._index.packets[notes.track.producer]
        name, facts = write_frame_index(self._folder, notes, packets, self._blocks, self._key, until)
        self.indices.append(name)
        return facts

    def _camera(
        self, placed: Placed, reader: FrameReader, facts: TrackFacts, zero: int, seconds: float
    ) -> Camera:
        return Camera(
            placed.track,
            media_type=facts.media_type,
            offset=placed.at(zero),
            seconds=seconds,
            first_rtp_timestamp=(placed.packets.first_timestamp + zero) % (1 << 32),
            width=facts.width,
            height=facts.height,
            holes=self._holes(placed, reader),
        )

    @staticmethod
    def _holes(placed: Placed, reader: FrameReader) -> list[tuple[int, float, float, int]]:
        return [
            (placed.track.producer, placed.at(h.start), placed.at(h.end) - placed.at(h.start), h.packets)
            for h in reader.holes
        ]

    def _reader(self, placed: Placed) -> FrameReader:
        early = self._early.of(placed.track.producer)
        return FrameReader(placed.track, placed.packets, self._read, early=early)


def _filled(frames: Iterator[Frame], until: int) -> Iterator[Frame]:
    """Let sound begin at 0 and last as long as its picture: a player stands still where either has nothing."""
    first = next(frames, None)
    if first is None:
        return
    begin = (silent_frame(0, first.data),) if first.timestamp > 0 else ()
    newest = first

    def followed() -> Iterator[Frame]:
        nonlocal newest
        for frame in frames:
            newest = frame
            yield frame

    yield from fill_silence(chain(begin, (first,), followed()))
    if newest.timestamp < until:
        last = silent_frame(until, newest.data)
        for frame in fill_silence(iter((newest, last))):
            if frame is not newest and frame is not last:
                yield frame
