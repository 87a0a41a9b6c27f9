"""Opens a recording for playing: which of its tracks can be shown, where they lie on one time line, and to whom."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from media.plane import Codec
from recorder.audience import Audiences
from recorder.export.index import JournalIndex, Track, index_journal, track_of
from recorder.export.timeline import Line, arrival_line, place, report_line
from recorder.journal import JournalError, JsonObject
from recorder.library import DESCRIPTION, JOURNAL, read_header
from recorder.parts import open_part, read_part
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError
from recorder.sealing import JournalOpener
from recorder.segments.index import SUFFIX, FrameIndex, SegmentError
from recorder.source import JournalSource
from signalling.permissions import ROLES, may

from .indexed import IndexedPictures
from .pictures import JournalPictures, Pictures

#: What is shown of a recording if nothing else was asked for: what was looked at, and what was said. No faces.
USUAL = ("field", "second", "screen", "microphone")
#: As many tracks as one participant may send.
MOST_TRACKS = 16
#: Where the recording does not say by which payload type a track came.
USUAL_PAYLOAD_TYPE = {False: 96, True: 111}

_MOST_DESCRIPTION = 1 << 30


class Opened:
    """A recording that lies open. Raises JournalError, SealError, OSError.

    By its description and the frame indexes beside the journal where all that is wanted has one; else the journal is
    gone through.
    """

    def __init__(
        self, folder: Path, key: DataKey | None, wanted: Sequence[int], progress: Callable[[float], None]
    ) -> None:
        """`wanted` names producers of the recording; empty: what is usual."""
        self._wanted = wanted
        self._files = ExitStack()
        self.tracks: dict[int, Pictures] = {}
        self.roles: dict[int, list[str]] = {}
        header = read_header(folder / JOURNAL)
        if header.seal is not None and key is None:
            raise SealError("The recording is sealed, and its key is not here.")
        self.started = header.started
        #: Whether the journal had not to be gone through.
        self.indexed = self._by_index(folder, key)
        if not self.indexed:
            self._by_journal(folder, key, progress)

    def close(self) -> None:
        """Let the files go."""
        self._files.close()

    def describe(self) -> dict[str, Any]:
        """Say what there is, so that it can be announced."""
        tracks = [
            {
                "producer": pictures.track.producer,
                "source": pictures.track.source,
                "codec": pictures.track.codec.name,
                "label": pictures.track.label,
                "fmtp": pictures.track.fmtp,
                "payload_type": pictures.track.payload_type or USUAL_PAYLOAD_TYPE[pictures.sound],
                "clock_rate": pictures.track.clock_rate,
                "bits_per_second": pictures.rate,
                "roles": self.roles[pictures.track.producer],
            }
            for pictures in self.tracks.values()
        ]
        return {"started": self.started / 1e6, "seconds": self.seconds, "tracks": tracks}

    def _choose(self, recording: str, tracks: Sequence[Track], events: Sequence[JsonObject]) -> list[Track]:
        """Choose what is to be shown, and say to whom.

        What was for some only is for their roles alone now, too. Of whom a name and no role let in it is not known who
        he is in this room.
        """
        audiences = Audiences(recording, events)
        for track in tracks:
            self.roles[track.producer] = [
                role
                for role in ROLES
                if may(role, "replay") and track.producer not in audiences.withheld(role, "")
            ]
        chosen = [
            track
            for track in sorted(tracks, key=lambda track: track.producer)
            if self.roles[track.producer]
            and (track.producer in self._wanted if self._wanted else track.source in USUAL)
        ]
        return chosen[:MOST_TRACKS]

    # -- by the indexes --------------------------------------------------------------------------------------------

    def _by_index(self, folder: Path, key: DataKey | None) -> bool:
        journal = folder / JOURNAL
        try:
            description = json.loads(read_part(folder / DESCRIPTION, key, _MOST_DESCRIPTION))
            offsets = _offsets(description)
            events = [event for event in description["events"] if isinstance(event, dict)]
            tracks = [track_of(event) for event in events if event.get("kind") == "producer_added"]
            tracks = [track for track in tracks if track.producer in offsets]
            chosen = self._choose(str(description["recording"]), tracks, events)
            opener = JournalOpener(read_header(journal), key) if key is not None else None
            source = self._files.enter_context(JournalSource(journal, array("Q"), opener))
            for track in chosen:
                file = open_part(folder / f"{track.producer}{SUFFIX}", key)
                self._files.callback(file.close)
                pictures = IndexedPictures(track, FrameIndex(file), source, offsets[track.producer])
                if len(pictures):
                    # a journal that was cut off since: better known now than in the midst of a lesson
                    for _ in pictures.packets_of(len(pictures) - 1):
                        pass
                    self.tracks[track.producer] = pictures
            self.seconds = float(description["seconds"])
        except (OSError, SegmentError, JournalError, SealError, ValueError, KeyError, TypeError):
            # none is made yet, or one cannot be used: what the journal says counts in any case
            self.tracks.clear()
            self._files.close()
            return False
        return True

    # -- by the journal --------------------------------------------------------------------------------------------

    def _by_journal(self, folder: Path, key: DataKey | None, progress: Callable[[float], None]) -> None:
        index = index_journal(folder / JOURNAL, progress, key)
        opener = JournalOpener(index.header, key) if key is not None else None
        source = self._files.enter_context(JournalSource(folder / JOURNAL, index.blocks, opener))
        self.seconds = max(0.0, (index.last_time - index.header.started) / 1e9)
        tracks = [track for number, track in index.tracks.items() if len(index.packets[number])]
        chosen = self._choose(index.header.recording, tracks, [event for _, event in index.events])
        lines = _lines(index, chosen)
        for track in chosen:
            number = track.producer
            self.tracks[number] = JournalPictures(
                track, index.packets[number], lines[number], self.started, source.read
            )


def _offsets(description: JsonObject) -> dict[int, float]:
    """Find where each track's time 0 lies: a sound that belongs to a picture lies on its clock."""
    offsets: dict[int, float] = {}
    cameras: Any = description["cameras"]
    for camera in cameras:
        offsets[int(camera["producer"])] = float(camera["offset"])
        with suppress(KeyError, TypeError):
            offsets[int(camera["audio"])] = float(camera["offset"])
    return offsets


def _lines(index: JournalIndex, tracks: Sequence[Track]) -> dict[int, Line]:
    """Lay the tracks on the server's clock: those of one sender by its reports, as in a container."""
    lines: dict[int, Line] = {}
    for track in tracks:
        own = _both(index, track)
        others = [
            other
            for other in tracks
            if other.participant == track.participant
            and (other.codec is Codec.OPUS) != (track.codec is Codec.OPUS)
        ]
        if not others:
            lines[track.producer] = own[0]
        elif track.codec is Codec.OPUS:
            lines[track.producer] = place(_both(index, others[0]), own)[1]
        else:
            lines[track.producer] = place(own, _both(index, others[0]))[0]
    return lines


def _both(index: JournalIndex, track: Track) -> tuple[Line, Line | None]:
    packets = index.packets[track.producer]
    reports = index.reports.get(track.producer, [])
    return arrival_line(packets, track.clock_rate), report_line(packets, reports, track.clock_rate)
