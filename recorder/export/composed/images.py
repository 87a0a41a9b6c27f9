"""The image that somebody presents, as the presenter had it: window, place, turn, with the marks on it.

Only an image that the room still has can be shown, and only its stored frames: a cut that was computed beside the page
is not made anew. Where there is no picture the film says so in a sentence.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from annotation.dicom.errors import DicomError
from annotation.dicom.rendering import Window, render

from .figures import Matrix

Pixels = NDArray[np.uint8]

#: Rendered frames that are kept: a film within the film shows each once.
_KEPT = 6
_MOST_ZOOM = 100.0


@dataclass(frozen=True, slots=True)
class Pane:
    """What is looked at: a stored frame of an image, and how."""

    instance: str
    frame: int
    window: tuple[float, float] | None
    invert: bool
    centre: tuple[float, float]
    zoom: float
    rotation: float
    flip: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A pane's picture, and the way from fractions of the image to it. `unit`: its height there, in pixels."""

    picture: Pixels
    matrix: Matrix
    unit: float


def active_pane(state: object) -> dict[str, Any] | None:
    """Take the pane that is worked on out of a viewport's state; None: nothing is in it."""
    panes = state.get("panes") if isinstance(state, dict) else None
    active = state.get("active") if isinstance(state, dict) else None
    if not isinstance(panes, list) or type(active) is not int or not 0 <= active < len(panes):
        return None
    pane = panes[active]
    return pane if isinstance(pane, dict) else None


def read_pane(fields: Mapping[str, Any]) -> Pane | None:
    """Read a pane; None where it is not a stored frame, or cannot be."""
    instance, frame, window = fields.get("instance"), fields.get("frame"), fields.get("window")
    numbers = [fields.get(name) for name in ("zoom", "rotation")] + _pair(fields.get("centre"))
    if fields.get("plane") != "stack" or not isinstance(instance, str) or type(frame) is not int:
        return None
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        return None
    zoom, rotation, x, y = (float(str(number)) for number in numbers)
    levels = _pair(window)
    known = all(isinstance(level, int | float) and math.isfinite(level) for level in levels)
    return Pane(
        instance,
        frame,
        (float(levels[0]), float(levels[1])) if known and levels[1] else None,
        fields.get("invert") is True,
        (x, y),
        min(max(zoom, 0.01), _MOST_ZOOM),
        rotation,
        fields.get("flip") is True,
    )


def _pair(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) and len(value) == 2 else [None, None]


class Images:
    """The room's images that are still there, by their UIDs."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths
        self._rendered: OrderedDict[object, Pixels | None] = OrderedDict()

    def show(self, pane: Pane, width: int, height: int) -> Shown | None:
        """Draw a pane in this size; None: its image is gone, or cannot be decoded."""
        picture = self._picture(pane)
        if picture is None:
            return None
        rows, columns = picture.shape[:2]
        scale = min(width / columns, height / rows) * pane.zoom
        turn, side = math.radians(pane.rotation), -1.0 if pane.flip else 1.0
        a, b = side * scale * math.cos(turn), scale * math.sin(turn)
        c, d = -side * scale * math.sin(turn), scale * math.cos(turn)
        x, y = pane.centre[0] * columns, pane.centre[1] * rows
        e, f = width / 2 - a * x - c * y, height / 2 - b * x - d * y
        # a pixel's own place is its middle
        shift = np.array([[a, c, a / 2 + c / 2 + e - 0.5], [b, d, b / 2 + d / 2 + f - 0.5]], np.float64)
        smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        drawn = cv2.warpAffine(picture, shift, (width, height), flags=smooth, borderValue=(0, 0, 0))
        matrix = (a * columns, b * columns, c * rows, d * rows, e, f)
        return Shown(np.ascontiguousarray(drawn, np.uint8), matrix, rows * scale)

    def _picture(self, pane: Pane) -> Pixels | None:
        name = (pane.instance, pane.frame, pane.window, pane.invert)
        if name not in self._rendered:
            self._rendered[name] = self._render(pane)
            if len(self._rendered) > _KEPT:
                self._rendered.popitem(last=False)
        return self._rendered[name]

    def _render(self, pane: Pane) -> Pixels | None:
        path = self._paths.get(pane.instance)
        if path is None:
            return None
        window = Window(*pane.window) if pane.window is not None else None
        try:
            png = render(path, pane.frame, window, "png")
        except (DicomError, OSError):
            return None
        decoded = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        if decoded is None:
            return None
        picture = np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
        return np.asarray(255 - picture, np.uint8) if pane.invert else picture
