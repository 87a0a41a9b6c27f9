"""A camera's film, or a piece of it, by its frame index (`indexed`): the journal is not gone through first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from media.plane import Codec

from ..library import MEDIA_TYPES
from .ahead import CipherThreads
from .container import OPUS_RATE, VIDEO_RATE, ContainerError, suffix_for, write_container
from .frames import Frame
from .indexed import IndexedCamera, indexed_cameras
from .kinds import ExportError
from .options import Options
from .pieces import film_name, some, until
from .placing import shifted
from .work import Work


def run_indexed(work: Work, options: Options) -> bool:
    """Write the films; False where the journal must be gone through for them.

    Raises ExportError where there is nothing to write, SegmentError, JournalError, SealError, OSError.
    """
    progress = _Progress(work)
    with CipherThreads() as threads, ExitStack() as opened:
        cameras = indexed_cameras(work, progress.read, opened, threads)
        if cameras is None or not set(options.producers) <= set(cameras):
            return False
        _write(work, options, cameras, progress, threads)
    return True


class _Progress:
    """Tells how many of the segments were read."""

    def __init__(self, work: Work) -> None:
        self.total = 0
        self._done = 0
        self._tell = work.part(0.0, 1.0)

    def read(self) -> None:
        self._done += 1
        self._tell(self._done / max(self.total, 1))


def _write(
    work: Work,
    options: Options,
    cameras: dict[int, IndexedCamera],
    progress: _Progress,
    threads: CipherThreads,
) -> None:
    end = options.end if options.end is not None else float("inf")
    wanted = [cameras[number] for number in options.producers or sorted(cameras)]
    if not options.sound:
        wanted = [replace(camera, sound=None) for camera in wanted]
        if not options.producers:
            wanted = [camera for camera in wanted if camera.track.codec is not Codec.OPUS]
    chosen = [camera for camera in wanted if camera.offset < end and camera.end >= options.begin]
    if not chosen:
        raise ExportError("In this range there is neither picture nor sound.", "nothing_in_range")
    films = [_Film(work, camera, options, threads) for camera in chosen]
    progress.total = sum(film.segments for film in films)
    problems: list[ExportError] = []
    for film in films:
        try:
            film.write()
        except ContainerError as error:
            problems.append(error)
    if not work.files:
        raise problems[0]


class _Film:
    """One file."""

    def __init__(self, work: Work, camera: IndexedCamera, options: Options, threads: CipherThreads) -> None:
        self._work, self._camera, self._options, self._threads = work, camera, options, threads
        self._is_sound = camera.track.codec is Codec.OPUS
        self._sound = camera.sound
        self._end = camera.end if options.end is None else min(options.end, camera.end)
        suffix = suffix_for(None if self._is_sound else camera.track.codec)
        self._name = film_name(camera.source, camera.producer, suffix)
        self._media_type = MEDIA_TYPES[suffix]

    @property
    def segments(self) -> int:
        """How many segments are read for it."""
        camera, begin = self._camera, self._options.begin
        tracks = (camera.track, self._sound) if self._sound is not None else (camera.track,)
        return sum(t.count(camera.ticks(begin, t.rate), camera.ticks(self._end, t.rate)) for t in tracks)

    def write(self) -> None:
        """Write it unless it is there, and list it with its real beginning and end. Raises ContainerError."""
        begin = self._write_sound() if self._is_sound else self._write_picture()
        facts = {"producer": self._camera.producer, "from": round(begin, 6), "to": round(self._end, 6)}
        self._work.add(self._name, self._media_type, **facts)

    def _write_picture(self) -> float:
        camera, picture, sound = self._camera, self._camera.track, self._sound
        since, last = camera.ticks(self._options.begin, VIDEO_RATE), camera.ticks(self._end, VIDEO_RATE)
        first = next(picture.pictures_from(since), None)
        if first is None or first.timestamp > last:
            raise ContainerError("No key frame of this camera lies in this range.", "no_picture")
        # a film of the whole begins with the sound before its picture, as its media time does
        whole = sound is not None and self._options.begin <= 0
        zero = 0 if whole else first.timestamp
        if not self._work.has(self._name):
            frames = shifted(until(picture.pictures_from(since, last), last), zero)
            sounds = None
            if sound is not None:
                heard = round(zero / VIDEO_RATE * OPUS_RATE)
                over = camera.ticks(self._end, OPUS_RATE)
                until_then = until(sound.sounds_from(heard, over), over)
                sounds = some(shifted(until_then, heard))
            self._contain((picture.codec, frames), sounds)
        return camera.at(zero)

    def _write_sound(self) -> float:
        camera, track = self._camera, self._camera.track
        since, last = camera.ticks(self._options.begin, OPUS_RATE), camera.ticks(self._end, OPUS_RATE)
        first = next(until(track.sounds_from(since), last), None)
        if first is None:
            raise ContainerError("In this range nothing of this sound was recorded.", "nothing_in_range")
        if not self._work.has(self._name):
            self._contain(None, shifted(until(track.sounds_from(since, last), last), first.timestamp))
        return camera.at(first.timestamp)

    def _contain(self, video: tuple[Codec, Iterator[Frame]] | None, audio: Iterator[Frame] | None) -> None:
        path = self._work.path(self._name)
        write_container(path, video, audio, self._work.key, self._threads.sealed)
