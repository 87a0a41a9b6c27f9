"""The operations of a room's log, and its decided entries.

Parsers take plain JSON values and check everything; an object that exists is a valid one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from .anchors import Surface
from .notes import CLIENT_NOTES, SERVER_NOTES, Note, Tracked, parse_instruct
from .shapes import Mark, parse_mark
from .values import (
    IDENTIFIER_LIMIT,
    NAME_LIMIT,
    SEQUENCE_LIMIT,
    as_identifier,
    as_integer,
    as_number,
    as_object,
    as_text,
    bad,
)

#: Marks that one edit or delete may name: a selection, not a wiping.
TOGETHER_LIMIT: Final = 1_000
SURFACES: Final[tuple[Surface, ...]] = get_args(Surface)


@dataclass(frozen=True, slots=True)
class Add:
    """Add a mark."""

    mark: Mark

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"kind": "add", "mark": self.mark.to_json()}


@dataclass(frozen=True, slots=True)
class Edit:
    """Put marks in the place of the author's own ones of the same identifiers: those that are moved together come back
    together. There is at least one, and none twice."""

    marks: tuple[Mark, ...]

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        if len(self.marks) == 1:
            return {"kind": "edit", "mark": self.marks[0].to_json()}
        return {"kind": "edit", "marks": [mark.to_json() for mark in self.marks]}


@dataclass(frozen=True, slots=True)
class Delete:
    """Take marks away."""

    marks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return {"kind": "delete", "marks": self.marks}


def _clear(kind: str, of: Surface) -> dict[str, Any]:
    return {"kind": kind} if of == "field" else {"kind": kind, "of": of}


@dataclass(frozen=True, slots=True)
class ClearOwn:
    """Clear the author's marks that stand now on a surface."""

    of: Surface = "field"

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return _clear("clear_own", self.of)


@dataclass(frozen=True, slots=True)
class ClearField:
    """Clear everybody's marks that stand now on a surface."""

    of: Surface = "field"

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object."""
        return _clear("clear_field", self.of)


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


Operation = Add | Edit | Delete | Undo | Redo | ClearOwn | ClearField | Note | Tracked

# json.dumps would make one at each call
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """A decided operation: its number in the room's log, when (Unix ms), whose, and in which colour."""

    sequence: int
    time: float
    author: str
    name: str
    colour: str
    operation: Operation
    _text: str | None = field(default=None, init=False, repr=False, compare=False)

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

    @property
    def text(self) -> str:
        """Encode `to_json` once, for all who are told now and all who come late."""
        text = self._text
        if text is None:
            text = _ENCODER.encode(self.to_json())
            object.__setattr__(self, "_text", text)
        return text


def parse_operation(value: object) -> Operation:
    """Parse what a client asks for. Raise AnnotationError bad_message.

    A `target`, or the `number` of a pin or an instruction, is not the client's to name.
    """
    body = as_object(value, "operation")
    kind = body.get("kind")
    parser = _CLIENT_KINDS.get(kind) if type(kind) is str else None
    if parser is None:
        raise bad("kind", f"must be one of {', '.join(_CLIENT_KINDS)}")
    return parser(body)


def parse_entry(value: object) -> Entry:
    """Parse what the server decided (for replicas and recordings). Raise AnnotationError bad_message."""
    body = as_object(value, "entry")
    sequence = as_integer(body.get("sequence"), "sequence", 1, SEQUENCE_LIMIT)
    return Entry(
        sequence,
        as_number(body.get("time"), "time", 0, 1e15),
        as_text(body.get("author"), "author", 1, IDENTIFIER_LIMIT),
        as_text(body.get("name"), "name", 1, NAME_LIMIT),
        as_text(body.get("colour"), "colour", 1, 32),
        _parse_decided(body.get("operation"), sequence),
    )


def _parse_decided(value: object, sequence: int) -> Operation:
    body = as_object(value, "operation")
    kind = body.get("kind")
    if kind == "add":
        return Add(parse_mark(body.get("mark"), decided=True))
    if kind == "edit":
        return _edit(body, decided=True)
    if kind == "undo":
        return Undo(as_integer(body.get("target"), "target", 1, sequence))
    if kind == "redo":
        return Redo(as_integer(body.get("target"), "target", 1, sequence))
    if kind == "instruct":
        return parse_instruct(body, decided=True)
    if type(kind) is str and kind in SERVER_NOTES:
        return SERVER_NOTES[kind](body)
    return parse_operation(body)


def _edit(body: dict[str, Any], *, decided: bool = False) -> Edit:
    if "marks" not in body:
        return Edit((parse_mark(body.get("mark"), decided=decided),))
    if "mark" in body:
        raise bad("mark", "must not stand beside marks")
    marks = tuple([parse_mark(mark, decided=decided) for mark in _several(body)])
    _check_once([mark.mark for mark in marks])
    return Edit(marks)


def _delete(body: dict[str, Any]) -> Delete:
    named = tuple([as_identifier(mark, "marks") for mark in _several(body)])
    _check_once(named)
    return Delete(named)


def _several(body: dict[str, Any]) -> Sequence[object]:
    marks = body.get("marks")
    # counted before any of them is looked at
    if not isinstance(marks, list | tuple) or not 1 <= len(marks) <= TOGETHER_LIMIT:
        raise bad("marks", f"must be a list of 1 to {TOGETHER_LIMIT}")
    return marks


def _check_once(named: Sequence[str]) -> None:
    if len(set(named)) != len(named):
        raise bad("marks", "must not name a mark twice")


def _surface(body: dict[str, Any]) -> Surface:
    of = body.get("of", "field")
    for surface in SURFACES:
        if of == surface:
            return surface
    raise bad("of", f"must be one of {', '.join(SURFACES)}")


_CLIENT_KINDS: Final[dict[str, Callable[[dict[str, Any]], Operation]]] = {
    "add": lambda body: Add(parse_mark(body.get("mark"))),
    "edit": _edit,
    "delete": _delete,
    "undo": lambda _: Undo(),
    "redo": lambda _: Redo(),
    "clear_own": lambda body: ClearOwn(_surface(body)),
    "clear_field": lambda body: ClearField(_surface(body)),
    **CLIENT_NOTES,
}
