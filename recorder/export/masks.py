"""Rectangles over a camera's picture that a person drew: what lies under them is black in the film.

They hide words burnt into a picture (a name on an endoscopy tower's screen), which stay where they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .kinds import ExportError

#: Masks of all cameras of one film.
MOST_MASKS = 64
_FIELDS = frozenset({"producer", "x", "y", "width", "height"})


@dataclass(frozen=True, slots=True)
class Mask:
    """A rectangle on a producer's picture, in shares of its width and height (0-1)."""

    producer: int
    x: float
    y: float
    width: float
    height: float

    def rows_and_columns(self, width: int, height: int) -> tuple[slice, slice]:
        """Give what it covers of a picture of this size: every pixel that it touches, by pairs as colours are."""
        left, right = math.floor(self.x * width), math.ceil((self.x + self.width) * width)
        top, bottom = math.floor(self.y * height), math.ceil((self.y + self.height) * height)
        return slice(top & ~1, bottom + bottom % 2), slice(left & ~1, right + right % 2)


def masks_on(masks: Iterable[Mask], producer: int) -> tuple[Mask, ...]:
    """Choose those of a camera."""
    return tuple([mask for mask in masks if mask.producer == producer])


def masks_of_one(masks: Sequence[Mask], producer: int) -> tuple[Mask, ...]:
    """Choose those of a camera that is shown alone. Raises ExportError where all lie elsewhere: words would be seen."""
    found = masks_on(masks, producer)
    if masks and not found:
        raise ExportError(
            "The masks lie on another camera than the one that this film shows.", "masks_elsewhere"
        )
    return found


def read_masks(value: object) -> tuple[Mask, ...]:
    """Read the masks of a request. Raises ExportError."""
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MOST_MASKS:
        raise ExportError(f"`masks` is a list of at most {MOST_MASKS} rectangles.")
    return tuple([_mask(each) for each in value])


def _mask(value: object) -> Mask:
    if not isinstance(value, dict) or set(value) != _FIELDS:
        raise ExportError("A mask has `producer`, `x`, `y`, `width` and `height`.")
    producer = value["producer"]
    sides = [value[name] for name in ("x", "y", "width", "height")]
    right = all(
        isinstance(side, int | float) and not isinstance(side, bool) and 0 <= side <= 1 for side in sides
    )
    if type(producer) is not int or not 0 < producer < 1 << 32 or not right:
        raise ExportError("A mask lies on a camera's picture, in shares of it from 0 to 1.")
    x, y, width, height = (float(side) for side in sides)
    if not (width > 0 and height > 0) or x + width > 1.000_001 or y + height > 1.000_001:
        raise ExportError("A mask lies within the picture and covers something of it.")
    return Mask(producer, x, y, width, height)
