"""What surgeon and chair say about the glass: who may draw, and which way round a picture is.

As with the other manners it holds for the link as long as the room lasts: who comes back by it, or sends the same anew
over another connection, is not rid of it.
"""

from __future__ import annotations

from dataclasses import replace

from .colours import NEUTRAL, choose
from .entities import Participant, ParticipantId, Producer, RoomError
from .manners import Manners, lasting
from .orientation import Orientation
from .permissions import may
from .sources import Source


class Guidance(Manners):
    """Manners, and what is decided about drawing and about pictures."""

    def __init__(self) -> None:
        super().__init__()
        self._draws: dict[str, bool] = {}
        self._orientations: dict[tuple[str, Source], Orientation] = {}

    def permit_drawing(self, by: ParticipantId, identifier: ParticipantId, draws: bool | None) -> None:
        """Give somebody the pen, or take it; None: as its role has it.

        Nobody takes it from those who give it. What was drawn stays. Raise RoomError not_found or not_permitted.
        """
        self.demand(by, "guide")
        participant = self._present(identifier)
        if draws is not None and may(participant.role, "guide"):
            raise RoomError("not_permitted", "Surgeon and chair always may draw.")
        if participant.draws == draws:
            return
        participant = replace(participant, draws=draws)
        if participant.may("mark") and participant.colour == NEUTRAL:
            # marks are told apart by their colours, which who only looked on had none of
            others = [p.colour for p in self.participants]
            participant = replace(participant, colour=choose(others))
        self._become(participant)
        if draws is None:
            self._draws.pop(lasting(participant), None)
        else:
            self._draws[lasting(participant)] = draws
        self._happened("permit_drawing", participant=identifier, draws=draws, by=by)

    def orient(self, by: ParticipantId, identifier: int, orientation: Orientation | None) -> Producer:
        """Say which way round a picture is: its owner, surgeon and chair. Raise RoomError not_found, not_permitted."""
        producer = self.producer(identifier)
        if producer.kind != "video":
            raise RoomError("not_found", "There is no such picture in this room.")
        if producer.participant != by:
            self.demand(by, "guide")
        if producer.orientation == orientation:
            return producer
        kept = lasting(self._present(producer.participant)), producer.source
        if orientation is None:
            self._orientations.pop(kept, None)
        else:
            self._orientations[kept] = orientation
        body = None if orientation is None else orientation.to_json()
        self._happened("orient", producer=identifier, orientation=body, by=by)
        return self._change(replace(producer, orientation=orientation))

    def _with_pen(self, newcomer: Participant) -> Participant:
        """Give a newcomer what was decided about its link's drawing."""
        draws = self._draws.get(newcomer.link) if newcomer.link else None
        if draws is None:
            return newcomer
        colour = newcomer.colour
        if draws and colour == NEUTRAL:
            colour = choose(p.colour for p in self.participants)
        return replace(newcomer, draws=draws, colour=colour)

    def _oriented(self, producer: Producer, owner: Participant) -> Producer:
        """Give a new picture the orientation that its owner's last one of this source had."""
        known = self._orientations.get((lasting(owner), producer.source))
        return producer if known is None or producer.kind != "video" else replace(producer, orientation=known)
