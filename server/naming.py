"""What a publisher calls the tracks of its offer: its page names each section, an encoder all of them at once."""

from __future__ import annotations

from collections.abc import Iterable

from media.sdp import OfferedTrack
from signalling.messages import PublishedSource
from signalling.sources import Source


class Naming:
    """Names of tracks."""

    def __init__(
        self, sections: Iterable[PublishedSource] = (), *, source: Source = "camera", label: str = ""
    ) -> None:
        """`sections` are named one by one; any other picture is of this `source`, all else bears this `label`."""
        self.source, self.label = source, label
        self._sections = {section.mid: section for section in sections}

    def name(self, track: OfferedTrack) -> tuple[Source, str]:
        """Give a track's source and label."""
        section = self._sections.get(track.mid)
        if section is not None:
            return section.source, section.label
        return ("microphone" if track.kind == "audio" else self.source), self.label

    def heights(self, track: OfferedTrack) -> tuple[int, ...]:
        """Give the heights of a track's encodings, the lowest first; empty where they were not said."""
        section = self._sections.get(track.mid)
        return section.heights if section is not None else ()
