"""Frames as a page draws them: any transfer syntax to little-endian samples, colour to RGB."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from pydicom.pixels.utils import pixel_array

from .errors import DicomError
from .reading import FAILURES, quietly

Pixels = npt.NDArray[Any]


def decode(source: Path | BinaryIO, frame: int) -> Pixels:
    """Decode a frame, counted from 1: (rows, columns) or (rows, columns, samples) of native order. Raise DicomError."""
    try:
        return quietly(_decode, source, frame)
    except FAILURES as error:
        raise DicomError("broken", f"The frame cannot be decoded ({type(error).__name__}).") from None


def _decode(source: Path | BinaryIO, frame: int) -> Pixels:
    return pixel_array(source, index=frame - 1)


def as_served(pixels: Pixels) -> bytes:
    """Give a frame's samples as they go over the wire: little-endian, row by row, colours interleaved."""
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes()
