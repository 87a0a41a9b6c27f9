"""What a client may say: every request of PROTOCOL.md as a frozen dataclass, and the parser.

The parser is the border: behind it every field has its type and lies within its limits. It is written by
hand, a function a message, because pointers and strokes arrive a thousand times a second. What stands
inside a mark's operation, a pointer or a stroke is annotation's to judge: here it is passed on as it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from .text import check_text

#: The version of the protocol that `hello` names.
VERSION = 1

#: Bytes of a client's message. A mark of 2,000 points takes about 90,000, an SDP of 32 sections 100,000.
MESSAGE_LIMIT = 262_144
SDP_LIMIT = 131_072
#: The deepest message that we define (an operation's points) has 5 levels.
NESTING_LIMIT = 8
#: What JavaScript counts exactly.
INTEGER_LIMIT = 2**53
#: Identifiers of the media plane travel in 32 bits (the tap of `media/plane.py`).
PRODUCER_LIMIT = 2**32 - 1
SOURCES_LIMIT = 16
ENCODINGS_LIMIT = 4
#: No screen has more on a side.
PIXELS_LIMIT = 32_768
TOKEN_LIMIT = 4096
SESSION_LIMIT = 128
LABEL_LIMIT = 80

Source = Literal["field", "camera", "microphone", "screen", "second"]
SOURCES: frozenset[str] = frozenset({"field", "camera", "microphone", "screen", "second"})
Action = Literal["start", "stop"]


class MessageError(ValueError):
    """The client's message is refused; the connection stays (PROTOCOL.md, section 7).

    `code` is one of not_json, too_large, unknown_type, bad_message; `id` is the request's, where it could be
    read. The text is a sentence for the person who wrote the client and holds nothing of what was sent.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.id: int | None = None


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
)

ClientMessage = Request | Ephemeral


def parse_message(text: str | bytes) -> ClientMessage:
    """Parse one text frame (or one message of the ephemeral data channel). Raise MessageError, nothing else."""
    body = _load(text)
    kind = body.get("type")
    if kind == "pointer" or kind == "stroke":  # noqa: PLR1714 the hot path: no set, no tuple
        return Ephemeral(body)
    identifier = body.get("id")
    readable = type(identifier) is int and 1 <= identifier <= INTEGER_LIMIT
    try:
        parser = _PARSERS.get(kind) if isinstance(kind, str) else None
        if parser is None:
            raise MessageError("unknown_type", "The field type names no message that a client may send.")
        if not readable:
            raise _bad("id", f"must be an integer from 1 to {INTEGER_LIMIT}")
        return parser(cast(int, identifier), body)
    except MessageError as error:
        error.id = cast(int, identifier) if readable else None
        raise


# from bytes to an object

# all but the brackets: strings, and what is neither string nor bracket. A string ends at its quote or,
# unterminated, with the text, so that no quote is ever tried twice
_NO_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[^"\[\]{}]+', re.DOTALL)


def _load(text: str | bytes) -> dict[str, Any]:
    try:
        if isinstance(text, bytes):
            size = len(text)
            text = text.decode()
        else:
            # a character has at most four bytes: only long texts are worth counting
            size = len(text) if 4 * len(text) <= MESSAGE_LIMIT else len(text.encode())
    except UnicodeError:
        raise MessageError("not_json", "The message is not UTF-8.") from None
    if size > MESSAGE_LIMIT:
        raise MessageError("too_large", f"A message has at most {MESSAGE_LIMIT} bytes.")
    # json recurses as deep as the text says, so many brackets are looked at before, and some after
    brackets = text.count("[") + text.count("{")
    if brackets > _HARMLESS_BRACKETS and _is_deep(text):
        raise MessageError("bad_message", _TOO_DEEP)
    try:
        body = _DECODER.decode(text)
    except ValueError:
        raise MessageError("not_json", "The message is not JSON.") from None
    if type(body) is not dict:
        raise MessageError("bad_message", "A message is a JSON object.")
    if NESTING_LIMIT < brackets <= _HARMLESS_BRACKETS and _has_levels(body, NESTING_LIMIT + 1):
        raise MessageError("bad_message", _TOO_DEEP)
    return body


#: So deep json may recurse, from wherever it is called: Python's limit is 1,000.
_HARMLESS_BRACKETS = 200
_TOO_DEEP = f"A message is nested at most {NESTING_LIMIT} deep."


def _has_levels(value: list[Any] | dict[str, Any], levels: int) -> bool:
    if levels == 1:
        return True
    for item in value.values() if type(value) is dict else value:
        if (type(item) is list or type(item) is dict) and _has_levels(item, levels - 1):
            return True
    return False


def _is_deep(text: str) -> bool:
    brackets = _NO_BRACKETS.sub("", text).replace("{", "[").replace("}", "]")
    for _ in range(NESTING_LIMIT):
        inside = brackets.replace("[]", "")  # takes the innermost level away
        if len(inside) == len(brackets):
            # what is left never closes: harmless if json soon meets the end
            return inside.count("[") > NESTING_LIMIT
        brackets = inside
    return "[" in brackets


def _refuse_constant(name: str) -> float:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


# json.loads would make one at each call that is not quite plain
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


# fields


def _bad(field: str, rule: str) -> MessageError:
    return MessageError("bad_message", f"The field {field} {rule}.")


def _integer(body: dict[str, Any], field: str, low: int, high: int) -> int:
    value = body.get(field)
    if type(value) is int and low <= value <= high:
        return value
    raise _bad(field, f"must be an integer from {low} to {high}")


def _number(body: dict[str, Any], field: str, low: float, high: float) -> float:
    value = body.get(field)
    # the comparison refuses what 1e999 became, too
    if type(value) in (int, float) and low <= cast(float, value) <= high:
        return float(cast(float, value))
    raise _bad(field, f"must be a number from {low:g} to {high:g}")


def _flag(body: dict[str, Any], field: str) -> bool:
    value = body.get(field)
    if type(value) is bool:
        return value
    raise _bad(field, "must be true or false")


def _text(body: dict[str, Any], field: str, low: int, high: int) -> str:
    try:
        return check_text(body.get(field), low, high)
    except ValueError as error:
        raise _bad(field, str(error)) from None


def _sdp(body: dict[str, Any]) -> str:
    value = body.get("sdp")
    if type(value) is not str:
        raise _bad("sdp", "must be a string")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise _bad("sdp", "holds a character that is not Unicode text") from None
    if not 1 <= size <= SDP_LIMIT:
        raise _bad("sdp", f"must have from 1 to {SDP_LIMIT} bytes")
    return value


def _producer(body: dict[str, Any]) -> int:
    return _integer(body, "producer", 1, PRODUCER_LIMIT)


_TIME_LIMIT = 1e15  # ms: the year 33658


# messages


def _hello(identifier: int, body: dict[str, Any]) -> Hello:
    session = body.get("session")
    return Hello(
        identifier,
        _integer(body, "version", 1, 1_000_000),
        _text(body, "token", 1, TOKEN_LIMIT),
        None if session is None else _text(body, "session", 1, SESSION_LIMIT),
        _integer(body, "marks_after", 0, INTEGER_LIMIT) if "marks_after" in body else 0,
    )


def _publish(identifier: int, body: dict[str, Any]) -> Publish:
    sdp = _sdp(body)
    sources = body.get("sources")
    if type(sources) is not list or len(sources) > SOURCES_LIMIT:
        raise _bad("sources", f"must be a list of at most {SOURCES_LIMIT}")
    parsed = tuple(_source(item) for item in sources)
    if len({source.mid for source in parsed}) != len(parsed):
        raise _bad("sources", "names a mid twice")
    return Publish(identifier, sdp, parsed)


def _source(item: object) -> PublishedSource:
    if type(item) is not dict:
        raise _bad("sources", "must hold objects")
    source = item.get("source")
    if type(source) is not str or source not in SOURCES:
        raise _bad("source", f"must be one of {', '.join(sorted(SOURCES))}")
    return PublishedSource(
        _text(item, "mid", 1, 16),
        cast(Source, source),
        _text(item, "label", 0, LABEL_LIMIT) if "label" in item else "",
        _heights(item["heights"]) if "heights" in item else (),
    )


def _heights(heights: object) -> tuple[int, ...]:
    fits = type(heights) is list and len(heights) <= ENCODINGS_LIMIT
    if fits and all(
        type(height) is int and 1 <= height <= PIXELS_LIMIT for height in cast(list[Any], heights)
    ):
        return tuple(cast(list[int], heights))
    raise _bad("heights", f"must be at most {ENCODINGS_LIMIT} integers from 1 to {PIXELS_LIMIT}")


def _barcode(identifier: int, body: dict[str, Any]) -> Barcode:
    return Barcode(
        identifier,
        _producer(body),
        _integer(body, "frame", 0, 65_535),
        _number(body, "time", 0, _TIME_LIMIT),
        _number(body, "interval_ms", 1, 60_000),
        _integer(body, "modulus", 1, 65_536),
    )


def _mark(identifier: int, body: dict[str, Any]) -> MarkRequest:
    operation = body.get("operation")
    if type(operation) is not dict:
        raise _bad("operation", "must be an object")
    return MarkRequest(identifier, operation)


def _record(identifier: int, body: dict[str, Any]) -> Record:
    action = body.get("action")
    if action != "start" and action != "stop":  # noqa: PLR1714 mypy narrows this form
        raise _bad("action", "must be start or stop")
    return Record(identifier, cast(Action, action))


_PARSERS: dict[str, Callable[[int, dict[str, Any]], ClientMessage]] = {
    "hello": _hello,
    "publish": _publish,
    "mute": lambda identifier, body: Mute(identifier, _producer(body), _flag(body, "muted")),
    "unpublish": lambda identifier, body: Unpublish(identifier, _producer(body)),
    "answer": lambda identifier, body: Answer(
        identifier, _integer(body, "revision", 1, INTEGER_LIMIT), _sdp(body)
    ),
    "rewatch": lambda identifier, _: Rewatch(identifier),
    "restart_ice": lambda identifier, _: RestartIce(identifier),
    "ice_servers": lambda identifier, _: IceServers(identifier),
    "pause": lambda identifier, body: Pause(identifier, _producer(body), _flag(body, "paused")),
    "view": lambda identifier, body: View(
        identifier,
        _producer(body),
        _integer(body, "width", 0, PIXELS_LIMIT),
        _integer(body, "height", 0, PIXELS_LIMIT),
    ),
    "ping": lambda identifier, body: Ping(identifier, _number(body, "time", -_TIME_LIMIT, _TIME_LIMIT)),
    "barcode": _barcode,
    "mark": _mark,
    "marks": lambda identifier, body: MarksRequest(identifier, _integer(body, "after", 0, INTEGER_LIMIT)),
    "record": _record,
    "leave": lambda identifier, _: Leave(identifier),
}
