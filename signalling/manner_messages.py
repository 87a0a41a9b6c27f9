"""What a client may say about manners: who comes in, who is heard, who is shown out (PROTOCOL.md, section 9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from .message_fields import bad, flag, producer, text
from .permissions import ROLES, Role
from .sources import SOURCES, Source

REASON_LIMIT: Final = 200
NAME_LIMIT: Final = 64
AUDIENCE_LIMIT: Final = 64


@dataclass(frozen=True, slots=True)
class Hand:
    """Raise or lower a hand: one's own, or (lower only) that of `participant`."""

    id: int
    raised: bool
    participant: str | None


@dataclass(frozen=True, slots=True)
class Admit:
    """Let in who waits at the door, or send away with a reason."""

    id: int
    waiting: str
    admitted: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Lock:
    """Lock the room for newcomers, or open it."""

    id: int
    locked: bool


@dataclass(frozen=True, slots=True)
class Remove:
    """Show a participant out; its link does not open this room again."""

    id: int
    participant: str
    reason: str


@dataclass(frozen=True, slots=True)
class Permit:
    """Say what a participant may send; None: what its role may."""

    id: int
    participant: str
    sources: frozenset[Source] | None


@dataclass(frozen=True, slots=True)
class Restrict:
    """Say who may watch a producer: these roles and these participants; both None: everybody."""

    id: int
    producer: int
    roles: frozenset[Role] | None
    participants: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class PermitDrawing:
    """Say whether a participant may draw; None: if its role may."""

    id: int
    participant: str
    draws: bool | None


MannerRequest = Hand | Admit | Lock | Remove | Permit | PermitDrawing | Restrict


def _names(body: dict[str, Any], field: str, allowed: frozenset[str] | None) -> frozenset[str] | None:
    value = body.get(field)
    if value is None:
        return None
    if type(value) is not list or len(value) > AUDIENCE_LIMIT:
        raise bad(field, f"must be null or a list of at most {AUDIENCE_LIMIT}")
    for item in value:
        if type(item) is not str or len(item) > NAME_LIMIT or (allowed is not None and item not in allowed):
            raise bad(field, "holds what is no name of such a thing")
    return frozenset(value)


def _reason(body: dict[str, Any]) -> str:
    return text(body, "reason", 0, REASON_LIMIT) if "reason" in body else ""


def _hand(identifier: int, body: dict[str, Any]) -> Hand:
    other = text(body, "participant", 1, NAME_LIMIT) if "participant" in body else None
    return Hand(identifier, flag(body, "raised"), other)


def _permit(identifier: int, body: dict[str, Any]) -> Permit | PermitDrawing:
    if "draws" in body:
        if "sources" in body:
            raise bad("draws", "must not stand beside sources: say one after the other")
        draws = None if body["draws"] is None else flag(body, "draws")
        return PermitDrawing(identifier, text(body, "participant", 1, NAME_LIMIT), draws)
    sources = _names(body, "sources", SOURCES)
    who = text(body, "participant", 1, NAME_LIMIT)
    return Permit(identifier, who, cast("frozenset[Source] | None", sources))


def _restrict(identifier: int, body: dict[str, Any]) -> Restrict:
    roles = _names(body, "roles", frozenset(ROLES))
    people = _names(body, "participants", None)
    return Restrict(identifier, producer(body), cast("frozenset[Role] | None", roles), people)


#: The parsers, by type.
MANNERS: Final[dict[str, Callable[[int, dict[str, Any]], MannerRequest]]] = {
    "hand": _hand,
    "admit": lambda identifier, body: Admit(
        identifier, text(body, "waiting", 1, NAME_LIMIT), flag(body, "admitted"), _reason(body)
    ),
    "lock": lambda identifier, body: Lock(identifier, flag(body, "locked")),
    "remove": lambda identifier, body: Remove(
        identifier, text(body, "participant", 1, NAME_LIMIT), _reason(body)
    ),
    "permit": _permit,
    "restrict": _restrict,
}
