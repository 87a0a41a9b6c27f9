"""A mark's lines in pixels: the twin of `web_client/src/annotation/figure.ts`, `styles.ts` and `matrix.ts`.

The film shows what the page showed: the same shapes, widths, colours and dashes. `tests/browser/test_film_ink.py`
holds both pictures against each other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from annotation.shapes import Mark, Point

#: As on a canvas: x' = a·x + c·y + e, y' = b·x + d·y + f.
Matrix = tuple[float, float, float, float, float, float]

PALETTE: Final = (
    *("#00c3ff", "#ffff00", "#c34bff", "#00ff87", "#78962d", "#ffffff", "#00ffe1", "#e196ff"),
    *("#78ff00", "#c3ff78", "#1e9696", "#00a500", "#3c96ff", "#1ea569", "#d2b400", "#c3c3ff"),
)
_DASHES: Final = ("solid", "dashed", "dotted", "dash_dot", "dash_dot_dot")
_DASH_OF: Final = (0, 1, 2, 3, 4, 0, 1, 3, 2, 4, 1, 2, 4, 3, 0, 2)
#: In line widths: on, off, on, off.
_PATTERNS: Final[dict[str, tuple[float, ...]]] = {
    "solid": (),
    "dashed": (4, 3),
    "dotted": (0.6, 2.3),
    "dash_dot": (5, 2.4, 0.4, 2.4),
    "dash_dot_dot": (5, 2.3, 0.4, 2.3, 0.4, 2.3),
}
STALE: Final = "#9aa3ad"
HALO: Final = "#ffffff"
CORE: Final = "#05090d"

#: Letters of a text mark are so many line widths high.
_TEXT_HEIGHT: Final = 6
_ELLIPSE_CORNERS: Final = 128
#: Parts of a bend through the middle of two points: at 4K none is longer than a pixel's error.
_BEND: Final = 6


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points."""

    points: tuple[Point, ...]
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Pin:
    """A needle whose tip is the place, and a disc that bears the number."""

    tip: Point
    centre: Point
    radius: float


@dataclass(slots=True)
class Figure:
    """What is drawn of a mark, in pixels."""

    width: float
    lines: list[Line] = field(default_factory=list)
    areas: list[tuple[Point, ...]] = field(default_factory=list)
    text: tuple[Point, float] | None = None  # its top left, and how high letters are
    pin: Pin | None = None

    def points(self) -> list[Point]:
        """List what it is drawn by."""
        found = [point for line in self.lines for point in line.points]
        found += [point for area in self.areas for point in area]
        if self.text is not None:
            found.append(self.text[0])
        if self.pin is not None:
            found.append((self.pin.centre[0], self.pin.centre[1] - self.pin.radius))
        return found

    def top(self) -> Point:
        """Give the place above which a name or a measure is written."""
        return min(self.points(), key=lambda point: point[1], default=(0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Strata:
    """White round dark round colour: the widths of all three."""

    halo: float
    core: float
    colour: float


def strata(width: float) -> Strata:
    """Give the widths of the three lines that make a line of this width."""
    core = width * 1.15 + max(1.6, width * 0.25)
    return Strata(core + max(2.2, width * 0.5), core, max(1.0, width * 0.85))


def pattern_of(colour: str, width: float) -> tuple[float, ...]:
    """Give the dashes of a participant's colour, in pixels; who has none of the sixteen draws solid lines."""
    name = colour.lower()
    dash = _DASHES[_DASH_OF[PALETTE.index(name)]] if name in PALETTE else "solid"
    return tuple(part * width for part in _PATTERNS[dash])


def figure_of(mark: Mark, matrix: Matrix, unit: float | None = None) -> Figure:
    """Lay a mark out; `matrix` leads from fractions of the picture to pixels, `unit` is its height in them."""
    unit = height_of(matrix) if unit is None else unit
    width = max(1.5, mark.width * unit)
    figure = Figure(width)
    points = tuple(apply(matrix, point) for point in mark.points)
    first, last = points[0], points[min(1, len(points) - 1)]
    match mark.shape:
        case "freehand" | "line" | "angle":
            figure.lines = [Line(points)]
        case "polygon":
            figure.lines = [Line(points, closed=True)]
        case "arrow":
            _add_arrow(figure, first, last)
        case "length":
            _add_ruler(figure, first, last)
        case "ellipse" | "roi_ellipse":
            corners = tuple(apply(matrix, point) for point in _ellipse(mark.points))
            figure.lines = [Line(corners, closed=True)]
        case "rectangle" | "roi_rectangle":
            (left, top), (right, bottom) = mark.points
            box = ((left, top), (right, top), (right, bottom), (left, bottom))
            figure.lines = [Line(tuple(apply(matrix, point) for point in box), closed=True)]
        case "cobb" | "bidirectional":
            figure.lines = [Line(points[at : at + 2]) for at in range(0, len(points), 2)]
        case "probe":
            half, (x, y) = max(8.0, width * 3), first
            figure.lines = [Line(((x - half, y), (x + half, y))), Line(((x, y - half), (x, y + half)))]
        case "text":
            figure.text = first, width * _TEXT_HEIGHT
        case "pin":
            radius, (x, y) = max(11.0, width * 2.6), first
            figure.pin = Pin(first, (x, y - radius * 2.1), radius)
            if mark.text:
                height = radius * 1.15
                figure.text = (x + radius * 1.4, y - radius * 2.1 - height / 2), height
    return figure


def path_of(line: Line, *, smooth: bool) -> list[Point]:
    """Give a line's corners; a smooth one goes through the middles and is bent at the points."""
    points = line.points
    if len(points) == 1:
        return [points[0], (points[0][0] + 0.01, points[0][1])]
    if not smooth:
        return [*points, points[0]] if line.closed else list(points)
    path, here = [points[0]], points[0]
    for at, following in itertools.pairwise(points[1:]):
        end = ((at[0] + following[0]) / 2, (at[1] + following[1]) / 2)
        for part in range(1, _BEND + 1):
            t = part / _BEND
            near, bent, far = (1 - t) ** 2, 2 * t * (1 - t), t * t
            path.append(
                (near * here[0] + bent * at[0] + far * end[0], near * here[1] + bent * at[1] + far * end[1])
            )
        here = end
    path.append(points[-1])
    return path


def measure_at(figure: Figure) -> Point:
    """Tell where a measure is written: beside the middle of an open line, else above the top."""
    if not figure.lines or figure.lines[0].closed:
        return figure.top()
    start, end = figure.lines[0].points[0], figure.lines[0].points[-1]
    return (start[0] + end[0]) / 2 + figure.width * 2, (start[1] + end[1]) / 2 - figure.width


def apply(matrix: Matrix, point: Point) -> Point:
    """Map a point."""
    a, b, c, d, e, f = matrix
    return a * point[0] + c * point[1] + e, b * point[0] + d * point[1] + f


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """First `inner`, then `outer`."""
    a, b, c, d, e, f = outer
    p, q, r, s, t, u = inner
    return (
        *(a * p + c * q, b * p + d * q, a * r + c * s, b * r + d * s),
        *(a * t + c * u + e, b * t + d * u + f),
    )


def height_of(matrix: Matrix) -> float:
    """Tell how many pixels the picture is high: what line widths are fractions of."""
    return math.hypot(matrix[2], matrix[3])


def moved_by(movement: Sequence[float], matrix: Matrix) -> Matrix:
    """Lay a movement, in units of the picture's height, under the way from fractions to pixels."""
    aspect = math.hypot(matrix[0], matrix[1]) / max(1e-9, height_of(matrix))
    a, b, c, d, e, f = movement
    inner = compose((1 / aspect, 0, 0, 1, 0, 0), compose((a, b, c, d, e, f), (aspect, 0, 0, 1, 0, 0)))
    return compose(matrix, inner)


def _add_arrow(figure: Figure, tail: Point, head: Point) -> None:
    reach = math.hypot(head[0] - tail[0], head[1] - tail[1])
    angle = math.atan2(head[1] - tail[1], head[0] - tail[0])
    length = min(figure.width * 6, reach)
    neck = head[0] - 0.8 * length * math.cos(angle), head[1] - 0.8 * length * math.sin(angle)
    barbs = tuple(
        (head[0] + length * math.cos(angle + side), head[1] + length * math.sin(angle + side))
        for side in (2.7, -2.7)
    )
    figure.lines = [Line((tail, neck))]
    figure.areas = [(head, *barbs)]


def _add_ruler(figure: Figure, start: Point, end: Point) -> None:
    reach = math.hypot(end[0] - start[0], end[1] - start[1])
    half = max(6.0, figure.width * 2)
    nx, ny = (0.0, half)
    if reach:
        nx, ny = -(end[1] - start[1]) / reach * half, (end[0] - start[0]) / reach * half
    strokes = [Line(((x - nx, y - ny), (x + nx, y + ny))) for x, y in (start, end)]
    figure.lines = [Line((start, end)), *strokes]


def _ellipse(points: Sequence[Point]) -> list[Point]:
    first, second = points
    x, y = (first[0] + second[0]) / 2, (first[1] + second[1]) / 2
    wide, high = abs(first[0] - second[0]) / 2, abs(first[1] - second[1]) / 2
    turns = [2 * math.pi * corner / _ELLIPSE_CORNERS for corner in range(_ELLIPSE_CORNERS)]
    return [(x + wide * math.cos(turn), y + high * math.sin(turn)) for turn in turns]
