"""What a client may say about a recording that is shown in the room (PROTOCOL.md, section 14)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from .message_fields import PRODUCER_LIMIT, bad, number

Action = Literal["open", "play", "pause", "seek", "speed", "close"]
ACTIONS: Final = ("open", "play", "pause", "seek", "speed", "close")

#: As many tracks as one participant may send.
PRODUCERS_LIMIT: Final = 16
#: Seconds: a week.
POSITION_LIMIT: Final = 604_800.0
SPEEDS: Final = (0.25, 4.0)

_RECORDING = re.compile(r"[0-9A-Za-z_.-]{1,128}")


@dataclass(frozen=True, slots=True)
class ShowRecording:
    """Show a recording to all, or say how it goes on.

    `recording` and `producers` (empty: what is usual) are of `open`, `position` of `open` and `seek`, `speed` of
    `speed`.
    """

    id: int
    action: Action
    recording: str = ""
    producers: tuple[int, ...] = ()
    position: float = 0.0
    speed: float = 1.0


def _theatre(identifier: int, body: dict[str, Any]) -> ShowRecording:
    action = body.get("action")
    if type(action) is not str or action not in ACTIONS:
        raise bad("action", f"must be one of {', '.join(ACTIONS)}")
    known = cast(Action, action)
    match known:
        case "open":
            recording = body.get("recording")
            if type(recording) is not str or _RECORDING.fullmatch(recording) is None:
                raise bad("recording", "must be the name of a recording")
            position = _position(body) if "position" in body else 0.0
            return ShowRecording(identifier, known, recording, _producers(body), position)
        case "seek":
            return ShowRecording(identifier, known, position=_position(body))
        case "speed":
            return ShowRecording(identifier, known, speed=number(body, "speed", *SPEEDS))
    return ShowRecording(identifier, known)


def _position(body: dict[str, Any]) -> float:
    return number(body, "position", 0.0, POSITION_LIMIT)


def _producers(body: dict[str, Any]) -> tuple[int, ...]:
    value = body.get("producers", [])
    if type(value) is not list or len(value) > PRODUCERS_LIMIT:
        raise bad("producers", f"must be a list of at most {PRODUCERS_LIMIT}")
    if any(type(one) is not int or not 1 <= one <= PRODUCER_LIMIT for one in value):
        raise bad("producers", "must hold the numbers of producers")
    if len(set(value)) != len(value):
        raise bad("producers", "names a producer twice")
    return tuple(value)


#: The parsers, by type.
THEATRE: Final[dict[str, Callable[[int, dict[str, Any]], ShowRecording]]] = {"theatre": _theatre}
