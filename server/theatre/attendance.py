"""Hours in the theatre: what was shown to the room while somebody was in it counts as watched, as on his own page.

Here it is the server that says so: it plays, and it knows whose connection stands. Whether he looked it cannot see.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from annotation.values import AnnotationError

from ..database import DatabaseError
from ..keeping.audit import Doer, doer_in
from ..training import people, watched
from ..training.watched import Played

if TYPE_CHECKING:
    from collections.abc import Mapping

    from signalling.entities import ParticipantId

    from ..conductor import Conductor
    from .showing import Showing

log = logging.getLogger(__name__)

#: Seconds between two looks at who is there.
LOOK: Final = 15.0
#: What is shorter was passed by, seconds of the recording.
SHORTEST: Final = 0.05


@dataclass(slots=True)
class Attendance:
    """Who is in the room while a recording plays. No clock; `now` and `at` are Unix seconds that never step."""

    _present: dict[ParticipantId, Doer] = field(default_factory=dict)
    _playing: bool = False
    _position: float = 0.0
    _at: float = 0.0
    _speed: float = 1.0
    _since: float = 0.0

    def look(
        self, present: Mapping[ParticipantId, Doer], now: float, leaving: ParticipantId | None = None
    ) -> tuple[Played | None, list[Doer]]:
        """Tell what was played since the last look, and who was there at both; `leaving` was there until now."""
        now = max(now, self._since)
        begins, ends = self._position_at(self._since), self._position_at(now)
        there = [who for one, who in self._present.items() if one in present or one == leaving]
        played = Played(begins, ends, self._speed) if self._playing and ends - begins >= SHORTEST else None
        self._present, self._since = dict(present), now
        return played, there

    def stand(self, *, playing: bool, position: float, at: float, speed: float) -> None:
        """Take how it stands from now on, once the look before has been taken."""
        self._playing, self._position, self._at, self._speed = playing, position, at, speed

    def _position_at(self, now: float) -> float:
        return self._position + max(0.0, now - self._at) * self._speed


class Counting:
    """Counts one showing's hours into its watchers' accounts."""

    def __init__(self, conductor: Conductor, showing: Showing) -> None:
        self._conductor = conductor
        self._showing = showing
        self._attendance = Attendance()
        self._standing: dict[str, Any] = {}
        self._timer: asyncio.TimerHandle | None = None

    def look(self, leaving: ParticipantId | None = None) -> None:
        """Count until now; to be called when somebody comes or goes, and when it stands otherwise."""
        conductor, standing = self._conductor, self._showing.standing
        now = conductor.service.now()
        if standing is not self._standing and "at" in standing:
            # it stands otherwise since then, and not since that was heard of
            now = min(now, standing["at"])
        self._standing = standing
        played, there = self._attendance.look(self._present(), now, leaving)
        if played is not None and there:
            conductor.service.keep(self._write(played, there))
        playing = standing["state"] == "playing"
        if "at" in standing:
            position, at, speed = standing["position"], standing["at"], standing["speed"]
            self._attendance.stand(playing=playing, position=position, at=at, speed=speed)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(LOOK, self.look) if playing else None

    def close(self) -> None:
        """Count what is left."""
        self.look()
        if self._timer is not None:
            self._timer.cancel()

    def _present(self) -> dict[ParticipantId, Doer]:
        room, roles = self._conductor.room, self._showing.roles
        return {
            member.identifier: doer_in(room.name, participant)
            for member in self._conductor.members.values()
            if member.socket is not None
            and member.watching is not None
            and member.role in roles
            and (participant := room.participant(member.identifier)) is not None
        }

    async def _write(self, played: Played, there: list[Doer]) -> None:
        service, showing = self._conductor.service, self._showing
        now = service.wall_clock()

        def write(connection: sqlite3.Connection) -> None:
            for who in there:
                identifier = people.noted(connection, who.room, who.person, who.name, who.role, now)
                try:
                    watched.report(connection, identifier, showing.recording, showing.seconds, [played], now)
                except AnnotationError:
                    continue  # he watched something else meanwhile: one account of time a person

        try:
            await service.database.run(write)
        except (DatabaseError, sqlite3.Error) as error:
            log.error("hours in a room could not be counted: %s", type(error).__name__)
