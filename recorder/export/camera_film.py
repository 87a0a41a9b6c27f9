"""The kinds `camera` and `clip`: each camera's own film with its sender's sound, packets as they were sent.

Nothing is transcoded, so a clip begins at the last key frame before the place that was asked for; `from` and `to` of
each file say where it really does. A camera is the piece by which an errand goes on: what is whole stays.

Frame indices are used where they can be (`indexed_film`); what is here goes through the whole journal first, which also
passes over what is damaged.
"""

from __future__ import annotations

import numpy as np

from media.plane import Codec

from ..journal import JournalError
from ..library import MEDIA_TYPES
from ..seal.suites import SealError
from ..segments.index import SegmentError
from .container import VIDEO_RATE, ContainerError, suffix_for, write_container
from .failing import past_damage
from .frames import TELL_EACH, Frame
from .indexed_film import run_indexed
from .kinds import ExportError
from .options import Options
from .pieces import film_name, some, until
from .placing import LONGEST_LEAD, Placed, Read, Tracks, frames_from, on_clock_of, shifted, sound_from
from .work import Work


def run(work: Work, options: Options) -> None:
    """Write the films. Raises ExportError where there is nothing to write."""
    try:
        if run_indexed(work, options):
            return
    except (SegmentError, SealError, JournalError):
        # something is damaged: who goes through the journal passes over it
        work.files.clear()
        with past_damage():
            _run_through(work, options)
    else:
        _run_through(work, options)


def _run_through(work: Work, options: Options) -> None:
    """Write the films by going through the whole journal."""
    index = work.index(work.part(0.0, 0.4))
    tracks = Tracks(index)
    chosen = _chosen(tracks, options)
    total = sum(int(placed.packets.lengths.sum(dtype=np.int64)) for placed in chosen) or 1
    done = told = 0
    tell = work.part(0.4, 1.0)
    problems: list[ExportError] = []
    with work.source() as source:

        def read(offset: int, length: int) -> bytes:
            nonlocal done, told
            done += length
            if done - told > TELL_EACH:
                told = done
                tell(done / total)
            return source.read(offset, length)

        for placed in chosen:
            try:
                _Film(work, tracks, placed, options, read).write()
            except ContainerError as error:
                problems.append(error)
    if not work.files:
        if problems:
            raise problems[0]
        raise ExportError("In this range there is neither picture nor sound.", "nothing_in_range")


def _chosen(tracks: Tracks, options: Options) -> list[Placed]:
    """List the cameras that are wanted, and where all are, the sounds that have none."""
    alone = {
        number: sound for number, sound in tracks.sounds.items() if number not in tracks.sound_of.values()
    }
    there = {**tracks.pictures, **(alone if options.sound else {})}
    unknown = [number for number in options.producers if number not in there]
    if unknown:
        raise ExportError("The recording has no such camera.", "no_such_camera")
    wanted = [there[number] for number in options.producers or sorted(there)]
    end = options.end if options.end is not None else float("inf")
    found = [placed for placed in wanted if placed.begin < end and placed.end >= options.begin]
    if not found:
        raise ExportError("In this range there is neither picture nor sound.", "nothing_in_range")
    return found


class _Film:
    """One file."""

    def __init__(self, work: Work, tracks: Tracks, placed: Placed, options: Options, read: Read) -> None:
        self._work, self._placed, self._options, self._read = work, placed, options, read
        self._is_sound = placed.track.codec is Codec.OPUS
        suffix = suffix_for(None if self._is_sound else placed.track.codec)
        self._name = film_name(placed.track.source, placed.track.producer, suffix)
        sound = tracks.sounds.get(tracks.sound_of.get(placed.track.producer, 0))
        self._sound = sound if options.sound else None
        self._media_type = MEDIA_TYPES[suffix]

    def write(self) -> None:
        """Write it unless it is there, and list it with its real beginning and end."""
        if self._is_sound:
            begin, end = self._write_sound()
        else:
            begin, end = self._write_picture()
        facts = {"producer": self._placed.track.producer, "from": round(begin, 6), "to": round(end, 6)}
        self._work.add(self._name, self._media_type, **facts)

    def _write_picture(self) -> tuple[float, float]:
        placed, options = self._placed, self._options
        first = next(frames_from(placed, self._read, options.begin), None)
        sound = self._sound
        last = placed.end if sound is None else max(placed.end, sound.end)
        end = last if options.end is None else min(options.end, last)
        if first is None or placed.at(first.timestamp) > end:
            raise ContainerError("No key frame of this camera lies in this range.", "no_picture")
        zero = self._zero(first)
        if not self._work.has(self._name):
            frames = until(frames_from(placed, self._read, options.begin), placed.ticks(end))
            sounds = None
            if sound is not None and sound.begin < end:
                heard = until(sound_from(sound, self._read, placed.at(zero) - 0.1), sound.ticks(end))
                sounds = some(on_clock_of(heard, sound, zero, placed))
            picture = (placed.track.codec, shifted(frames, zero))
            write_container(self._work.path(self._name), picture, sounds, self._work.key)
        return placed.at(zero), end

    def _zero(self, first: Frame) -> int:
        """Choose time 0: the first picture; in a film of the whole the sound before it, if it is not long before."""
        if self._sound is None or self._options.begin > 0:
            return first.timestamp
        lead = self._placed.at(first.timestamp) - self._sound.begin
        return first.timestamp - (round(lead * VIDEO_RATE) if 0 < lead <= LONGEST_LEAD else 0)

    def _write_sound(self) -> tuple[float, float]:
        placed, options = self._placed, self._options
        end = placed.end if options.end is None else min(options.end, placed.end)
        frames = until(sound_from(placed, self._read, options.begin), placed.ticks(end))
        first = next(frames, None)
        if first is None:
            raise ContainerError("In this range nothing of this sound was recorded.", "nothing_in_range")
        if not self._work.has(self._name):
            zero = first.timestamp
            whole = until(sound_from(placed, self._read, options.begin), placed.ticks(end))
            write_container(self._work.path(self._name), None, shifted(whole, zero), self._work.key)
        return placed.at(first.timestamp), end
