"""What a client may say about the glass: freeze a frame, say which way round a picture is (PROTOCOL.md, section 10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from .message_fields import PRODUCER_LIMIT, bad, flag, integer, producer, text
from .orientation import Orientation

LABEL_LIMIT: Final = 80
#: RTP timestamps have 32 bits, as have the numbers of producers.
TIMESTAMP_LIMIT: Final = PRODUCER_LIMIT


@dataclass(frozen=True, slots=True)
class Freeze:
    """Keep exactly this frame as an image, for oneself or for all."""

    id: int
    producer: int
    rtp_timestamp: int
    for_all: bool
    label: str


@dataclass(frozen=True, slots=True)
class Orient:
    """Say which way round a picture is; None: nobody knows."""

    id: int
    producer: int
    orientation: Orientation | None


GuidanceRequest = Freeze | Orient


def _freeze(identifier: int, body: dict[str, Any]) -> Freeze:
    return Freeze(
        identifier,
        producer(body),
        integer(body, "rtp_timestamp", 0, TIMESTAMP_LIMIT),
        flag(body, "for_all"),
        text(body, "label", 0, LABEL_LIMIT) if "label" in body else "",
    )


def _orient(identifier: int, body: dict[str, Any]) -> Orient:
    value = body.get("orientation")
    if value is None:
        return Orient(identifier, producer(body), None)
    if type(value) is not dict:
        raise bad("orientation", "must be null or an object")
    letters = []
    for field in ("row", "column"):
        letter = value.get(field)
        if letter is not None and type(letter) is not str:
            raise bad(field, "must be null or a letter")
        letters.append(letter)
    mirrored = flag(value, "mirrored")
    try:
        return Orient(identifier, producer(body), Orientation(letters[0], letters[1], mirrored))
    except ValueError as error:
        raise bad("orientation", str(error)) from None


#: The parsers, by type.
GUIDANCE: Final[dict[str, Callable[[int, dict[str, Any]], GuidanceRequest]]] = {
    "freeze": _freeze,
    "orient": _orient,
}
