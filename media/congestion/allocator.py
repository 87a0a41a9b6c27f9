"""Who is sent what of a line's rate: clinical priority, as a pure function.

First sound, then the operating field, then the presenter's second source and screens, faces last; marks travel in the
data channel, whose few kilobits are left free before anything else. Within a class whoever stands first in the list
is served first: each gets its least before any gets more. A class gets what those before it left: no face is worth a
step of the field. What is given up first is resolution, then frame rate; delay is never added, since a picture that
comes late harms more than one that is less sharp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache

from ..ids import ProducerId

#: Left free for marks, pointers and control, bit/s.
RESERVED = 50_000
#: A step up must fit with this much to spare, so that it is not taken back at once.
MARGIN = 1.15


class Priority(IntEnum):
    """The order in which a line's rate is given out."""

    AUDIO = 0
    FIELD = 1
    SECOND = 2
    FACE = 3


#: By the source that a publisher names.
PRIORITIES: dict[str, Priority] = {
    "microphone": Priority.AUDIO,
    "field": Priority.FIELD,
    "second": Priority.SECOND,
    "screen": Priority.SECOND,
    "camera": Priority.FACE,
}


#: A tenth less than the tile has is not seen, and a step more costs four times as much.
COVERED = 0.9


class Reason(StrEnum):
    """Why somebody is sent less than the best there is."""

    NONE = "none"
    SIZE = "size"  # the tile is small: nothing is missing on it
    HIDDEN = "hidden"  # nobody looks at it
    LINE = "line"  # the receiver's line carries no more
    PUBLISHER = "publisher"  # the publisher sends no more, though it is wanted: its line or its machine


@dataclass(frozen=True, slots=True)
class Offer:
    """One quality that can be sent: bit/s, picture height, frames a second. `key` is the caller's."""

    key: int
    rate: int
    height: int = 0
    fps: float = 0.0


@dataclass(frozen=True, slots=True)
class Demand:
    """What a receiver would be sent. `height` is its tile's in pixels: 0 hidden, None not known (the best).

    `current` is the key of the offer that it is sent now, None if it is sent nothing. `held` are those that are not to
    be tried just now (`patience.py`).
    """

    producer: ProducerId
    priority: Priority
    offers: tuple[Offer, ...]
    height: int | None = None
    current: int | None = None
    held: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a receiver is sent: the key of an offer, None: nothing. `wished` is what an unlimited line would get."""

    producer: ProducerId
    key: int | None
    reason: Reason
    wished: int | None


@lru_cache(maxsize=1024)
def degradations(offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
    """Order offers from the least to the best by what is given up first: resolution, then frame rate.

    What costs more without being better is left out. Remembered: everybody is offered the same of a producer.
    """
    best_fps = max((offer.fps for offer in offers), default=0.0)
    full = sorted((o for o in offers if o.fps >= 0.9 * best_fps), key=lambda o: (o.height, o.rate))
    path = [offer for i, offer in enumerate(full) if all(offer.rate < later.rate for later in full[i + 1 :])]
    lowest = path[0] if path else None
    slower = sorted((o for o in offers if o.fps < 0.9 * best_fps), key=lambda o: o.rate)
    cheaper = [o for o in slower if lowest is None or (o.rate < lowest.rate and o.height <= lowest.height)]
    return (*cheaper, *path)


def wished(demand: Demand) -> tuple[Offer, ...]:
    """Return the degradations up to the one that covers the tile; none for a hidden one."""
    path = degradations(demand.offers)
    if demand.priority is Priority.AUDIO or demand.height is None:
        return path
    if demand.height == 0 or not path:
        return ()
    full_rate = 0.9 * max(offer.fps for offer in path)
    for i, offer in enumerate(path):
        if offer.fps >= full_rate and offer.height >= COVERED * demand.height:
            return path[: i + 1]
    return path


def allocate(budget: int | None, demands: Sequence[Demand]) -> list[Allocation]:
    """Give out `budget` bit/s (None: no limit is known) and say of each demand what it gets and why."""
    paths = [wished(demand) for demand in demands]
    levels = [-1] * len(demands)
    left = float("inf") if budget is None else float(budget - RESERVED)
    for priority in Priority:
        members = [i for i, demand in enumerate(demands) if demand.priority is priority]
        raised = True
        while raised:
            raised = False
            # one step each in a turn: everybody's next before anybody's one after that
            for i in members:
                step = levels[i] + 1
                if step == len(paths[i]) or (budget is not None and paths[i][step].key in demands[i].held):
                    continue
                more = paths[i][step].rate - (paths[i][step - 1].rate if step else 0)
                if priority is Priority.AUDIO or more * _margin(demands[i], paths[i], step) <= left:
                    left -= more
                    levels[i], raised = step, True
    return [_result(demand, path, level) for demand, path, level in zip(demands, paths, levels, strict=True)]


def _margin(demand: Demand, path: Sequence[Offer], step: int) -> float:
    """What is sent already stays as long as it fits; what is new must fit with something to spare."""
    return 1.0 if any(offer.key == demand.current for offer in path[step:]) else MARGIN


def _result(demand: Demand, path: Sequence[Offer], level: int) -> Allocation:
    wish = path[-1].key if path else None
    key = path[level].key if level >= 0 else None
    if key != wish:
        reason = Reason.LINE
    elif demand.height == 0 and demand.priority is not Priority.AUDIO:
        reason = Reason.HIDDEN
    elif path and path[-1] is not degradations(demand.offers)[-1]:
        reason = Reason.SIZE
    else:
        reason = Reason.NONE
    return Allocation(demand.producer, key, reason, wish)
