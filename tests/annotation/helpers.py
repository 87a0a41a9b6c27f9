"""Short ways to say a mark, a pointer, a stroke."""

from __future__ import annotations

from annotation.anchors import VideoAnchor
from annotation.document import Document
from annotation.ephemeral import Pointer, Stroke
from annotation.operations import Add, Entry, Operation
from annotation.shapes import Mark, Point

ANCHOR = VideoAnchor(7, 3735928559)


def add(name: str, points: int = 2) -> Add:
    """An add of a freehand mark."""
    return Add(Mark(name, "freehand", ANCHOR, tuple((i / 2000, 0.5) for i in range(points)), 0.004))


def apply(
    document: Document, author: str, operation: Operation, now: float = 1e9, *, over_others: bool = False
) -> Entry:
    """Apply as somebody whose name and colour do not matter."""
    return document.apply(operation, author, author.upper(), "#00c3ff", now, over_others=over_others)


def names(document: Document) -> list[str]:
    """The identifiers of the visible marks."""
    return [mark.mark for mark in document.visible()]


def pointer(author: str, n: int, sent: float, point: Point | None = (0.5, 0.5)) -> Pointer:
    """A pointer sent at `sent` seconds."""
    return Pointer(author, None if point is None else ANCHOR, point, sent * 1000, n)


def line(start: int, end: int) -> tuple[Point, ...]:
    """The points `start` to `end` of a line, each told from every other."""
    return tuple((i / 2000, 0.5) for i in range(start, end))


def stroke(author: str, n: int, sent: float, start: int, end: int, mark: str = "m") -> Stroke:
    """A part of a freehand stroke along `line`."""
    return Stroke(author, mark, "freehand", ANCHOR, start, line(start, end), 0.004, sent * 1000, n)
