"""What a client may say: every request of PROTOCOL.md as a frozen dataclass, and the parser.

The parser is the border: behind it every field has its type and lies within its limits. It is written by
hand, a function a message, because pointers and strokes arrive a thousand times a second. What stands
inside a mark's operation, a pointer or a stroke is annotation's to judge: here it is passed on as it came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from .guidance_messages import GUIDANCE, GuidanceRequest
from .manner_messages import MANNERS, MannerRequest
from .message_fields import INTEGER_LIMIT, TIME_LIMIT, bad, flag, integer, number, producer, sdp, text
from .message_frame import MessageError, load_object
from .patient_messages import PATIENT, ChoosePatient
from .presenter_messages import PRESENTER, Present, Viewport, parse_viewport
from .sources import SOURCES, Source
from .theatre_messages import THEATRE, ShowRecording

#: The version of the protocol that `hello` names.
VERSION = 1

SOURCES_LIMIT = 16
ENCODINGS_LIMIT = 4
#: No screen has more on a side.
PIXELS_LIMIT = 32_768
TOKEN_LIMIT = 4096
SESSION_LIMIT = 128
LABEL_LIMIT = 80

Action = Literal["start", "stop"]


@dataclass(frozen=True, slots=True)
class Hello:
    """Ask to join, or to resume `session` with all marks after `marks_after`."""

    id: int
    version: int
    token: str
    session: str | None
    marks_after: int


@dataclass(frozen=True, slots=True)
class PublishedSource:
    """Say what the media section `mid` of an offer shows; `heights` of its encodings in pixels, the lowest first."""

    mid: str
    source: Source
    label: str
    heights: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Publish:
    """Offer what the client sends."""

    id: int
    sdp: str
    sources: tuple[PublishedSource, ...]


@dataclass(frozen=True, slots=True)
class Mute:
    """Mute or unmute a producer for everybody."""

    id: int
    producer: int
    muted: bool


@dataclass(frozen=True, slots=True)
class Unpublish:
    """Stop sending a producer."""

    id: int
    producer: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the server's offer of this revision."""

    id: int
    revision: int
    sdp: str


@dataclass(frozen=True, slots=True)
class Rewatch:
    """Ask for a new receiving connection."""

    id: int


@dataclass(frozen=True, slots=True)
class RestartIce:
    """Ask for an offer with new ICE credentials for the same receiving connection."""

    id: int


@dataclass(frozen=True, slots=True)
class IceServers:
    """Ask for new TURN credentials before the old ones end."""

    id: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop or resume what this client is sent of a producer."""

    id: int
    producer: int
    paused: bool


@dataclass(frozen=True, slots=True)
class View:
    """Say how large, in pixels of its screen, this client shows a producer; 0 and 0: not at all."""

    id: int
    producer: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Compare clocks: `time` is the client's own, in ms, returned untouched."""

    id: int
    time: float


@dataclass(frozen=True, slots=True)
class Barcode:
    """Tell when the frames of a picture with a barcode are sent; `time` in Unix ms by the server's clock."""

    id: int
    producer: int
    frame: int
    time: float
    interval_ms: float
    modulus: int


@dataclass(frozen=True, slots=True)
class MarkRequest:
    """Ask for a durable operation; `operation` is for `annotation.operations.parse_operation`."""

    id: int
    operation: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MarksRequest:
    """Ask for all operations after a sequence number."""

    id: int
    after: int


@dataclass(frozen=True, slots=True)
class Record:
    """Start or stop the recording."""

    id: int
    action: Action


@dataclass(frozen=True, slots=True)
class Leave:
    """Say goodbye: the place is not kept."""

    id: int


@dataclass(frozen=True, slots=True)
class Ephemeral:
    """A pointer or a stroke; `body` is for `annotation.ephemeral.parse_ephemeral`. It has no answer."""

    body: dict[str, Any]


#: What is answered.
Request = (
    Hello
    | Publish
    | Mute
    | Unpublish
    | Answer
    | Rewatch
    | RestartIce
    | IceServers
    | Pause
    | View
    | Ping
    | Barcode
    | MarkRequest
    | MarksRequest
    | Record
    | Leave
    | MannerRequest
    | GuidanceRequest
    | Present
    | ChoosePatient
    | ShowRecording
)

ClientMessage = Request | Ephemeral | Viewport


def parse_message(text: str | bytes) -> ClientMessage:
    """Parse one text frame (or one message of the ephemeral data channel). Raise MessageError, nothing else."""
    body = load_object(text)
    kind = body.get("type")
    if kind == "pointer" or kind == "stroke":  # noqa: PLR1714 the hot path: no set, no tuple
        return Ephemeral(body)
    if kind == "viewport":
        return parse_viewport(body)
    identifier = body.get("id")
    readable = type(identifier) is int and 1 <= identifier <= INTEGER_LIMIT
    try:
        parser = _PARSERS.get(kind) if isinstance(kind, str) else None
        if parser is None:
            raise MessageError("unknown_type", "The field type names no message that a client may send.")
        if not readable:
            raise bad("id", f"must be an integer from 1 to {INTEGER_LIMIT}")
        return parser(cast(int, identifier), body)
    except MessageError as error:
        error.id = cast(int, identifier) if readable else None
        raise


# messages


def _hello(identifier: int, body: dict[str, Any]) -> Hello:
    session = body.get("session")
    return Hello(
        identifier,
        integer(body, "version", 1, 1_000_000),
        text(body, "token", 1, TOKEN_LIMIT),
        None if session is None else text(body, "session", 1, SESSION_LIMIT),
        integer(body, "marks_after", 0, INTEGER_LIMIT) if "marks_after" in body else 0,
    )


def _publish(identifier: int, body: dict[str, Any]) -> Publish:
    description = sdp(body)
    sources = body.get("sources")
    if type(sources) is not list or len(sources) > SOURCES_LIMIT:
        raise bad("sources", f"must be a list of at most {SOURCES_LIMIT}")
    parsed = tuple(_source(item) for item in sources)
    if len({source.mid for source in parsed}) != len(parsed):
        raise bad("sources", "names a mid twice")
    return Publish(identifier, description, parsed)


def _source(item: object) -> PublishedSource:
    if type(item) is not dict:
        raise bad("sources", "must hold objects")
    source = item.get("source")
    if type(source) is not str or source not in SOURCES:
        raise bad("source", f"must be one of {', '.join(sorted(SOURCES))}")
    return PublishedSource(
        text(item, "mid", 1, 16),
        cast(Source, source),
        text(item, "label", 0, LABEL_LIMIT) if "label" in item else "",
        _heights(item["heights"]) if "heights" in item else (),
    )


def _heights(heights: object) -> tuple[int, ...]:
    fits = type(heights) is list and len(heights) <= ENCODINGS_LIMIT
    if fits and all(
        type(height) is int and 1 <= height <= PIXELS_LIMIT for height in cast(list[Any], heights)
    ):
        return tuple(cast(list[int], heights))
    raise bad("heights", f"must be at most {ENCODINGS_LIMIT} integers from 1 to {PIXELS_LIMIT}")


def _barcode(identifier: int, body: dict[str, Any]) -> Barcode:
    return Barcode(
        identifier,
        producer(body),
        integer(body, "frame", 0, 65_535),
        number(body, "time", 0, TIME_LIMIT),
        number(body, "interval_ms", 1, 60_000),
        integer(body, "modulus", 1, 65_536),
    )


def _mark(identifier: int, body: dict[str, Any]) -> MarkRequest:
    operation = body.get("operation")
    if type(operation) is not dict:
        raise bad("operation", "must be an object")
    return MarkRequest(identifier, operation)


def _record(identifier: int, body: dict[str, Any]) -> Record:
    action = body.get("action")
    if action != "start" and action != "stop":  # noqa: PLR1714 mypy narrows this form
        raise bad("action", "must be start or stop")
    return Record(identifier, cast(Action, action))


_PARSERS: dict[str, Callable[[int, dict[str, Any]], ClientMessage]] = {
    "hello": _hello,
    "publish": _publish,
    "mute": lambda identifier, body: Mute(identifier, producer(body), flag(body, "muted")),
    "unpublish": lambda identifier, body: Unpublish(identifier, producer(body)),
    "answer": lambda identifier, body: Answer(
        identifier, integer(body, "revision", 1, INTEGER_LIMIT), sdp(body)
    ),
    "rewatch": lambda identifier, _: Rewatch(identifier),
    "restart_ice": lambda identifier, _: RestartIce(identifier),
    "ice_servers": lambda identifier, _: IceServers(identifier),
    "pause": lambda identifier, body: Pause(identifier, producer(body), flag(body, "paused")),
    "view": lambda identifier, body: View(
        identifier,
        producer(body),
        integer(body, "width", 0, PIXELS_LIMIT),
        integer(body, "height", 0, PIXELS_LIMIT),
    ),
    "ping": lambda identifier, body: Ping(identifier, number(body, "time", -TIME_LIMIT, TIME_LIMIT)),
    "barcode": _barcode,
    "mark": _mark,
    "marks": lambda identifier, body: MarksRequest(identifier, integer(body, "after", 0, INTEGER_LIMIT)),
    "record": _record,
    "leave": lambda identifier, _: Leave(identifier),
    **MANNERS,
    **GUIDANCE,
    **PRESENTER,
    **PATIENT,
    **THEATRE,
}
