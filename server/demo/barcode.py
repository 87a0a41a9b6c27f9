"""The barcode of docs/barcode.md: a frame's number, drawn where a program can read it back from the glass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: A frame or one plane of it: uint8, (height, width) or (height, width, channels).
Picture = NDArray[np.uint8]

_BITS = 16
#: Two reference cells (white, black), then the number.
_CELLS = 2 + _BITS
_CELLS_PER_HEIGHT = 40
#: Smaller cells, in pixels, have no inner half to speak of.
_LEAST_CELL = 3
#: Below this difference of the reference cells there is no barcode.
_LEAST_CONTRAST = 64


def strip_size(height: int) -> tuple[int, int]:
    """Return (width, height) in pixels of the strip, its white border included."""
    cell = height / _CELLS_PER_HEIGHT
    return round((_CELLS + 1) * cell), round(2 * cell)


def draw(frame: Picture, number: int, *, black: int = 0, white: int = 255) -> None:
    """Draw the number, modulo 65,536, into the top left corner, in place.

    For a luma plane of limited range `black` is 16 and `white` 235. ValueError when the strip does not fit.
    """
    cell = frame.shape[0] / _CELLS_PER_HEIGHT
    width, height = strip_size(frame.shape[0])
    if width > frame.shape[1] or cell < _LEAST_CELL:
        raise ValueError(f"A barcode does not fit into a frame of {frame.shape[1]}×{frame.shape[0]}.")
    frame[:height, :width] = white
    number %= 1 << _BITS
    top, bottom = round(0.5 * cell), round(1.5 * cell)
    for index in range(_CELLS):
        left, right = round((index + 0.5) * cell), round((index + 1.5) * cell)
        # cell 0 is white and cell 1 black, then the bits, most significant first
        lit = index == 0 or (index >= 2 and number >> (_CELLS - 1 - index) & 1)
        frame[top:bottom, left:right] = white if lit else black


def read(frame: Picture) -> int | None:
    """Return the number in the frame's corner, or None when there is no barcode."""
    cell = frame.shape[0] / _CELLS_PER_HEIGHT
    if strip_size(frame.shape[0])[0] > frame.shape[1] or cell < _LEAST_CELL:
        return None
    # the mean of each cell's inner half
    top, bottom = round(0.75 * cell), round(1.25 * cell)
    means = [
        float(frame[top:bottom, round((index + 0.75) * cell) : round((index + 1.25) * cell)].mean())
        for index in range(_CELLS)
    ]
    light, dark = means[0], means[1]
    if light - dark < _LEAST_CONTRAST:
        return None
    threshold = (light + dark) / 2
    # without a white border a bright picture would now and then read as a number
    edge = max(1, round(0.4 * cell))
    if float(frame[:edge, : round((_CELLS + 1) * cell)].mean()) < threshold:
        return None
    number = 0
    for mean in means[2:]:
        number = number << 1 | (mean > threshold)
    return number
