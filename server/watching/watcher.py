"""A room's watcher: which of its fields the server keeps an eye on, and what it is asked of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from annotation.anchors import VideoAnchor
from annotation.ephemeral import Stroke
from annotation.notes import Tracked
from annotation.shapes import Mark
from media.ids import ProducerId

from . import stills
from .field import Field
from .low import LowLayer, low_encoding
from .stills import Still, StillError

if TYPE_CHECKING:
    from media.producer import Producer

    from ..conductor import Conductor

#: Stills that are decoded at once, a room: each takes a core for a second.
STILLS_AT_ONCE: Final = 2
#: Seconds between two looks at the marks, at least: a worker keeps the newest seconds of pictures for what comes later.
LOOK_EVERY: Final = 0.05
#: Whose operations tracks are.
AUTHOR: Final = "tracker"
NAME: Final = "Tracker"
COLOUR: Final = "#9aa3ad"


class Watcher:
    """Watches the fields of one room as long as somebody may draw on them."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._fields: dict[ProducerId, Field] = {}
        self._turns = asyncio.Semaphore(STILLS_AT_ONCE)
        self._tracks = conductor.service.config.tracking.enabled
        self._marked = False
        self._looked = float("-inf")  # when marks were last looked at, by the loop's clock

    @property
    def kept(self) -> int:
        """Bytes of compressed frames that are held in memory."""
        return sum(field.kept for field in self._fields.values())

    def field(self, producer: ProducerId) -> Field:
        """Give a field that is watched. Raise KeyError."""
        return self._fields[producer]

    def look(self) -> None:
        """Look who and what is there, and watch what is to be watched from now on."""
        conductor = self._conductor
        drawn_on = any(
            participant.may("mark") and not conductor.members[participant.participant].only_sends
            for participant in conductor.room.participants
            if participant.participant in conductor.members
        )
        marks = self._live_marks()
        wanted = {
            ProducerId(entry.producer)
            for entry in conductor.room.producers
            if drawn_on and entry.kind == "video" and (entry.source == "field" or entry.producer in marks)
        }
        for producer in self._fields.keys() - wanted:
            self._end(producer)
        for producer in wanted - self._fields.keys():
            if (known := conductor.router.producers.get(producer)) is not None:
                field = self._fields[producer] = Field(
                    known,
                    tracks=self._tracks,
                    decide=self._decide,
                    vouch=conductor.vouch,
                    known=conductor.document.track,
                    ended=lambda follower: conductor.service.keep(follower.close()),
                )
                conductor.service.tap.join(field)
                conductor.router.set_tap(producer, enabled=True, claim="watching")
                self._take_low(known, field)
        for producer, field in self._fields.items():
            field.watch(marks.get(producer, []), conductor.service.now())

    def _take_low(self, producer: Producer, field: Field) -> None:
        """Have a low layer copied beside the best, where there is one: it is what marks are followed in."""
        low = low_encoding(producer.heights) if self._tracks else None
        if low is not None:
            field.low = LowLayer(field.producer, field.stream.codec, field.receive_low)
            self._conductor.service.tap.join(field.low)
            self._conductor.router.set_low_tap(field.producer, low)

    def drawing(self, stroke: Stroke) -> None:
        """Note that somebody draws, a thousand times a second."""
        if isinstance(stroke.anchor, VideoAnchor) and not stroke.anchor.still:
            field = self._fields.get(ProducerId(stroke.anchor.producer))
            if field is not None:
                field.expect(stroke.anchor.rtp_timestamp, self._conductor.service.now())

    def marked(self) -> None:
        """Note that marks on a live picture came, changed or went."""
        if not self._marked:
            # looking goes through all marks: at once where it is quiet, else not with each stroke of sixteen pens
            self._marked = True
            loop = asyncio.get_running_loop()
            loop.call_at(max(loop.time(), self._looked + LOOK_EVERY), self._look_at_marks)

    def _look_at_marks(self) -> None:
        self._marked, self._looked = False, asyncio.get_running_loop().time()
        self.look()

    def _live_marks(self) -> dict[int, list[Mark]]:
        marks: dict[int, list[Mark]] = {}
        for mark in self._conductor.document.visible():
            if isinstance(mark.anchor, VideoAnchor) and not mark.anchor.still:
                marks.setdefault(mark.anchor.producer, []).append(mark)
        return marks

    def _decide(self, tracks: Tracked) -> None:
        self._conductor.decide(tracks, AUTHOR, NAME, COLOUR)

    async def still(self, producer: ProducerId, rtp_timestamp: int) -> Still:
        """Give exactly the frame of this RTP timestamp, at its full size. Raise StillError."""
        field = self._fields.get(producer)
        if field is None:
            raise StillError("Of this picture no frames can be frozen.")
        # the frame may lie in the tap still
        self._conductor.service.tap.share_out()
        records = field.backlog.records()
        if not records:
            raise StillError("No key frame of this picture has come yet. Try again in a moment.")
        async with self._turns:
            return await stills.take(field.stream, records, rtp_timestamp)

    def close(self) -> None:
        """Watch nothing any more."""
        for producer in list(self._fields):
            self._end(producer)

    def _end(self, producer: ProducerId) -> None:
        field = self._fields.pop(producer)
        field.close()
        self._conductor.service.tap.leave(field)
        if field.low is not None:
            self._conductor.service.tap.leave(field.low)
        if producer in self._conductor.router.producers:
            self._conductor.router.set_tap(producer, enabled=False, claim="watching")
            self._conductor.router.set_low_tap(producer, None)
