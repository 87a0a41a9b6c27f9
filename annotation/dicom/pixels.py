"""Frames as a page draws them: any transfer syntax to little-endian samples, colour to RGB."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import gdcm
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.filereader import dcmread
from pydicom.pixels.utils import pixel_array
from pydicom.uid import JPEGExtended12Bit

from .errors import DicomError
from .reading import FAILURES, Bounded, number, quietly

Pixels = npt.NDArray[Any]

#: Largest file that is read as a whole, if its frames cannot be had one by one.
WHOLE_LIMIT: Final = 256 << 20


def decode(path: Path, frame: int) -> Pixels:
    """Decode a frame, counted from 1: (rows, columns) or (rows, columns, samples) of native order.

    Raise DicomError, OSError.
    """
    try:
        return quietly(pixel_array, path, index=frame - 1)
    except FAILURES as error:
        first = error
    if path.stat().st_size > WHOLE_LIMIT:
        raise DicomError(
            "broken", f"The frame cannot be decoded ({type(first).__name__}).", "undecodable"
        ) from None
    try:
        return quietly(_otherwise, path, frame)
    except FAILURES:
        raise DicomError(
            "broken", f"The frame cannot be decoded ({type(first).__name__}).", "undecodable"
        ) from None


def _otherwise(path: Path, frame: int) -> Pixels:
    """Decode what pydicom does not decode from a file, frame by frame."""
    with path.open("rb") as file:
        dataset = dcmread(Bounded(file), force=True)
    if dataset.file_meta.get("TransferSyntaxUID") == JPEGExtended12Bit and number(dataset, "BitsStored") > 8:
        return _twelve_bits(path, dataset, frame)
    # counts that are no numbers say one frame, as in the index
    dataset.NumberOfFrames = max(1, number(dataset, "NumberOfFrames", 1))
    return pixel_array(dataset, index=frame - 1)


def _twelve_bits(path: Path, dataset: Dataset, frame: int) -> Pixels:
    """Decode lossy JPEG of 12 bits, which pydicom leaves alone; GDCM's result is the same as DCMTK's."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    if not reader.Read():
        raise DicomError("broken", "The frame cannot be decoded.", "undecodable")
    image = reader.GetImage()
    rows, columns = number(dataset, "Rows"), number(dataset, "Columns")
    frames = max(1, number(dataset, "NumberOfFrames", 1))
    if image.GetBufferLength() != rows * columns * frames * 2 or number(dataset, "SamplesPerPixel", 1) != 1:
        raise DicomError("broken", "The frame is of another size than the file says.", "undecodable")
    buffer = image.GetBuffer().encode("utf-8", "surrogateescape")
    kind = "<i2" if number(dataset, "PixelRepresentation") else "<u2"
    pixels: Pixels = np.frombuffer(buffer, kind).reshape(frames, rows, columns)[frame - 1]
    return pixels


def as_served(pixels: Pixels) -> bytes:
    """Give a frame's samples as they go over the wire: little-endian, row by row, colours interleaved."""
    return np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).tobytes()
