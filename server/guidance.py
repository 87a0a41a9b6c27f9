"""Freezing: a member asks that one frame be kept, exactly as it was sent (PROTOCOL.md, section 10)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from annotation.anchors import VideoAnchor
from annotation.calibration import ticks_between
from annotation.notes import Calibrate
from annotation.still import Still, parse_facing, parse_scale
from media.ids import ProducerId
from signalling import notices
from signalling.entities import Participant, Producer, RoomError
from signalling.guidance_messages import Freeze
from signalling.notices import ServerMessage

from . import marking
from .stills import KeptStill, StillsFull
from .watching.stills import StillError

if TYPE_CHECKING:
    from .member import Member

#: Frames that a member may have under way: each is decoded at full size.
AT_ONCE: Final = 2


class Freezing:
    """One member's requests to keep a frame."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._under_way = 0

    async def carry_out(self, message: Freeze) -> ServerMessage:
        """Have the frame decoded and kept, and tell who is to know. Raise RoomError."""
        if self._under_way >= AT_ONCE:
            raise RoomError("too_fast", "Your frames before this one are still being kept. Wait a moment.")
        self._under_way += 1
        try:
            return await self._freeze(message)
        finally:
            self._under_way -= 1

    def _check(self, number: int) -> tuple[Participant, Producer]:
        """Raise RoomError unless the member may draw on this picture now."""
        member, room = self._member, self._member.conductor.room
        room.demand(member.identifier, "mark")
        producer = room.producer(number)
        me = room.participant(member.identifier)
        assert me is not None
        if producer.kind != "video":
            raise RoomError("not_found", "There is no such picture in this room.")
        if not producer.may_be_watched(me):
            raise RoomError("not_permitted", "You may not watch this picture.")
        return me, producer

    async def _freeze(self, message: Freeze) -> ServerMessage:
        conductor = self._member.conductor
        room, store = conductor.room, conductor.service.stills
        asked = conductor.service.now()
        self._check(message.producer)
        name = f"{message.producer}-{message.rtp_timestamp}"
        known = await asyncio.to_thread(store.find, room.name, name)
        if known is None:
            try:
                taken = await conductor.watcher.still(ProducerId(message.producer), message.rtp_timestamp)
            except StillError as error:
                raise RoomError("no_frame", str(error)) from None
            png, width, height = taken.png, taken.width, taken.height
        else:
            png, width, height = b"", known.width, known.height
        # who may what may have changed meanwhile
        me, producer = self._check(message.producer)
        audience = producer.audience
        still = KeptStill(
            message.producer,
            message.rtp_timestamp,
            width,
            height,
            known.sm3 if known is not None else "",
            message.for_all,
            (me.link,),
            None if audience is None else tuple(sorted(audience.roles)),
            tuple(other.link for other in room.participants if other.link and producer.may_be_watched(other)),
            **self._facts(producer, message.rtp_timestamp, asked),
        )
        try:
            kept = await asyncio.to_thread(store.keep, room.name, still, png)
        except StillsFull as error:
            raise RoomError("disk_full", str(error)) from None
        note = Still(
            kept.producer,
            kept.rtp_timestamp,
            kept.width,
            kept.height,
            kept.sm3,
            me.participant,
            message.for_all,
            message.label,
            kept.patient,
            parse_facing(kept.orientation),
            parse_scale(kept.calibration),
        )
        self._tell(me, note)
        return notices.reply(message.id, still=note.to_json()["still"])

    def _facts(self, producer: Producer, rtp_timestamp: int, now: float) -> dict[str, Any]:
        """Say what was true of a frame that was asked for at `now`, as it is kept with it."""
        conductor = self._member.conductor
        anchor = VideoAnchor(producer.producer, rtp_timestamp)
        entry = conductor.router.producers.get(ProducerId(producer.producer))
        captured = now
        if entry is not None and (told := entry.captured) is not None:
            rate = entry.track.clock_rate
            ticks = ticks_between(rtp_timestamp, told.rtp_timestamp, now - told.time / 1e9, rate)
            captured = min(now, told.time / 1e9 + ticks / rate)
        found = conductor.document.calibration(anchor, captured * 1000)
        scale = found.operation if found is not None and marking.is_uninterrupted(producer, found) else None
        assert scale is None or isinstance(scale, Calibrate)
        return {
            "patient": conductor.bedside.key_at(captured),
            "orientation": None if producer.orientation is None else producer.orientation.to_json(),
            "calibration": None
            if scale is None
            else {"points": scale.points, "millimetres": scale.millimetres},
        }

    def _tell(self, me: Participant, note: Still) -> None:
        """Write it down, and put it into the log if it is for all."""
        conductor = self._member.conductor
        body = {"producer": note.producer, "rtp_timestamp": note.rtp_timestamp, "sm3": note.sm3}
        conductor.write_down({"kind": "frozen", **body, "for_all": note.for_all, "by": me.participant})
        if note.for_all and me.participant in conductor.members:
            conductor.decide(note, me.participant, me.name, me.colour)
