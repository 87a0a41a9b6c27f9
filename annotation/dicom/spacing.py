"""How large a pixel is, and whence it is known: the twin of the page's `web_client/src/dicom/spacing.ts`.

`spacing` is in the patient (PixelSpacing, PS3.3 C.7.6.3); `calibrated` the same of a projection that somebody or
something calibrated (10.7.1.3); `detector` at the detector of a projection: what lies before it was smaller; `region`
in a region of an ultrasound image (C.8.5.5); `none`: not known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydicom.dataset import Dataset

from ..shapes import Point

Basis = Literal["spacing", "calibrated", "detector", "region", "none"]

#: PhysicalUnitsXDirection of centimetres (PS3.3 C.8.5.5.1.15).
_CENTIMETRES: Final = 3
_REGIONS_LIMIT: Final = 64


@dataclass(frozen=True, slots=True)
class Spacing:
    """Millimetres from a column to the next, and from a row to the next; without a basis 1 and the pixel's aspect."""

    basis: Basis
    x: float
    y: float


UNKNOWN: Final = Spacing("none", 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Region:
    """A part of an ultrasound image with a scale of its own: pixels, both corners within it; millimetres a pixel."""

    left: float
    top: float
    right: float
    bottom: float
    x: float
    y: float

    def holds(self, point: Point) -> bool:
        """Tell whether a point, in pixels, lies in it."""
        return self.left <= point[0] <= self.right + 1 and self.top <= point[1] <= self.bottom + 1


def spacing_of(image: Dataset) -> Spacing:
    """Read the spacing that holds for a whole image."""
    pixel = _pair(image.get("PixelSpacing"))
    imager = _pair(image.get("ImagerPixelSpacing")) or _pair(image.get("NominalScannedPixelSpacing"))
    if pixel is not None:
        basis: Basis = "spacing"
        if imager is not None and all(
            math.isclose(a, b, rel_tol=1e-6) for a, b in zip(pixel, imager, strict=True)
        ):
            # a projection whose both spacings agree was not corrected for its magnification (10.7.1.3)
            basis = "detector"
        elif imager is not None or image.get("PixelSpacingCalibrationType"):
            basis = "calibrated"
        return Spacing(basis, pixel[1], pixel[0])
    if imager is not None:
        return Spacing("detector", imager[1], imager[0])
    aspect = _pair(image.get("PixelAspectRatio"))
    return UNKNOWN if aspect is None else Spacing("none", 1.0, aspect[0] / aspect[1])


def regions_of(image: Dataset) -> tuple[Region, ...]:
    """Read an ultrasound image's regions whose scale is a length in both directions."""
    found = []
    for item in list(image.get("SequenceOfUltrasoundRegions") or ())[:_REGIONS_LIMIT]:
        try:
            units = (item.PhysicalUnitsXDirection, item.PhysicalUnitsYDirection)
            x, y = 10 * abs(float(item.PhysicalDeltaX)), 10 * abs(float(item.PhysicalDeltaY))
            corners = [
                float(item[f"RegionLocation{end}"].value) for end in ("MinX0", "MinY0", "MaxX1", "MaxY1")
            ]
        except (AttributeError, KeyError, TypeError, ValueError):
            continue
        if units == (_CENTIMETRES, _CENTIMETRES) and 0 < x < 1e6 and 0 < y < 1e6:
            found.append(Region(corners[0], corners[1], corners[2], corners[3], x, y))
    return tuple(found)


def spacing_at(points: Sequence[Point], image: Spacing, regions: Sequence[Region]) -> Spacing:
    """Give the spacing for points in pixels: the region's that holds them all, where there are regions."""
    if not regions:
        return image
    for region in regions:
        if all(region.holds(point) for point in points):
            return Spacing("region", region.x, region.y)
    return UNKNOWN


def _pair(values: Any) -> tuple[float, float] | None:
    try:
        first, second = (float(value) for value in list(values)[:2])
    except (TypeError, ValueError):
        return None
    usable = math.isfinite(first) and math.isfinite(second) and first > 0 and second > 0
    return (first, second) if usable else None
