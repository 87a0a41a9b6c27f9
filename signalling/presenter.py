"""Who presents: one at a time, handed over by request, released when it goes.

Whoever draws may present. Who may wipe the field may take it from another; the others ask, and are given it. While the
presenter is away (its socket broke) anybody who may present may take over: nobody looks at a picture that nobody leads.
"""

from __future__ import annotations

from typing import Any, Final

from .entities import ParticipantId, RoomError, State
from .manners import Manners
from .permissions import may
from .presenter_messages import Present, Viewport

#: Who asks beside so many others is refused: a room holds no more people.
ASKING_LIMIT: Final = 64


class Presenter:
    """The presenter of one room, and what it shows."""

    def __init__(self, room: Manners) -> None:
        self._room = room
        self.participant: ParticipantId | None = None
        self.asking: list[ParticipantId] = []
        self.viewport: Viewport | None = None

    def carry_out(self, by: ParticipantId, message: Present) -> bool:
        """Do what was asked for; return whether anything that is told has changed. Raise RoomError."""
        # who leads ends it and hands it on also when the pen was taken meanwhile
        if message.action in ("start", "ask") or by not in (self.participant, *self.asking):
            self._room.demand(by, "mark")
        match message.action:
            case "start":
                return self._start(by)
            case "stop":
                return self._stop(by)
            case "ask":
                return self._ask(by)
            case "give":
                return self._give(by, ParticipantId(message.to or ""))

    def show(self, by: ParticipantId, viewport: Viewport) -> bool:
        """Take what the presenter sees; False: it is somebody else's, or older than what is known."""
        if by != self.participant or (self.viewport is not None and viewport.n <= self.viewport.n):
            return False
        self.viewport = viewport
        return True

    def gone(self, identifier: ParticipantId) -> bool:
        """Note that a participant is gone; return whether anything that is told has changed."""
        asked = identifier in self.asking
        if asked:
            self.asking.remove(identifier)
        if identifier == self.participant:
            self._hand_to(None)
            return True
        return asked

    def to_json(self) -> dict[str, Any]:
        """Tell who presents and who asks, as the notice and the welcome say it."""
        return {"participant": self.participant, "asking": list(self.asking)}

    def last(self) -> dict[str, Any]:
        """Tell all that a late comer needs."""
        seen = self.viewport
        return {
            **self.to_json(),
            "viewport": None if seen is None else {"n": seen.n, "sent": seen.sent, "state": seen.state},
        }

    def _start(self, by: ParticipantId) -> bool:
        if self.participant == by:
            return False
        if self.participant is not None and not self._may_take(by):
            raise RoomError("already_presenting", "Somebody else is presenting. Ask to take over.")
        self._hand_to(by)
        return True

    def _stop(self, by: ParticipantId) -> bool:
        if by in self.asking:
            self.asking.remove(by)
            return True
        if self.participant is None:
            raise RoomError("not_presenting", "Nobody is presenting.")
        if self.participant != by and not self._may_take(by):
            raise RoomError(
                "not_presenting", "Somebody else is presenting; only the surgeon or the chair can end it."
            )
        self._hand_to(None)
        return True

    def _ask(self, by: ParticipantId) -> bool:
        if self.participant is None:
            return self._start(by)
        if by == self.participant or by in self.asking:
            return False
        if len(self.asking) >= ASKING_LIMIT:
            raise RoomError("room_full", "Too many are asking already.")
        self.asking.append(by)
        return True

    def _give(self, by: ParticipantId, to: ParticipantId) -> bool:
        if self.participant != by:
            raise RoomError("not_presenting", "You are not presenting, so there is nothing to hand over.")
        other = self._room.participant(to)
        if other is None:
            raise RoomError("not_found", "There is no such participant in this room.")
        if not other.may("mark"):
            raise RoomError("not_permitted", "This participant may not present.")
        if to == by:
            return False
        self._hand_to(to)
        return True

    def _may_take(self, by: ParticipantId) -> bool:
        me = self._room.participant(by)
        presenting = self._room.participant(self.participant) if self.participant is not None else None
        absent = presenting is None or presenting.state is not State.CONNECTED
        return absent or (me is not None and may(me.role, "clear_field"))

    def _hand_to(self, participant: ParticipantId | None) -> None:
        self.participant = participant
        if participant in self.asking:
            self.asking.remove(participant)
        if participant is None:
            self.asking.clear()
        # each presenter counts anew
        self.viewport = None
