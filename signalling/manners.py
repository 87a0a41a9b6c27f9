"""Manners: who is heard, who may send and watch what, who has the floor next. `Room` is this and coming and going.

Each call checks the permission of who asks, changes one thing, and says in events who is told what, what is to be
done to the streams, and what is written down. What cannot be done is a RoomError; nothing has changed then.

What was decided about somebody's sending, and about who may watch it, holds for the link as long as the room lasts: who
comes back by it, or sends the same anew over another connection, is not rid of it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

from . import notices
from .entities import (
    Audience,
    AudienceChanged,
    Happened,
    Notice,
    Participant,
    ParticipantId,
    Producer,
    ProducerForbidden,
    ProducerMuted,
    RoomError,
    RoomEvent,
)
from .notices import ServerMessage
from .permissions import Permission, may, refusal
from .sources import Source


class Manners:
    """Participants and what they send, and what is agreed about them."""

    def __init__(self) -> None:
        self._participants: dict[ParticipantId, Participant] = {}
        self._producers: dict[int, Producer] = {}
        self._events: deque[RoomEvent] = deque()
        self._hands = 0
        #: what was permitted to whoever comes by a link, and who may watch which source of it
        self._permits: dict[str, frozenset[Source]] = {}
        self._audiences: dict[tuple[str, Source], Audience] = {}

    @property
    def participants(self) -> tuple[Participant, ...]:
        """All who are connected or away, in the order of their coming."""
        return tuple(self._participants.values())

    @property
    def producers(self) -> tuple[Producer, ...]:
        """All that is sent, in the order of its coming."""
        return tuple(self._producers.values())

    def participant(self, identifier: ParticipantId) -> Participant | None:
        """Look a participant up; None if it is gone."""
        return self._participants.get(identifier)

    def producer(self, identifier: int) -> Producer:
        """Look a producer up. Raise RoomError not_found."""
        found = self._producers.get(identifier)
        if found is None:
            raise RoomError("not_found", "There is no such producer in this room.")
        return found

    def demand(self, identifier: ParticipantId, permission: Permission) -> None:
        """Raise RoomError not_permitted, in a sentence, unless the participant has the permission."""
        participant = self._present(identifier)
        if participant.may(permission):
            return
        if may(participant.role, permission):
            raise RoomError(
                "not_permitted", "You may not draw just now: the surgeon or the chair took the pen."
            )
        raise RoomError("not_permitted", refusal(participant.role, permission))

    # being heard and seen

    def mute(self, by: ParticipantId, identifier: int, *, muted: bool) -> Producer:
        """Mute or unmute: one's own as one likes; who moderates may mute others, but never unmute them.

        What is muted is passed on to nobody, whatever its owner's page sends.
        Raise RoomError not_found or not_permitted.
        """
        role = self._present(by).role
        producer = self.producer(identifier)
        if producer.participant != by:
            if not may(role, "moderate"):
                raise RoomError("not_permitted", refusal(role, "moderate"))
            if not muted:
                raise RoomError("not_permitted", "Nobody may unmute somebody else.")
        muted_by = by if muted and producer.participant != by else None
        if producer.muted != muted:
            producer = self._change(replace(producer, muted=muted, muted_by=muted_by))
            self._events.append(ProducerMuted(identifier, muted))
            self._happened("mute", producer=identifier, muted=muted, by=by)
        return producer

    def permit(self, by: ParticipantId, identifier: ParticipantId, sources: frozenset[Source] | None) -> None:
        """Say what a participant may send, None: what its role may. What it may not any more ends.

        The operating field is the surgeon's: nobody else can be permitted to show one, since marks mean it. Raise
        RoomError not_found or not_permitted.
        """
        self.demand(by, "moderate")
        participant = self._present(identifier)
        if sources is not None and "field" in sources and not may(participant.role, "publish_field"):
            raise RoomError("not_permitted", "Only the surgeon may show the operating field.")
        if participant.sources == sources:
            return
        participant = self._become(replace(participant, sources=sources))
        if sources is None:
            self._permits.pop(lasting(participant), None)
        else:
            self._permits[lasting(participant)] = sources
        names = None if sources is None else sorted(sources)
        self._happened("permit", participant=identifier, sources=names, by=by)
        for producer in self.producers:
            if producer.participant == identifier and not participant.may_send(producer.source):
                self._events.append(ProducerForbidden(producer.producer))

    def demand_source(self, identifier: ParticipantId, source: Source) -> None:
        """Raise RoomError not_permitted, in a sentence, unless the participant may send this."""
        participant = self._present(identifier)
        if participant.may_send(source):
            return
        if participant.sources is None:
            raise RoomError(
                "not_permitted",
                refusal(participant.role, "publish_field" if source == "field" else "publish"),
            )
        raise RoomError("not_permitted", f"You may not send this just now: {source}.")

    def restrict(self, by: ParticipantId, identifier: int, audience: Audience | None) -> Producer:
        """Say who may watch a producer, None: everybody. Its owner may, and who moderates.

        Raise RoomError not_found or not_permitted.
        """
        producer = self.producer(identifier)
        if producer.participant != by:
            self.demand(by, "moderate")
        if producer.audience != audience:
            kept = lasting(self._present(producer.participant)), producer.source
            if audience is None:
                self._audiences.pop(kept, None)
            else:
                self._audiences[kept] = audience
            producer = self._change(replace(producer, audience=audience))
            self._events.append(AudienceChanged())
            self._happened("restrict", producer=identifier, audience=audience and audience.to_json(), by=by)
        return producer

    def audience_of(self, identifier: ParticipantId) -> list[int]:
        """List what a participant may watch of the others', in the order of its coming."""
        watcher = self._participants.get(identifier)
        return [
            p.producer
            for p in self._producers.values()
            if watcher is not None and p.participant != identifier and p.may_be_watched(watcher)
        ]

    def _restricted(self, producer: Producer, owner: Participant) -> Producer:
        """Give a new producer the audience that its owner's last one of this source had."""
        audience = self._audiences.get((lasting(owner), producer.source), producer.audience)
        return producer if audience == producer.audience else replace(producer, audience=audience)

    # the floor

    def hand(self, by: ParticipantId, identifier: ParticipantId, *, raised: bool) -> None:
        """Raise or lower a hand: one's own; who moderates may lower another's.

        Who raised it first has the least number. Raise RoomError not_found or not_permitted.
        """
        participant = self._present(identifier)
        if by != identifier:
            self.demand(by, "moderate")
            if raised:
                raise RoomError("not_permitted", "Nobody raises somebody else's hand.")
        elif raised:
            self.demand(by, "raise_hand")
        if (participant.hand > 0) == raised:
            return
        self._hands += raised
        self._become(replace(participant, hand=self._hands if raised else 0))
        self._happened("hand", participant=identifier, raised=raised, by=by)

    def spoken(self, identifier: ParticipantId | None) -> None:
        """Tell everybody who speaks; None: nobody does."""
        self._tell(notices.speaker(identifier))
        self._happened("speaker", participant=identifier)

    # events

    def next_event(self) -> RoomEvent | None:
        """Take the next thing to do, in order; None: nothing."""
        return self._events.popleft() if self._events else None

    # the engine

    def _present(self, identifier: ParticipantId) -> Participant:
        participant = self._participants.get(identifier)
        if participant is None:
            raise RoomError("not_found", "There is no such participant in this room.")
        return participant

    def _become(self, participant: Participant) -> Participant:
        before = self._participants[participant.participant]
        self._participants[participant.participant] = participant
        # what was permitted may be just what the role may: then nobody sees a difference
        if before.to_json() != participant.to_json():
            self._tell(notices.participant(participant.to_json()))
        return participant

    def _change(self, producer: Producer) -> Producer:
        self._producers[producer.producer] = producer
        self._tell(notices.producer(producer.to_json()))
        return producer

    def _happened(self, kind: str, **fields: Any) -> None:
        self._events.append(Happened({"kind": kind, **fields}))

    def _tell(self, message: ServerMessage, but: ParticipantId | None = None) -> None:
        self._events.append(Notice(message, but=but))


def lasting(participant: Participant) -> str:
    """Name a participant beyond its leaving: by its link, where it has one."""
    return participant.link or participant.participant
