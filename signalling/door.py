"""The door of a room: who waits to be let in, and whether it is locked. Waiting is not yet being in the room.

    (knocks) ──▶ waiting ──admitted──▶ (joins)
                    ├──refused──▶ (sent away, with a reason)
                    └──withdrawn──▶ (went away by itself)

`Door` never sees a socket. It names who waits by what the shell drew at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from .entities import RoomError
from .notices import milliseconds
from .permissions import Role, may

#: Most who may wait at once.
QUEUE: Final = 32


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who waits, since when (Unix seconds)."""

    waiting: str
    name: str
    role: Role
    since: float

    def to_json(self) -> dict[str, Any]:
        """Describe for those who may let in."""
        return {
            "waiting": self.waiting,
            "name": self.name,
            "role": self.role,
            "since": milliseconds(self.since),
        }


class Door:
    """Who waits before one room."""

    def __init__(self, *, guarded: bool = False) -> None:
        """`guarded`: whoever may not open it himself waits, unless his link says otherwise."""
        self._guarded = guarded
        self._waiting: dict[str, Waiting] = {}
        self.locked = False

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """All who wait, the first first."""
        return tuple(self._waiting.values())

    def must_wait(self, role: Role, by_link: bool | None) -> bool:
        """Tell whether a newcomer waits; `by_link` is what the link says of it, None: nothing."""
        if may(role, "admit"):
            return False
        return self._guarded if by_link is None else by_link

    def check(self, role: Role) -> None:
        """Raise RoomError room_locked if the room takes no newcomers of this role."""
        if self.locked and not may(role, "admit"):
            raise RoomError("room_locked", "This room is locked. Please ask to be let in later.")

    def knock(self, waiting: str, name: str, role: Role, now: float) -> Waiting:
        """Begin to wait. Raise RoomError room_full when too many do, room_locked when it is in vain."""
        self.check(role)
        if waiting in self._waiting:
            raise ValueError("Who waits is named anew each time.")
        if len(self._waiting) >= QUEUE:
            raise RoomError("room_full", "Too many people wait for this room. Please try again later.")
        entry = self._waiting[waiting] = Waiting(waiting, name, role, now)
        return entry

    def take(self, waiting: str) -> Waiting:
        """Take one out of the queue, to be let in or sent away. Raise RoomError not_found."""
        entry = self._waiting.pop(waiting, None)
        if entry is None:
            raise RoomError("not_found", "Nobody of this name waits.")
        return entry

    def withdraw(self, waiting: str) -> bool:
        """Note that one went away; False if it did not wait any more."""
        return self._waiting.pop(waiting, None) is not None

    def place(self, waiting: str) -> int:
        """Tell how many are before one, counted from 1; 0 if it does not wait."""
        return next((i for i, entry in enumerate(self._waiting, 1) if entry == waiting), 0)
