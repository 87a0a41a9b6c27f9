"""What a member's requests about manners do (PROTOCOL.md, section 9), who speaks, and the room's data channels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from annotation.veiled import VEILED
from media.ids import ProducerId
from signalling.entities import Audience, ParticipantId
from signalling.manner_messages import (
    Admit,
    Hand,
    Lock,
    MannerRequest,
    Permit,
    PermitDrawing,
    Remove,
    Restrict,
)
from signalling.permissions import may
from signalling.rate import TokenBucket
from signalling.speaker import ActiveSpeaker

from .veiling import is_veiled

if TYPE_CHECKING:
    from .conductor import Conductor
    from .member import Member

#: Seconds between two looks at who speaks: the plane keeps the loudest of so long.
LOOK = 0.1

#: Labels of data channels that are passed on to whoever has opened one of the same.
RELAYED = "room."
#: The largest message that is passed on, bytes.
RELAYED_LIMIT = 16_384
#: Messages a second and at once, each 4 KiB counting for one.
RELAYED_RATE, RELAYED_BURST = 50.0, 100.0


def carry_out(member: Member, message: MannerRequest) -> None:
    """Do what a request about manners asks. Raise RoomError."""
    conductor, me = member.conductor, member.identifier
    room = conductor.room
    match message:
        case Hand(_, raised, other):
            room.hand(me, ParticipantId(other) if other else me, raised=raised)
        case Admit():
            conductor.reception.decide(member, message)
        case Lock(_, locked):
            conductor.reception.lock(member, locked=locked)
        case Remove(_, other, reason):
            room.remove(ParticipantId(other), reason, by=me)
        case Permit(_, other, sources):
            room.permit(me, ParticipantId(other), sources)
        case PermitDrawing(_, other, draws):
            room.permit_drawing(me, ParticipantId(other), draws)
        case Restrict(_, producer, roles, participants):
            everybody = roles is None and participants is None
            audience = None if everybody else Audience(roles or frozenset(), participants or frozenset())
            room.restrict(me, producer, audience)


class Speaking:
    """Looks ten times a second who speaks, while anybody could."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._active = ActiveSpeaker()
        self._next = 0.0

    @property
    def speaker(self) -> str | None:
        """Who speaks."""
        return self._active.speaker

    def _voices(self) -> list[tuple[ProducerId, str]]:
        producers = self._conductor.room.producers
        return [
            (ProducerId(p.producer), p.participant) for p in producers if p.kind == "audio" and not p.muted
        ]

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called, by the steady clock."""
        return self._next if self._voices() or self._active.speaker is not None else None

    def handle_timer(self, now: float) -> None:
        """Look, if it is time."""
        if now < self._next:
            return
        self._next = now + LOOK
        levels: dict[str, int] = {}
        plane = self._conductor.service.plane
        for producer, participant in self._voices():
            level = plane.producer_statistics(producer).audio_level
            levels[participant] = min(level, levels.get(participant, 127))
        if self._active.receive_levels(levels, now):
            speaker = self._active.speaker
            self._conductor.room.spoken(ParticipantId(speaker) if speaker is not None else None)


class Relay:
    """Passes messages of one member's data channels on to the others'."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._bucket = TokenBucket(RELAYED_RATE, RELAYED_BURST, member.conductor.service.now())
        self.dropped = 0

    def receive(self, label: str, data: str | bytes) -> None:
        """Pass a message on to everybody else who has a channel of this label open.

        What is too large, too much, or not permitted is dropped, as on a lossy line: a data channel has no answers.
        """
        member, conductor = self._member, self._member.conductor
        size = len(data.encode()) if isinstance(data, str) else len(data)
        allowed = may(member.role, "message") and size <= RELAYED_LIMIT
        if not allowed or not self._bucket.take(conductor.service.now(), 1 + size // 4096):
            self.dropped += 1
            return
        text: dict[str, object] = {}
        message = veiled = with_author(member.identifier, data)
        if isinstance(data, str):
            text = {"text": data}
            if (hidden := conductor.veiling.words(data)) != data:
                text[VEILED] = hidden
                veiled = with_author(member.identifier, hidden)
        for other in list(conductor.members.values()):
            transport = other.watching.transport if other is not member and other.watching else None
            if transport is not None and transport.channel_open(label):
                transport.send_message(label, veiled if is_veiled(other.role) else message)
        event = {"kind": "message", "label": label, "participant": member.identifier, "bytes": size}
        conductor.write_down(event | text)


def with_author(author: str, data: str | bytes) -> str | bytes:
    """Say from whom a message is: JSON for text; for bytes a length byte and the author before them."""
    if isinstance(data, str):
        return json.dumps({"author": author, "text": data}, ensure_ascii=False, separators=(",", ":"))
    name = author.encode("ascii")
    return bytes([len(name)]) + name + data
