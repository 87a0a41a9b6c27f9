"""The ephemeral lane's messages, and its two ends: who numbers them, and who decides what is still shown.

A pointer is the laser pointer; a stroke is a mark in progress: from index `start` on (`from` on the wire) its
points are `points`. Nothing is repeated on this lane. A receiver that misses a part of a stroke keeps the whole
part that it has, ignores what does not join on, and gets all from the durable `add`: no line is ever drawn across
a gap.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from .anchors import Anchor, parse_anchor
from .shapes import FORMS, WIDTHS, Point, Shape, parse_point, parse_points
from .values import SEQUENCE_LIMIT, as_flag, as_identifier, as_integer, as_number, as_object, as_text, bad

POINTER_SECONDS: Final = 1.0
STROKE_SECONDS: Final = 3.0
#: Who was silent for so long may count anew: a page that was loaded again does not know its last `n`.
FORGET_SECONDS: Final = 1.0
#: Points that a sender repeats: at a part a frame, seven lost ones in a row leave no gap.
OVERLAP: Final = 8
#: A hand draws one stroke; the others are those whose add is on its way.
STROKES_LIMIT: Final = 8
#: Strokes replaced by their add, which a late message must not bring back.
FINISHED_LIMIT: Final = 64

#: What is placed at once is never in progress; a text is while it is being typed.
_PLACED: Final = ("pin", "probe")
_STROKE_POINTS: Final[dict[str, int]] = {
    shape: form.most for shape, form in FORMS.items() if shape not in _PLACED
}


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where an author points (None: nowhere any more). `sent` in Unix ms by the server's clock.

    A `ghost` is no laser pointer: a pen that hovers, before it draws.
    """

    author: str
    anchor: Anchor | None
    point: Point | None
    sent: float
    n: int
    ghost: bool = field(default=False, kw_only=True)
    _text: str | None = field(default=None, init=False, repr=False, compare=False)
    _data: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object, as the server sends it."""
        body = {
            "type": "pointer",
            "author": self.author,
            "anchor": None if self.anchor is None else self.anchor.to_json(),
            "point": self.point,
            "sent": self.sent,
            "n": self.n,
        }
        return {**body, "ghost": True} if self.ghost else body

    @property
    def text(self) -> str:
        """Encode for the wire (JSON), once for all subscribers."""
        return self._text or _text(self)

    @property
    def data(self) -> bytes:
        """The same in UTF-8."""
        return self._data or _data(self)


@dataclass(frozen=True, slots=True)
class Stroke:
    """The points of a mark in progress from index `start` on. `sent` in Unix ms by the server's clock."""

    author: str
    mark: str
    shape: Shape
    anchor: Anchor
    start: int
    points: tuple[Point, ...]
    width: float
    sent: float
    n: int
    _text: str | None = field(default=None, init=False, repr=False, compare=False)
    _data: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Give the wire's object, as the server sends it."""
        return {
            "type": "stroke",
            "author": self.author,
            "mark": self.mark,
            "shape": self.shape,
            "anchor": self.anchor.to_json(),
            "from": self.start,
            "points": self.points,
            "width": self.width,
            "sent": self.sent,
            "n": self.n,
        }

    @property
    def text(self) -> str:
        """Encode for the wire (JSON), once for all subscribers."""
        return self._text or _text(self)

    @property
    def data(self) -> bytes:
        """The same in UTF-8."""
        return self._data or _data(self)

    def continued_by(self, later: Stroke) -> Stroke | None:
        """Join a later part of the same stroke on: its points stand from its `start` on. None at a gap."""
        if later.start > self.start + len(self.points):
            return None
        if later.start <= self.start:
            return later
        points = self.points[: later.start - self.start] + later.points
        return replace(later, start=self.start, points=points)


EphemeralMessage = Pointer | Stroke


# json.dumps would make one at each call
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def _text(message: EphemeralMessage) -> str:
    text = _ENCODER.encode(message.to_json())
    object.__setattr__(message, "_text", text)
    return text


def _data(message: EphemeralMessage) -> bytes:
    data = message.text.encode()
    object.__setattr__(message, "_data", data)
    return data


def parse_ephemeral(value: object, author: str, now: float) -> EphemeralMessage:
    """Parse a client's pointer or stroke; the author is who the connection belongs to, whatever it says.

    What claims to be sent in the future was sent `now` (Unix seconds), so that nobody's stays fresh longer.
    Raise AnnotationError bad_message.
    """
    body = as_object(value, "message")
    sent = min(as_number(body.get("sent"), "sent", 0, 1e15), round(now * 1000, 3))
    n = as_integer(body.get("n"), "n", 0, SEQUENCE_LIMIT)
    kind = body.get("type")
    if kind == "pointer":
        anchor, point = body.get("anchor"), body.get("point")
        if anchor is None and point is None:
            return Pointer(author, None, None, sent, n)
        ghost = as_flag(body.get("ghost", False), "ghost")
        return Pointer(author, parse_anchor(anchor), parse_point(point), sent, n, ghost=ghost)
    if kind != "stroke":
        raise bad("type", "must be pointer or stroke")
    shape = body.get("shape")
    most = _STROKE_POINTS.get(shape) if type(shape) is str else None
    if most is None:
        raise bad("shape", f"must be one of {', '.join(_STROKE_POINTS)}")
    anchor = parse_anchor(body.get("anchor"))
    if anchor.surface not in FORMS[cast(str, shape)].surfaces:
        raise bad("shape", f"must not be {shape} on this kind of picture")
    start = as_integer(body.get("from"), "from", 0, most - 1)
    return Stroke(
        author,
        as_identifier(body.get("mark"), "mark"),
        cast(Shape, shape),
        anchor,
        start,
        parse_points(body.get("points"), 1, most - start),
        as_number(body.get("width"), "width", *WIDTHS),
        sent,
        n,
    )


def parse_relayed(value: object, now: float) -> EphemeralMessage:
    """Parse a pointer or stroke that the server relayed, `author` included. Raise AnnotationError bad_message."""
    body = as_object(value, "message")
    return parse_ephemeral(body, as_text(body.get("author"), "author", 1, 64), now)


class EphemeralSender:
    """Number what one author sends, and send of a stroke only what is new. `now` is the server's clock, in s."""

    def __init__(self) -> None:
        self._n = 0
        self._stroke = ""
        self._sent_points = 0

    def pointer(self, anchor: Anchor | None, point: Point | None, now: float) -> dict[str, Any]:
        """Make the wire's object for the pointer's place; None, None: it is gone."""
        return self._finish(Pointer("", anchor, point, round(now * 1000, 3), self._next()))

    def stroke(
        self,
        mark: str,
        shape: Shape,
        anchor: Anchor,
        points: Sequence[Point],
        *,
        width: float,
        now: float,
    ) -> dict[str, Any]:
        """Make the wire's object for a stroke that has `points` so far."""
        start = max(0, min(self._sent_points, len(points)) - OVERLAP) if mark == self._stroke else 0
        self._stroke, self._sent_points = mark, len(points)
        tail = tuple(points[start:])
        return self._finish(
            Stroke("", mark, shape, anchor, start, tail, width, round(now * 1000, 3), self._next())
        )

    def _next(self) -> int:
        self._n += 1
        return self._n

    def _finish(self, message: EphemeralMessage) -> dict[str, Any]:
        body = message.to_json()
        del body["author"]  # the server knows it
        return body


class EphemeralReceiver:
    """What is shown of the ephemeral lane: one pointer an author, and strokes in progress. `now` in seconds."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[int, float]] = {}  # author: newest n, when
        self._pointers: dict[str, tuple[Pointer, float]] = {}  # author: when it hides
        self._strokes: dict[tuple[str, str], tuple[Stroke, float]] = {}  # author, mark: when it is dropped
        self._finished: dict[tuple[str, str], None] = {}

    def receive(self, message: EphemeralMessage, now: float) -> bool:
        """Take a message; return whether anything shown has changed. What is not newer is ignored."""
        heard = self._heard.get(message.author)
        if heard is not None and message.n <= heard[0] and now - heard[1] < FORGET_SECONDS:
            return False
        self._heard[message.author] = (message.n, now)
        if isinstance(message, Pointer):
            if message.point is None:
                return self._pointers.pop(message.author, None) is not None
            self._pointers[message.author] = (message, now + POINTER_SECONDS)
            return True
        return self._receive_stroke(message, now)

    def finish(self, author: str, mark: str) -> None:
        """Note that the durable add of this mark came: it takes the stroke's place."""
        self._strokes.pop((author, mark), None)
        self._finished[author, mark] = None
        if len(self._finished) > FINISHED_LIMIT:
            del self._finished[next(iter(self._finished))]

    def forget(self, author: str) -> None:
        """Note that the author left: nothing of it is shown any longer."""
        self._heard.pop(author, None)
        self._pointers.pop(author, None)
        for key in [key for key in self._strokes if key[0] == author]:
            del self._strokes[key]

    def pointers(self) -> tuple[Pointer, ...]:
        """List the pointers to show."""
        return tuple(pointer for pointer, _ in self._pointers.values())

    def strokes(self) -> tuple[Stroke, ...]:
        """List the strokes in progress, each whole from its first point to where it is known."""
        return tuple(stroke for stroke, _ in self._strokes.values())

    def get_timer(self) -> float | None:
        """When `handle_timer` wants to be called: the next time that something is shown too long."""
        deadlines = [deadline for _, deadline in self._pointers.values()]
        deadlines += [deadline for _, deadline in self._strokes.values()]
        return min(deadlines, default=None)

    def handle_timer(self, now: float) -> None:
        """Hide pointers 1 s, and drop strokes 3 s after the last news of them."""
        for author in [author for author, (_, deadline) in self._pointers.items() if deadline <= now]:
            del self._pointers[author]
        for key in [key for key, (_, deadline) in self._strokes.items() if deadline <= now]:
            del self._strokes[key]

    def _receive_stroke(self, message: Stroke, now: float) -> bool:
        key = (message.author, message.mark)
        if key in self._finished:
            return False
        known = self._strokes.get(key)
        if known is None:
            if message.start > 0:
                return False  # its beginning was lost
            mine = [other for other in self._strokes if other[0] == message.author]
            if len(mine) >= STROKES_LIMIT:
                del self._strokes[mine[0]]
            whole: Stroke | None = message
        else:
            whole = known[0].continued_by(message)
        # a part that does not join on is news all the same: the hand still draws
        self._strokes[key] = (
            known[0] if whole is None and known else cast(Stroke, whole),
            now + STROKE_SECONDS,
        )
        return whole is not None
