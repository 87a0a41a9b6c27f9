"""Marks and pointers on a picture, as the page's painter draws them: the twin of `paint.ts` and `paint_signs.ts`.

A mark is drawn once, larger than it is, and taken down to a sprite with alpha; the sprite is laid on each frame on
which the mark stands unchanged.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from annotation.shapes import Mark, Point

from . import letters
from .figures import (
    CORE,
    HALO,
    STALE,
    Figure,
    Line,
    Matrix,
    apply,
    figure_of,
    measure_at,
    path_of,
    pattern_of,
    strata,
)

Pixels = NDArray[np.uint8]

#: Drawn so many times as large as it is; a mark over half a picture has pixels enough.
_FINE, _COARSE = 4, 2
_FINE_AREA: Final = 300_000
#: Binary digits of a fraction of a pixel that OpenCV takes.
_SHIFT: Final = 4
#: No sprite reaches further beyond the picture.
_PLATE: Final = (6, 10, 14)
_PLATE_TEXT: Final = "#e4e9ee"


@dataclass(frozen=True, slots=True)
class Painted:
    """A mark as it is to be seen. `plate`: a name that stands by it, `measured`: its measure; both may be empty."""

    mark: Mark
    colour: str
    matrix: Matrix
    unit: float
    stale: bool = False
    plate: str = ""
    measured: str = ""


@dataclass(frozen=True, slots=True)
class Sprite:
    """A small picture: colours already multiplied by their alpha (0-1), and where its top left lies."""

    colours: NDArray[np.float32]
    alpha: NDArray[np.float32]
    left: int
    top: int

    def lay_on(self, picture: Pixels) -> None:
        """Draw it into a picture (RGB), cut off at its edges."""
        height, width = picture.shape[:2]
        left, top = max(0, self.left), max(0, self.top)
        right = min(width, self.left + self.alpha.shape[1])
        bottom = min(height, self.top + self.alpha.shape[0])
        if left >= right or top >= bottom:
            return
        rows, columns = slice(top - self.top, bottom - self.top), slice(left - self.left, right - self.left)
        below = picture[top:bottom, left:right]
        mixed = below * (1.0 - self.alpha[rows, columns, None]) + self.colours[rows, columns]
        np.rint(mixed, out=mixed)
        picture[top:bottom, left:right] = mixed.astype(np.uint8)


class _Sheet:
    """Where a figure is drawn: larger than it is, each ink over the one before."""

    def __init__(self, points: Sequence[Point], edge: float, picture: tuple[int, int]) -> None:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        # what lies outside the picture is not drawn at all
        self.left = math.floor(max(-edge, min(*xs, picture[0]) - edge))
        self.top = math.floor(max(-edge, min(*ys, picture[1]) - edge))
        right = math.ceil(min(picture[0] + edge, max(*xs, 0.0) + edge)) + 1
        bottom = math.ceil(min(picture[1] + edge, max(*ys, 0.0) + edge)) + 1
        self.width, self.height = max(1, right - self.left), max(1, bottom - self.top)
        self.scale = _FINE if self.width * self.height <= _FINE_AREA else _COARSE
        size = (self.height * self.scale, self.width * self.scale)
        self._colours = np.zeros((*size, 3), np.uint8)
        self._alpha = np.zeros(size, np.uint8)

    def line(self, path: Sequence[Point], width: float, ink: str) -> None:
        """Draw a line with round ends and joints."""
        corners = self._points(path)
        thickness = max(1, round(width * self.scale))
        for canvas, value in ((self._colours, rgb(ink)), (self._alpha, (255,))):
            cv2.polylines(canvas, [corners], False, value, thickness, cv2.LINE_8, _SHIFT)

    def area(self, corners: Sequence[Point], ink: str) -> None:
        """Fill an area."""
        for canvas, value in ((self._colours, rgb(ink)), (self._alpha, (255,))):
            cv2.fillPoly(canvas, [self._points(corners)], value, cv2.LINE_8, _SHIFT)

    def disc(self, centre: Point, radius: float, ink: str) -> None:
        """Fill a disc."""
        (x, y) = self._points([centre])[0]
        reach = round(radius * self.scale * (1 << _SHIFT))
        for canvas, value in ((self._colours, rgb(ink)), (self._alpha, (255,))):
            cv2.circle(canvas, (int(x), int(y)), reach, value, -1, cv2.LINE_8, _SHIFT)

    def text(
        self, words: str, at: Point, height: float, colour: str, strokes: Sequence[tuple[str, float]]
    ) -> None:
        """Write a line whose top left is given."""
        scaled = tuple((ink, width * self.scale) for ink, width in strokes)
        picture, edge = letters.written(words, height * self.scale, colour, scaled)
        x, y = round((at[0] - self.left) * self.scale) - edge, round((at[1] - self.top) * self.scale) - edge
        rows, columns = self._alpha.shape
        left, top, right, bottom = (
            max(0, x),
            max(0, y),
            min(columns, x + picture.shape[1]),
            min(rows, y + picture.shape[0]),
        )
        if left >= right or top >= bottom:
            return
        piece = picture[top - y : bottom - y, left - x : right - x]
        inked = piece[:, :, 3] > 127
        self._colours[top:bottom, left:right][inked] = piece[:, :, :3][inked]
        self._alpha[top:bottom, left:right][inked] = 255

    def sprite(self, opacity: float = 1.0) -> Sprite:
        """Take it down."""
        share = self._alpha.astype(np.float32) * (opacity / 255)
        inked = self._colours.astype(np.float32) * share[:, :, None]
        size = (self.width, self.height)
        alpha = cv2.resize(share, size, interpolation=cv2.INTER_AREA)
        colours = cv2.resize(inked, size, interpolation=cv2.INTER_AREA)
        return Sprite(colours, alpha, self.left, self.top)

    def _points(self, path: Sequence[Point]) -> NDArray[np.int32]:
        # OpenCV's pixel centres are whole numbers, a canvas's are halves
        scaled = [((x - self.left) * self.scale - 0.5, (y - self.top) * self.scale - 0.5) for x, y in path]
        bounded = np.clip(np.array(scaled, np.float64), -30_000, 30_000)
        return np.rint(bounded * (1 << _SHIFT)).astype(np.int32)


def paint_mark(painted: Painted, picture: tuple[int, int]) -> list[Sprite]:
    """Draw a mark for a picture of this width and height: its lines, then its plates."""
    mark = painted.mark
    figure = figure_of(mark, painted.matrix, painted.unit)
    colour = STALE if painted.stale else painted.colour
    widths = strata(figure.width)
    points = figure.points()
    if figure.pin is not None:
        tip, centre, radius = figure.pin.tip, figure.pin.centre, figure.pin.radius
        points += [tip, (centre[0] - radius, centre[1]), (centre[0] + radius, centre[1] + radius)]
    if figure.text is not None:
        (x, y), height = figure.text
        points.append((x + letters.width_of(mark.text, height), y + height * 1.4))
    sheet = _Sheet(points, widths.halo + 4 + (figure.text[1] * 0.6 if figure.text else 0.0), picture)
    _draw_lines(sheet, figure, mark, painted.colour, colour)
    if figure.pin is not None:
        _draw_pin(sheet, figure, mark.number, colour)
    if figure.text is not None:
        (x, y), height = figure.text
        at = x, y - letters.above_capitals(height)
        sheet.text(mark.text, at, height, colour, ((HALO, height * 0.3), (CORE, height * 0.2)))
    sprites = [sheet.sprite(0.8 if painted.stale else 1.0)]
    if painted.measured:
        sprites.append(plate(painted.measured, measure_at(figure), colour, picture, 1.15))
    if painted.plate:
        sprites.append(plate(painted.plate, figure.top(), colour, picture))
    return sprites


def _draw_lines(sheet: _Sheet, figure: Figure, mark: Mark, dashed_as: str, colour: str) -> None:
    widths = strata(figure.width)
    smooth = mark.shape == "freehand"
    swelling = smooth and len(mark.pressures) == len(mark.points)
    for ink, width in ((HALO, widths.halo), (CORE, widths.core)):
        if swelling:
            _draw_swelling(sheet, figure.lines[0], mark.pressures, widths.colour, width - widths.colour, ink)
        else:
            for line in figure.lines:
                sheet.line(path_of(line, smooth=smooth), width, ink)
        for area in figure.areas:
            sheet.area(area, ink)
            sheet.line([*area, area[0]], width - widths.colour, ink)
    pattern = pattern_of(dashed_as, widths.colour)
    if swelling:
        _draw_dashed_swelling(sheet, figure.lines[0], mark.pressures, widths.colour, pattern, colour)
    else:
        for line in figure.lines:
            for dash in dashes(path_of(line, smooth=smooth), pattern):
                sheet.line(dash, widths.colour, colour)
    for area in figure.areas:
        sheet.area(area, colour)


def _radius(size: float, pressure: float) -> float:
    """Tell how thick a pen's line is: perfect-freehand's, with thinning 0.6 and 1.5 times the size."""
    return 1.5 * size * (0.5 - 0.6 * (0.5 - pressure))


def _draw_swelling(
    sheet: _Sheet, line: Line, pressures: Sequence[float], size: float, edge: float, ink: str
) -> None:
    stops = [
        (point, _radius(size, pressure) + edge / 2)
        for point, pressure in zip(line.points, pressures, strict=True)
    ]
    _draw_stops(sheet, stops, ink)


def _draw_stops(sheet: _Sheet, stops: Sequence[tuple[Point, float]], ink: str) -> None:
    for point, radius in stops:
        sheet.disc(point, radius, ink)
    for (start, thin), (end, thick) in itertools.pairwise(stops):
        reach = math.dist(start, end)
        if reach == 0:
            continue
        nx, ny = -(end[1] - start[1]) / reach, (end[0] - start[0]) / reach
        sheet.area(
            (
                (start[0] + nx * thin, start[1] + ny * thin),
                (end[0] + nx * thick, end[1] + ny * thick),
                (end[0] - nx * thick, end[1] - ny * thick),
                (start[0] - nx * thin, start[1] - ny * thin),
            ),
            ink,
        )


def _draw_dashed_swelling(
    sheet: _Sheet,
    line: Line,
    pressures: Sequence[float],
    size: float,
    pattern: Sequence[float],
    ink: str,
) -> None:
    pressed = [(x, y, pressure) for (x, y), pressure in zip(line.points, pressures, strict=True)]
    for part in _cut(pressed, pattern):
        _draw_stops(sheet, [((x, y), _radius(size, pressure)) for x, y, pressure in part], ink)


def dashes(path: Sequence[Point], pattern: Sequence[float]) -> list[list[Point]]:
    """Cut a line into what a dash pattern draws; the whole of it for a solid one."""
    return [[(x, y) for x, y, _ in part] for part in _cut([(x, y, 0.0) for x, y in path], pattern)]


def _cut(
    points: Sequence[tuple[float, float, float]], pattern: Sequence[float]
) -> list[list[tuple[float, float, float]]]:
    """The twin of `swelling.ts` `cut`."""
    if not pattern or not points:
        return [list(points)]
    parts, part, start = [], [points[0]], points[0]
    index, left = 0, pattern[0]
    for end in points[1:]:
        length = math.dist(start[:2], end[:2])
        while length > left:
            along = left / length
            at = (
                start[0] + along * (end[0] - start[0]),
                start[1] + along * (end[1] - start[1]),
                start[2] + along * (end[2] - start[2]),
            )
            if index % 2 == 0:
                parts.append([*part, at])
            length, start, part = length - left, at, [at]
            index = (index + 1) % len(pattern)
            left = max(0.01, pattern[index])
        left -= length
        start = end
        part.append(end)
    if index % 2 == 0 and part:
        parts.append(part)
    return parts


def _draw_pin(sheet: _Sheet, figure: Figure, number: int, colour: str) -> None:
    assert figure.pin is not None
    tip, (x, y), radius = figure.pin.tip, figure.pin.centre, figure.pin.radius
    turns = [math.pi * (0.75 + 1.5 * step / 48) for step in range(49)]
    outline = [
        tip,
        (x - radius * 0.72, y + radius * 0.7),
        *((x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns),
        tip,
    ]
    for ink, width in ((HALO, 7.0), (CORE, 4.0)):
        sheet.line(outline, width, ink)
    sheet.area(outline, colour)
    sheet.disc((x, y), radius * 0.78, CORE)
    said = str(number) if number else "·"
    height = radius * (0.95 if len(said) > 1 else 1.15)
    wide = letters.width_of(said, height)
    sheet.text(said, (x - wide / 2, y + radius * 0.06 - letters.middle_of_capitals(height)), height, HALO, ())


def plate(words: str, at: Point, colour: str, picture: tuple[int, int], scale: float = 1.0) -> Sprite:
    """Write a name or a measure on a dark plate, kept within the picture."""
    height = max(12.0, min(18.0, picture[1] * 0.02)) * scale
    width = letters.width_of(words, height) + height * 1.6
    left = min(max(2.0, at[0]), max(2.0, picture[0] - width - 2))
    top = min(max(2.0, at[1] - height * 2), max(2.0, picture[1] - height * 1.7 - 2))
    tall, round_ = height * 1.7, height * 0.45
    sheet = _Sheet([(left, top), (left + width, top + tall)], 2.0, picture)
    ink = "#{:02x}{:02x}{:02x}".format(*_PLATE)
    for x in (left + round_, left + width - round_):
        for y in (top + round_, top + tall - round_):
            sheet.disc((x, y), round_, ink)
    sheet.area(_box(left + round_, top, left + width - round_, top + tall), ink)
    sheet.area(_box(left, top + round_, left + width, top + tall - round_), ink)
    ground = sheet.sprite(0.9)
    front = _Sheet([(left, top), (left + width, top + tall)], 2.0, picture)
    front.disc((left + height * 0.65, top + height * 0.85), height * 0.25, colour)
    front.text(
        words,
        (left + height * 1.15, top + height * 0.87 - letters.middle_of_capitals(height)),
        height,
        _PLATE_TEXT,
        (),
    )
    return _over(ground, front.sprite())


def paint_pointer(
    trail: Iterable[tuple[Point, float]], name: str, colour: str, matrix: Matrix, picture: tuple[int, int]
) -> list[Sprite]:
    """Draw a laser pointer: `trail` with ages 0 (now) to 1 (gone), the newest last; its name may be empty."""
    places = [(apply(matrix, point), age) for point, age in trail]
    radius = max(6.0, picture[1] * 0.009)
    sprites = []
    for (start, _), (end, age) in itertools.pairwise(places):
        sheet = _Sheet([start, end], radius * 1.4, picture)
        sheet.line([start, end], radius * (1.2 - 0.8 * age), colour)
        sprites.append(sheet.sprite(0.7 * (1 - age)))
    (x, y), _ = places[-1]
    glow = _Sheet([(x, y)], radius * 2, picture)
    glow.disc((x, y), radius * 1.75, colour)
    sprites.append(glow.sprite(0x55 / 255))
    front = _Sheet([(x, y)], radius * 2, picture)
    for reach, ink in ((3.5, HALO), (2.0, CORE), (0.0, colour)):
        front.disc((x, y), radius + reach, ink)
    front.disc((x, y), radius * 0.4, HALO)
    sprites.append(front.sprite())
    if name:
        sprites.append(plate(name, (x + radius * 2, y - radius), colour, picture))
    return sprites


def _over(below: Sprite, above: Sprite) -> Sprite:
    """Lay one sprite on another of the same place."""
    rest = 1.0 - above.alpha
    colours = below.colours * rest[:, :, None] + above.colours
    return Sprite(colours, below.alpha * rest + above.alpha, below.left, below.top)


def _box(left: float, top: float, right: float, bottom: float) -> tuple[Point, ...]:
    return (left, top), (right, top), (right, bottom), (left, bottom)


def rgb(colour: str) -> tuple[int, int, int]:
    """Read #rrggbb; what is no colour is grey."""
    try:
        value = int(colour.removeprefix("#"), 16) if len(colour) == 7 else 0x9AA3AD
    except ValueError:
        value = 0x9AA3AD
    return value >> 16 & 255, value >> 8 & 255, value & 255
