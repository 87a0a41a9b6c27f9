"""What people do on the field: marks, the operations on them, and the decided entries of the log.

Parsers take plain JSON values and check everything; an object that exists is a valid one.
Points are fractions of the frame: x right, y down, both 0-1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

#: 33 s of drawing at 60 points a second.
POINTS_LIMIT: Final = 2_000
TEXT_LIMIT: Final = 200
WIDTHS: Final = (0.001, 0.05)
IDENTIFIER_LIMIT: Final = 64
NAME_LIMIT: Final = 80
#: What JavaScript counts exactly.
SEQUENCE_LIMIT: Final = 2**53
#: The media plane's numbers for producers, and RTP timestamps (RFC 3550), have 32 bits.
UINT32: Final = 2**32 - 1

Point = tuple[float, float]
Shape = Literal["freehand", "arrow", "ellipse", "text"]

#: How many points each shape has, least and most.
POINTS: Final[dict[str, tuple[int, int]]] = {
    "freehand": (1, POINTS_LIMIT),
    "arrow": (2, 2),  # tail, head
    "ellipse": (2, 2),  # corners of its box
    "text": (1, 1),  # its top left
}

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
# control characters and line separators, bidirectional overrides, lone surrogates
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class AnnotationError(ValueError):
    """What was asked cannot be done. `code` is bad_message, duplicate_mark, nothing_to_undo, nothing_to_redo or
    too_many_marks (PROTOCOL.md, section 7); the text is a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class VideoAnchor:
    """One frame of one producer: what a mark was drawn on."""

    producer: int
    rtp_timestamp: int

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"producer": self.producer, "rtp_timestamp": self.rtp_timestamp}


#: What a mark hangs on. Images of an archive will be a second kind.
Anchor = VideoAnchor


@dataclass(frozen=True, slots=True)
class Mark:
    """A drawing. `mark` is the client's identifier; `width` a fraction of the frame's height."""

    mark: str
    shape: Shape
    anchor: Anchor
    points: tuple[Point, ...]
    width: float
    text: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {
            "mark": self.mark,
            "shape": self.shape,
            "anchor": self.anchor.to_json(),
            "points": self.points,  # json writes tuples as lists
            "width": self.width,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class Add:
    """Add a mark."""

    mark: Mark

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"kind": "add", "mark": self.mark.to_json()}


@dataclass(frozen=True, slots=True)
class ClearOwn:
    """Clear the author's marks that stand now."""

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"kind": "clear_own"}


@dataclass(frozen=True, slots=True)
class ClearField:
    """Clear everybody's marks that stand now."""

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"kind": "clear_field"}


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back the author's newest effective operation. `target`, its number, is decided by the server."""

    target: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"kind": "undo"} if self.target is None else {"kind": "undo", "target": self.target}


@dataclass(frozen=True, slots=True)
class Redo:
    """Bring back what the author's newest undo took. `target` is the number of what comes back."""

    target: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"kind": "redo"} if self.target is None else {"kind": "redo", "target": self.target}


Operation = Add | Undo | Redo | ClearOwn | ClearField


@dataclass(frozen=True, slots=True)
class Entry:
    """A decided operation: its number in the room's log, when (Unix ms), whose, and in which colour."""

    sequence: int
    time: float
    author: str
    name: str
    colour: str
    operation: Operation

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object, as it stands in `operations` and (with `type`) in an `operation` notice."""
        return {
            "sequence": self.sequence,
            "time": self.time,
            "author": self.author,
            "name": self.name,
            "colour": self.colour,
            "operation": self.operation.to_json(),
        }


def parse_operation(value: object) -> Operation:
    """Parse what a client asks for. Raise AnnotationError bad_message. A `target` is not the client's to name."""
    kind = as_object(value, "operation").get("kind")
    if kind == "add":
        return Add(parse_mark(cast(dict[str, Any], value).get("mark")))
    operation = _PLAIN.get(kind) if isinstance(kind, str) else None
    if operation is None:
        raise bad("kind", "must be add, undo, redo, clear_own or clear_field")
    return operation


_PLAIN: Final[dict[str, Operation]] = {
    "undo": Undo(),
    "redo": Redo(),
    "clear_own": ClearOwn(),
    "clear_field": ClearField(),
}


def parse_entry(value: object) -> Entry:
    """Parse what the server decided (for replicas and recordings). Raise AnnotationError bad_message."""
    body = as_object(value, "entry")
    operation = parse_operation(body.get("operation"))
    sequence = as_integer(body.get("sequence"), "sequence", 1, SEQUENCE_LIMIT)
    if isinstance(operation, Undo | Redo):
        target = as_integer(body["operation"].get("target"), "target", 1, sequence)
        operation = Undo(target) if isinstance(operation, Undo) else Redo(target)
    return Entry(
        sequence,
        as_number(body.get("time"), "time", 0, 1e15),
        as_text(body.get("author"), "author", 1, IDENTIFIER_LIMIT),
        as_text(body.get("name"), "name", 1, NAME_LIMIT),
        as_text(body.get("colour"), "colour", 1, 32),
        operation,
    )


def parse_mark(value: object) -> Mark:
    """Parse a mark. Raise AnnotationError bad_message."""
    body = as_object(value, "mark")
    shape = body.get("shape")
    if type(shape) is not str or shape not in POINTS:
        raise bad("shape", f"must be one of {', '.join(POINTS)}")
    least, most = POINTS[shape]
    points = parse_points(body.get("points"), least, most)
    text = as_text(body.get("text", ""), "text", 1, TEXT_LIMIT) if shape == "text" else ""
    return Mark(
        parse_identifier(body.get("mark")),
        cast(Shape, shape),
        parse_anchor(body.get("anchor")),
        points,
        as_number(body.get("width"), "width", *WIDTHS),
        text,
    )


def parse_identifier(value: object) -> str:
    """Parse a mark's identifier: 1-64 of A-Z a-z 0-9 and -."""
    if type(value) is not str or not _IDENTIFIER.fullmatch(value):
        raise bad("mark", f"must have 1 to {IDENTIFIER_LIMIT} characters of A-Z a-z 0-9 and -")
    return value


def parse_anchor(value: object) -> Anchor:
    """Parse what a mark hangs on."""
    body = as_object(value, "anchor")
    return VideoAnchor(
        as_integer(body.get("producer"), "producer", 1, UINT32),
        as_integer(body.get("rtp_timestamp"), "rtp_timestamp", 0, UINT32),
    )


def parse_points(value: object, least: int, most: int) -> tuple[Point, ...]:
    """Parse a list of points."""
    # a tuple is what to_json gave and no encoder has seen
    if not isinstance(value, list | tuple) or not least <= len(value) <= most:
        raise bad("points", f"must be a list of {least} to {most} points")
    return tuple([parse_point(item) for item in value])


def parse_point(value: object) -> Point:
    """Parse [x, y]."""
    if (type(value) is list or type(value) is tuple) and len(value) == 2:
        x, y = value
        # floats mostly; the comparison refuses NaN and infinities, type() refuses true and false
        if (
            (type(x) is float or type(x) is int)
            and (type(y) is float or type(y) is int)
            and 0 <= x <= 1
            and 0 <= y <= 1
        ):
            return (x, y)
    raise bad("points", "must hold pairs of numbers from 0 to 1")


# single values


def bad(field: str, rule: str) -> AnnotationError:
    """Make the error for a field that breaks a rule."""
    return AnnotationError("bad_message", f"The field {field} {rule}.")


def as_object(value: object, field: str) -> dict[str, Any]:
    """Require a JSON object."""
    if type(value) is dict:
        return value
    raise bad(field, "must be an object")


def as_integer(value: object, field: str, low: int, high: int) -> int:
    """Require an integer within limits (true is none)."""
    if type(value) is int and low <= value <= high:
        return value
    raise bad(field, f"must be an integer from {low} to {high}")


def as_number(value: object, field: str, low: float, high: float) -> float:
    """Require a finite number within limits."""
    if type(value) in (int, float) and low <= cast(float, value) <= high:
        return float(cast(float, value))
    raise bad(field, f"must be a number from {low:g} to {high:g}")


def as_text(value: object, field: str, low: int, high: int) -> str:
    """Require plain characters of a number within limits."""
    if type(value) is not str or not low <= len(value) <= high:
        raise bad(field, f"must be a string of {low} to {high} characters")
    if _FORBIDDEN.search(value):
        raise bad(field, "must not hold control characters")
    return value
