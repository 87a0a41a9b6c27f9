"""What a measuring mark measures: the server's twin of the page's `web_client/src/dicom/measurements.ts`.

tests/vectors/measurements.json holds the two together. Points are fractions of the image; a value is never on the wire
but computed from them, from the spacing and from the image's values. A pixel belongs to a region when its centre lies
in it or on its border. An angle needs the proportion of the pixel only, which may be known where its size is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ..shapes import Mark, Point
from .frames import of_frame
from .spacing import UNKNOWN, Basis, Region, Spacing, regions_of, spacing_at, spacing_of

#: The shapes that measure.
MEASURING: Final = frozenset(
    {"length", "angle", "cobb", "bidirectional", "roi_ellipse", "roi_rectangle", "probe"}
)

#: A frame's values with the rescale applied, rows by columns.
Pixels = NDArray[Any]


@dataclass(frozen=True, slots=True)
class MeasuredImage:
    """An image as far as measuring needs it; `unit` is that of its values (HU, or nothing)."""

    columns: int
    rows: int
    spacing: Spacing = UNKNOWN
    regions: tuple[Region, ...] = ()
    pixels: Pixels | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of the values of the pixels whose centre lies within; of a probe its one. The deviation is the population's."""

    mean: float | None = None
    deviation: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    pixels: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured: lengths in millimetres or pixels by `basis` (two: the longer first), the angle in degrees, the
    area in square millimetres or square pixels."""

    basis: Basis
    unit: str
    lengths: tuple[float, ...] = ()
    angle: float | None = None
    area: float | None = None
    values: Statistics = Statistics()


def measured_image(image: Dataset, pixels: Pixels | None = None, frame: int = 1) -> MeasuredImage:
    """Read what measuring needs of a frame; `pixels` are its rescaled values, if it is in grey."""
    image = of_frame(image, frame)
    unit = str(image.get("RescaleType", "") or "")
    if not unit and image.get("Modality") == "CT" and "LOCALIZER" not in _kinds(image):
        unit = "HU"  # PS3.3 C.8.2.1.1.2: a CT's values are Hounsfield units, but not those of a localizer
    return MeasuredImage(
        int(image.Columns),
        int(image.Rows),
        spacing_of(image),
        regions_of(image),
        pixels,
        "" if unit == "US" else unit[:16],
    )


def _kinds(image: Dataset) -> tuple[str, ...]:
    kinds = image.get("ImageType") or ()
    return (kinds,) if isinstance(kinds, str) else tuple(map(str, kinds))


def measure(mark: Mark, image: MeasuredImage) -> Measured | None:
    """Measure; None for a mark that is not for measuring."""
    if mark.shape not in MEASURING:
        return None
    points = [(x * image.columns, y * image.rows) for x, y in mark.points]
    spacing = spacing_at(points, image.spacing, image.regions)
    basis, unit = spacing.basis, image.unit
    match mark.shape:
        case "length":
            return Measured(basis, unit, (_distance(points[0], points[1], spacing),))
        case "angle":
            first = _direction(points[1], points[0], spacing)
            return Measured(basis, unit, angle=_between(first, _direction(points[1], points[2], spacing)))
        case "cobb":
            # both endplates from left to right: so that a curve of more than 90 degrees is not taken for its complement
            first = _rightwards(_direction(points[0], points[1], spacing))
            second = _rightwards(_direction(points[2], points[3], spacing))
            return Measured(basis, unit, angle=_between(first, second))
        case "bidirectional":
            axes = [_distance(points[0], points[1], spacing), _distance(points[2], points[3], spacing)]
            return Measured(basis, unit, tuple(sorted(axes, reverse=True)))
        case "probe":
            return Measured(basis, unit, values=_probe(points[0], image))
        case _:
            return _region(mark.shape == "roi_ellipse", points, spacing, image)


def label(measured: Measured | None) -> str:
    """Write measured values as they stand beside the mark; empty: there are none.

    In ASCII: a viewer that minds no character set shows them right, too.
    """
    if measured is None:
        return ""
    known = measured.basis != "none"
    parts = []
    if measured.lengths:
        lengths = " x ".join(f"{length:.1f}" for length in measured.lengths)
        parts.append(f"{lengths} mm" if known else f"{lengths} px, uncalibrated")
    if measured.angle is not None:
        parts.append(f"{measured.angle:.1f} deg")
    if measured.area is not None:
        parts.append(f"{measured.area:.1f} mm2" if known else f"{measured.area:.0f} px2, uncalibrated")
    values, unit = measured.values, f" {measured.unit}" if measured.unit else ""
    if values.mean is not None:
        parts.append(f"{values.mean:.1f}{unit}" if values.pixels == 1 else f"mean {values.mean:.1f}{unit}")
    if values.deviation is not None and values.pixels > 1:
        parts.append(f"SD {values.deviation:.1f}")
    if measured.basis == "detector":
        parts.append("at the detector")
    return ", ".join(parts)


def _distance(first: Point, second: Point, spacing: Spacing) -> float:
    if spacing.basis == "none":
        return math.hypot(second[0] - first[0], second[1] - first[1])
    return math.hypot((second[0] - first[0]) * spacing.x, (second[1] - first[1]) * spacing.y)


def _direction(start: Point, end: Point, spacing: Spacing) -> Point:
    return ((end[0] - start[0]) * spacing.x, (end[1] - start[1]) * spacing.y)


def _rightwards(direction: Point) -> Point:
    x, y = direction
    return (-x, -y) if x < 0 or (x == 0 and y < 0) else direction


def _between(first: Point, second: Point) -> float:
    cross = first[0] * second[1] - first[1] * second[0]
    return math.degrees(math.atan2(abs(cross), first[0] * second[0] + first[1] * second[1]))


def _pixels(image: MeasuredImage) -> Pixels | None:
    fits = image.pixels is not None and image.pixels.shape == (image.rows, image.columns)
    return image.pixels if fits else None


def _region(ellipse: bool, points: Sequence[Point], spacing: Spacing, image: MeasuredImage) -> Measured:
    (x0, y0), (x1, y1) = points
    left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    box = (right - left) * (bottom - top)
    if spacing.basis != "none":
        box *= spacing.x * spacing.y
    area = box * math.pi / 4 if ellipse else box
    return Measured(
        spacing.basis, image.unit, area=area, values=_within(ellipse, (left, top, right, bottom), image)
    )


def _within(ellipse: bool, box: tuple[float, float, float, float], image: MeasuredImage) -> Statistics:
    left, top, right, bottom = box
    pixels = _pixels(image)
    # only the pixels whose centres can lie in the box
    rows = np.arange(max(0, math.ceil(top - 0.5)), min(image.rows, math.floor(bottom - 0.5) + 1))
    columns = np.arange(max(0, math.ceil(left - 0.5)), min(image.columns, math.floor(right - 0.5) + 1))
    if pixels is None or rows.size == 0 or columns.size == 0:
        return Statistics()
    values = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float64)
    if ellipse:
        if right == left or bottom == top:
            return Statistics()
        across = (columns + 0.5 - (left + right) / 2) / ((right - left) / 2)
        down = (rows + 0.5 - (top + bottom) / 2) / ((bottom - top) / 2)
        values = values[across[None, :] ** 2 + down[:, None] ** 2 <= 1]
    else:
        values = values.ravel()
    return _statistics(values)


def _probe(point: Point, image: MeasuredImage) -> Statistics:
    pixels = _pixels(image)
    column, row = int(point[0]), int(point[1])
    if pixels is None or column >= image.columns or row >= image.rows:
        return Statistics()
    return _statistics(np.array([pixels[row, column]], np.float64))


def _statistics(values: Pixels) -> Statistics:
    if values.size == 0:
        return Statistics()
    return Statistics(
        float(values.mean()), float(values.std()), float(values.min()), float(values.max()), int(values.size)
    )
