"""What a mark looks like on an image, in DICOM's own graphics: polylines, ellipses, points and text, in pixels.

Presentation states, captures and Web Annotations all draw from this, so that they cannot differ. Pixels are those of
PS3.3 C.10.5: 0\\0 is the top left corner of the top left pixel, Columns\\Rows the bottom right corner of the last; so a
mark's fractions times columns and rows, without a half added anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ..shapes import Mark, Point

GraphicType = Literal["POLYLINE", "ELLIPSE", "POINT"]

#: Letters of a text are so many widths high, on the page as here.
LETTER_WIDTHS: Final = 6
#: An arrow's head is so many widths long, but no longer than this share of its shaft.
HEAD_WIDTHS: Final = 5
HEAD_SHARE: Final = 0.6
#: A letter is about so wide, in parts of its height: CJK letters are as wide as high.
_NARROW: Final = 0.6


@dataclass(frozen=True, slots=True)
class Graphic:
    """A line of an outline. An ELLIPSE has the ends of its major axis, then those of its minor axis."""

    kind: GraphicType
    points: tuple[Point, ...]

    @property
    def closed(self) -> bool:
        """Whether it encloses an area."""
        return self.kind == "ELLIPSE" or (len(self.points) > 3 and self.points[0] == self.points[-1])


@dataclass(frozen=True, slots=True)
class Words:
    """Text whose top left stands at `at`; its letters are `height` pixels high."""

    text: str
    at: Point
    height: float

    def box(self, columns: int, rows: int) -> tuple[float, float, float, float]:
        """Give the rectangle that it takes, left, top, right, bottom, within the image."""
        wide = sum(1.0 if ord(letter) > 0x2E80 else _NARROW for letter in self.text) * self.height
        # a box has an extent, also in the last corner
        left, top = min(self.at[0], columns - 1.0), min(self.at[1], rows - 1.0)
        left, top = max(0.0, left), max(0.0, top)
        return (
            left,
            top,
            min(float(columns), left + max(1.0, wide)),
            min(float(rows), top + max(1.0, 1.3 * self.height)),
        )


def outline(mark: Mark, columns: int, rows: int, label: str = "") -> tuple[Graphic | Words, ...]:
    """Draw a mark on an image of this size; `label` is what was measured."""
    points = [(x * columns, y * rows) for x, y in mark.points]
    width = mark.width * rows
    height = max(8.0, LETTER_WIDTHS * width)
    match mark.shape:
        case "text":
            return (Words(mark.text, points[0], height),)
        case "freehand" if len(points) == 1:
            return (Graphic("POINT", (points[0],)),)
        case "arrow":
            return _arrow(points, width)
        case "ellipse" | "roi_ellipse":
            drawn: tuple[Graphic | Words, ...] = (ellipse(points[0], points[1]),)
        case "rectangle" | "roi_rectangle":
            (left, top), (right, bottom) = points
            corners = ((left, top), (right, top), (right, bottom), (left, bottom), (left, top))
            drawn = (Graphic("POLYLINE", corners),)
        case "polygon":
            drawn = (Graphic("POLYLINE", (*points, points[0])),)
        case "cobb" | "bidirectional":
            first, second = (points[0], points[1]), (points[2], points[3])
            drawn = (Graphic("POLYLINE", first), Graphic("POLYLINE", second))
        case "pin" | "probe":
            drawn = (Graphic("POINT", (points[0],)),)
        case _:
            drawn = (Graphic("POLYLINE", tuple(points)),)
    text = " ".join(part for part in (str(mark.number) if mark.number else "", label or mark.text) if part)
    return (*drawn, _beside(text, points, height, columns, rows)) if text else drawn


def ellipse(first: Point, second: Point) -> Graphic:
    """Describe the ellipse in the box of two corners as DICOM does: major axis, then minor axis."""
    x, y = (first[0] + second[0]) / 2, (first[1] + second[1]) / 2
    wide, high = abs(second[0] - first[0]) / 2, abs(second[1] - first[1]) / 2
    lying = ((x - wide, y), (x + wide, y))
    standing = ((x, y - high), (x, y + high))
    return Graphic("ELLIPSE", (*lying, *standing) if wide >= high else (*standing, *lying))


def _arrow(points: Sequence[Point], width: float) -> tuple[Graphic | Words, ...]:
    (x0, y0), (x1, y1) = points
    length = math.hypot(x1 - x0, y1 - y0)
    head = min(max(4.0, HEAD_WIDTHS * width), HEAD_SHARE * length)
    angle = math.atan2(y1 - y0, x1 - x0)
    wings = [
        (x1 - head * math.cos(angle + turn), y1 - head * math.sin(angle + turn)) for turn in (0.45, -0.45)
    ]
    return (
        Graphic("POLYLINE", ((x0, y0), (x1, y1))),
        Graphic("POLYLINE", (wings[0], (x1, y1), wings[1])),
    )


def _beside(text: str, points: Sequence[Point], height: float, columns: int, rows: int) -> Words:
    """Put words to the right of the rightmost point, within the image."""
    x, y = max(points)
    words = Words(text, (x + height / 2, y - height / 2), height)
    left, top, right, bottom = words.box(columns, rows)
    wide = sum(1.0 if ord(letter) > 0x2E80 else _NARROW for letter in text) * height
    return Words(text, (max(0.0, min(left, right - wide)), max(0.0, min(top, bottom - 1.3 * height))), height)
