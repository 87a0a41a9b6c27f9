"""Opens a recording for playing: which of its tracks can be shown, and where they lie on one time line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from media.plane import Codec
from recorder.audience import Audiences
from recorder.export.index import JournalIndex, Track, index_journal
from recorder.export.timeline import Line, arrival_line, place, report_line
from recorder.library import JOURNAL
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError
from recorder.sealing import JournalOpener
from recorder.source import JournalSource
from signalling.permissions import ROLES, may

from .pictures import Pictures

#: What is shown of a recording if nothing else was asked for: what was looked at, and what was said. No faces.
USUAL = ("field", "second", "screen", "microphone")
#: As many tracks as one participant may send.
MOST_TRACKS = 16


class Opened:
    """A recording that lies open. Raises JournalError, SealError, OSError."""

    def __init__(
        self, folder: Path, key: DataKey | None, wanted: Sequence[int], progress: Callable[[float], None]
    ) -> None:
        """`wanted` names producers of the recording; empty: what is usual."""
        journal = folder / JOURNAL
        index = index_journal(journal, progress, key)
        if index.header.seal is not None and key is None:
            raise SealError("The recording is sealed, and its key is not here.")
        opener = JournalOpener(index.header, key) if key is not None else None
        self.source = JournalSource(journal, index.blocks, opener)
        self.started = index.header.started
        self.seconds = max(0.0, (index.last_time - index.header.started) / 1e9)
        audiences = Audiences(index.header.recording, [event for _, event in index.events])
        #: who may be shown each producer: what was for some only is for their roles alone now, too. Of whom a name and
        #: no role let in it is not known who he is in this room
        self.roles = {
            number: [
                role for role in ROLES if may(role, "replay") and number not in audiences.withheld(role, "")
            ]
            for number in index.tracks
        }
        chosen = [
            track
            for number, track in sorted(index.tracks.items())
            if len(index.packets[number])
            and self.roles[number]
            and (number in wanted if wanted else track.source in USUAL)
        ]
        lines = _lines(index, chosen)
        self.tracks = {
            track.producer: Pictures(
                track, index.packets[track.producer], lines[track.producer], self.started, self.source.read
            )
            for track in chosen[:MOST_TRACKS]
        }

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


#: Where the recording does not say by which payload type a track came.
USUAL_PAYLOAD_TYPE = {False: 96, True: 111}


def _lines(index: JournalIndex, tracks: Sequence[Track]) -> dict[int, Line]:
    """Lay the tracks on the server's clock: those of one sender by its reports, as in a container."""
    lines: dict[int, Line] = {}
    for track in tracks:
        own = _both(index, track)
        if track.codec is Codec.OPUS:
            pictures = [
                other
                for other in tracks
                if other.participant == track.participant and other.codec is not Codec.OPUS
            ]
            if pictures:
                _, lines[track.producer] = place(_both(index, pictures[0]), own)
                continue
            lines[track.producer] = own[0]
            continue
        sounds = [
            other for other in tracks if other.participant == track.participant and other.codec is Codec.OPUS
        ]
        lines[track.producer] = place(own, _both(index, sounds[0]))[0] if sounds else own[0]
    return lines


def _both(index: JournalIndex, track: Track) -> tuple[Line, Line | None]:
    packets = index.packets[track.producer]
    reports = index.reports.get(track.producer, [])
    return arrival_line(packets, track.clock_rate), report_line(packets, reports, track.clock_rate)
