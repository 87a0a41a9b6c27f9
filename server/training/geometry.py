"""How far a trainee's mark lies from an expert's: plane geometry, in units of the picture's width.

A mark is a point (pin, text, an arrow's head), a curve (line, length, stroke) or an area (ellipse, rectangle, polygon,
a stroke that comes back to where it began). What is compared with what, and how:

point with a point   the distance between them
point with a curve   the distance to the nearest place of it
point with an area   0 within, else the distance to the nearest place of its border
curve with a point   the mean distance of the drawn curve from the point: whoever scribbles over all does not hit
curve with a curve   the modified Hausdorff distance (Dubuisson and Jain, 1994): the greater of the two mean distances
curve with an area   the mean distance of the drawn curve from the area, 0 where it runs within
area with an area    as for their borders, and beside it the overlap: intersection over union
area with the others as its border is
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Point = tuple[float, float]
Kind = Literal["point", "curve", "area"]

#: Places along a curve that are looked at.
_SAMPLES: Final = 128
#: More points than that draw no other line: a stroke of 33 s has 2,000.
_MOST: Final = 200
#: An ellipse is a polygon of so many corners: off by a 3,000th of its radius.
_CORNERS: Final = 128
#: Horizontal lines by which areas are measured.
_SCANS: Final = 400
#: A stroke encloses something if its ends are nearer to each other than this part of its extent.
_CLOSES: Final = 0.2
_LEAST_ENCLOSING: Final = 8

_POINTS: Final = frozenset({"pin", "text", "probe"})
_CURVES: Final = frozenset({"line", "length"})


@dataclass(frozen=True, slots=True)
class Figure:
    """What a mark means. Points in units of the picture's width; an area's border is closed without a last point."""

    kind: Kind
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """The distance in units of the picture's width, and of two areas the overlap, 0-1."""

    distance: float
    overlap: float | None


def figure_of(shape: str, points: Sequence[Point], aspect: float) -> Figure:
    """Tell what a mark of the field means; points are fractions, `aspect` is the picture's width by its height.

    Raise ValueError for a shape that is not drawn on a field.
    """
    flat = tuple((x, y / aspect) for x, y in points)
    if shape in _POINTS:
        return Figure("point", flat[:1])
    if shape == "arrow":
        return Figure("point", flat[-1:])
    if shape in _CURVES:
        return _curve(flat)
    if shape == "ellipse":
        (left, top), (right, bottom) = flat
        x, y, a, b = (left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2
        turns = [2 * math.pi * n / _CORNERS for n in range(_CORNERS)]
        return _area(tuple((x + a * math.cos(t), y + b * math.sin(t)) for t in turns))
    if shape == "rectangle":
        (left, top), (right, bottom) = flat
        return _area(((left, top), (right, top), (right, bottom), (left, bottom)))
    if shape == "polygon":
        return _area(flat)
    if shape == "freehand":
        stroke = _thinned(flat)
        if len(stroke) >= _LEAST_ENCLOSING and math.dist(stroke[0], stroke[-1]) < _CLOSES * _extent(stroke):
            return _area(stroke)
        return _curve(stroke)
    raise ValueError(f"A mark of the shape {shape} cannot be compared.")


def compare(answer: Figure, given: Figure) -> Compared:
    """Compare what a trainee gave with the expert's answer, as the table above says."""
    if given.kind == "point":
        return Compared(_to_figure(given.points[0], answer), None)
    if answer.kind == "point":
        return Compared(_mean([math.dist(place, answer.points[0]) for place in _places(given)]), None)
    if answer.kind == "area" and given.kind == "curve":
        return Compared(_mean([_to_figure(place, answer) for place in _places(given)]), None)
    distance = max(
        _mean([_to_line(place, answer) for place in _places(given)]),
        _mean([_to_line(place, given) for place in _places(answer)]),
    )
    both = answer.kind == given.kind == "area"
    return Compared(distance, overlap(answer.points, given.points) if both else None)


def overlap(one: Sequence[Point], other: Sequence[Point]) -> float:
    """Measure the intersection of two polygons over their union, 0-1, to within a thousandth.

    A border that crosses itself encloses what lies within an odd number of its turns.
    """
    top = min(y for _, y in (*one, *other))
    height = max(y for _, y in (*one, *other)) - top
    common = alone = 0.0
    for scan in range(_SCANS):
        y = top + height * (scan + 0.5) / _SCANS
        first, second = _crossings(one, y), _crossings(other, y)
        shared = sum(
            max(0.0, min(first[i + 1], second[k + 1]) - max(first[i], second[k]))
            for i in range(0, len(first), 2)
            for k in range(0, len(second), 2)
        )
        common += shared
        alone += _widths(first) + _widths(second) - shared
    return common / alone if alone > 0 else 0.0


def _curve(points: tuple[Point, ...]) -> Figure:
    # a stroke that never left its place is a touch
    return Figure("curve", points) if _length(points) > 0 else Figure("point", points[:1])


def _area(points: tuple[Point, ...]) -> Figure:
    border = (*points, points[0])
    twice = sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(border))
    # what encloses nothing is the line that it looks like
    return Figure("area", points) if twice != 0 else _curve(points)


def _thinned(points: tuple[Point, ...]) -> tuple[Point, ...]:
    return points if len(points) <= _MOST else tuple(_along(points, _MOST))


def _length(points: Sequence[Point]) -> float:
    return sum(math.dist(a, b) for a, b in itertools.pairwise(points))


def _extent(points: Sequence[Point]) -> float:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return math.hypot(max(xs) - min(xs), max(ys) - min(ys))


def _line(figure: Figure) -> tuple[Point, ...]:
    return (*figure.points, figure.points[0]) if figure.kind == "area" else figure.points


def _places(figure: Figure) -> list[Point]:
    return _along(_line(figure), _SAMPLES)


def _along(line: Sequence[Point], count: int) -> list[Point]:
    """Give places at equal distances along a line, its ends among them."""
    step = _length(line) / (count - 1)
    if step == 0:
        return [line[0]]
    places = [line[0]]
    gone = 0.0
    for a, b in itertools.pairwise(line):
        part = math.dist(a, b)
        # the last place is set below, whatever rounding made of it
        while part > 0 and len(places) < count - 1 and len(places) * step <= gone + part:
            share = (len(places) * step - gone) / part
            places.append((a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))
        gone += part
    return [*places, line[-1]]


def _to_figure(place: Point, figure: Figure) -> float:
    if figure.kind == "area" and _contains(figure.points, place):
        return 0.0
    return _to_line(place, figure)


def _to_line(place: Point, figure: Figure) -> float:
    line = _line(figure)
    if len(line) == 1:
        return math.dist(place, line[0])
    return min(_to_segment(place, a, b) for a, b in itertools.pairwise(line))


def _to_segment(place: Point, a: Point, b: Point) -> float:
    along = (b[0] - a[0], b[1] - a[1])
    square = along[0] ** 2 + along[1] ** 2
    if square == 0:
        return math.dist(place, a)
    share = ((place[0] - a[0]) * along[0] + (place[1] - a[1]) * along[1]) / square
    share = min(1.0, max(0.0, share))
    return math.dist(place, (a[0] + share * along[0], a[1] + share * along[1]))


def _contains(border: Sequence[Point], place: Point) -> bool:
    crossings = _crossings(border, place[1])
    return any(crossings[i] <= place[0] <= crossings[i + 1] for i in range(0, len(crossings), 2))


def _crossings(border: Sequence[Point], y: float) -> list[float]:
    """Tell where a closed border crosses a horizontal line, from left to right: always an even number of places."""
    found = []
    x1, y1 = border[-1]
    for x2, y2 in border:
        if (y1 <= y) != (y2 <= y):
            found.append(x1 + (y - y1) * (x2 - x1) / (y2 - y1))
        x1, y1 = x2, y2
    return sorted(found)


def _widths(crossings: Sequence[float]) -> float:
    return sum(crossings[i + 1] - crossings[i] for i in range(0, len(crossings), 2))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
