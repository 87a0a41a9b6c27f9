"""A frame as a picture for eyes (PS3.18, 8.3.5): modality and window applied, palettes to RGB, PNG or JPEG."""

from __future__ import annotations

import copy
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi
from pydicom.uid import ExplicitVRBigEndian

from .errors import DicomError
from .frames import of_frame
from .metadata import swapped
from .pixels import Pixels, decode
from .reading import FAILURES, parse, quietly, text

#: Most pixels that are rendered, and the largest side that may be asked for.
PIXELS_LIMIT: Final = 64 << 20
SIDE_LIMIT: Final = 8192

Format = Literal["png", "jpeg"]
_COUNT: Final = re.compile(r"[0-9]{1,5}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,7}(?:\.[0-9]{0,6})?|", re.ASCII)
#: What turns a frame's stored values into grey.
_NEEDED: Final = (
    *(
        "BitsStored",
        "BitsAllocated",
        "PixelRepresentation",
        "RescaleSlope",
        "RescaleIntercept",
        "RescaleType",
    ),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "ModalityLUTSequence"),
)
_FUNCTIONS: Final = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}


@dataclass(frozen=True, slots=True)
class Window:
    """Which values are shown between black and white (PS3.3, C.11.2.1.2)."""

    centre: float
    width: float
    function: str = "LINEAR"


def parse_window(value: str) -> Window:
    """Parse the `window` parameter, centre,width[,function]. Raise DicomError bad_query."""
    parts = value.split(",")
    try:
        centre, width = float(parts[0]), float(parts[1])
        function = _FUNCTIONS[parts[2]] if len(parts) == 3 else "LINEAR"
    except (ValueError, IndexError, KeyError):
        centre = width = float("nan")
        function = "LINEAR"
    if len(parts) > 3 or not abs(centre) < 1e9 or not (1 if function == "LINEAR" else 1e-9) <= width < 1e9:
        raise DicomError("bad_query", "window is centre,width and perhaps linear, linear-exact or sigmoid.")
    return Window(centre, width, function)


@dataclass(frozen=True, slots=True)
class Viewport:
    """Into which size, in pixels, which part of the picture is put (PS3.18, 8.3.5.1.3)."""

    width: int
    height: int
    #: left, top, width and height of the part, pixels of the picture; a negative width or height mirrors it
    part: tuple[float, float, float, float] | None = None

    def to_json(self) -> list[float]:
        """Write as numbers."""
        return [self.width, self.height, *(self.part or ())]

    @classmethod
    def from_json(cls, numbers: list[float] | None) -> Viewport | None:
        """Read what `to_json` wrote."""
        if numbers is None:
            return None
        part = (numbers[2], numbers[3], numbers[4], numbers[5]) if len(numbers) == 6 else None
        return cls(int(numbers[0]), int(numbers[1]), part)


def parse_viewport(value: str) -> Viewport:
    """Parse the `viewport` parameter, vw,vh[,sx,sy,sw,sh], of which the last four may be empty. Raise DicomError."""
    pieces = value.split(",")
    if len(pieces) not in (2, 6) or not all(_COUNT.fullmatch(piece) for piece in pieces[:2]):
        raise DicomError(
            "bad_query", "viewport is width,height in pixels and perhaps the part that is shown."
        )
    width, height = int(pieces[0]), int(pieces[1])
    if not (1 <= width <= SIDE_LIMIT and 1 <= height <= SIDE_LIMIT):
        raise DicomError("bad_query", f"viewport has sides from 1 to {SIDE_LIMIT} pixels.")
    if len(pieces) == 2:
        return Viewport(width, height)
    if not all(_NUMBER.fullmatch(piece) for piece in pieces[2:]):
        raise DicomError("bad_query", "The part in viewport is four numbers: left, top, width, height.")
    # what is left out: from the edge, and as wide and high as the picture (nought stands for that)
    left, top, wide, high = (float(piece or 0) for piece in pieces[2:])
    return Viewport(width, height, (left, top, wide, high))


def fitted(picture: Image.Image, viewport: Viewport | None) -> Image.Image:
    """Cut out the part, mirror it, and shrink it into the viewport with its proportions kept; never enlarge it.

    Raise DicomError bad_query if the part lies beside the picture.
    """
    if viewport is None:
        return picture
    if viewport.part is not None:
        left, top, wide, high = viewport.part
        wide, high = wide or picture.width, high or picture.height
        box = (
            max(0, round(left)),
            max(0, round(top)),
            min(picture.width, round(left + abs(wide))),
            min(picture.height, round(top + abs(high))),
        )
        if box[0] >= box[2] or box[1] >= box[3]:
            raise DicomError("bad_query", "The part that viewport names lies beside the picture.")
        picture = picture.crop(box)
        if wide < 0:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if high < 0:
            picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    if picture.width > viewport.width or picture.height > viewport.height:
        picture.thumbnail((viewport.width, viewport.height), Image.Resampling.LANCZOS)
    return picture


def render(
    path: Path, frame: int, window: Window | None, kind: Format, viewport: Viewport | None = None
) -> bytes:
    """Render a frame, counted from 1. Raise DicomError, OSError."""
    with path.open("rb") as source:
        dataset = parse(source).dataset
    pixels = decode(path, frame)
    if pixels.shape[0] * pixels.shape[1] > PIXELS_LIMIT:
        raise DicomError("too_large", "The frame has too many pixels to be rendered.")
    try:
        shown = quietly(_shown, dataset, pixels, frame, window)
    except FAILURES as error:
        raise DicomError("broken", f"The frame cannot be rendered ({type(error).__name__}).") from None
    picture = fitted(Image.fromarray(shown), viewport)
    buffer = io.BytesIO()
    if kind == "png":
        picture.save(buffer, "PNG", compress_level=1)
    else:
        picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _shown(dataset: Dataset, pixels: Pixels, frame: int, window: Window | None) -> Pixels:
    """Give 8 bits of grey or of RGB."""
    photometric = text(dataset, "PhotometricInterpretation")
    if photometric == "PALETTE COLOR":
        return _eight_bits(apply_color_lut(pixels, _readable_palette(dataset)))
    if pixels.ndim == 3:
        return _eight_bits(pixels[..., :3])
    about = _of_frame(dataset, frame)
    values = apply_modality_lut(pixels, about)
    window = window or own_window(about)
    if window is not None:
        share = _windowed(np.asarray(values, np.float64), window)
    elif "VOILUTSequence" in about:
        bits = int(about.VOILUTSequence[0].LUTDescriptor[2])
        share = np.asarray(apply_voi(values, about), np.float64) / ((1 << bits) - 1)
    else:
        plain = np.asarray(values, np.float64)
        share = (plain - plain.min()) / max(float(plain.max() - plain.min()), 1e-12)
    grey = np.clip(share * 255.0 + 0.5, 0, 255).astype(np.uint8)
    return 255 - grey if photometric == "MONOCHROME1" else grey


def _readable_palette(dataset: Dataset) -> Dataset:
    """Turn the tables of a big-endian file round: pydicom reads those that are not in segments as little-endian."""
    if dataset.file_meta.get("TransferSyntaxUID") != ExplicitVRBigEndian:
        return dataset
    turned = copy.copy(dataset)
    for colour in ("Red", "Green", "Blue"):
        keyword = f"{colour}PaletteColorLookupTableData"
        if keyword in turned:
            setattr(turned, keyword, swapped(turned[keyword].value, "OW"))
    return turned


def own_window(about: Dataset) -> Window | None:
    """Give the file's own window; a width that its function cannot have (PS3.3, C.11.2.1.2) is none at all."""
    if about.get("WindowCenter") in (None, "") or about.get("WindowWidth") in (None, ""):
        return None
    function = text(about, "VOILUTFunction") or "LINEAR"
    width = _first(about, "WindowWidth")
    possible = width >= 1 if function == "LINEAR" else width > 0
    return Window(_first(about, "WindowCenter"), width, function) if possible else None


def _first(about: Dataset, keyword: str) -> float:
    value = about[keyword].value
    return float(value if isinstance(value, str) or not hasattr(value, "__iter__") else next(iter(value)))


def _windowed(values: npt.NDArray[np.float64], window: Window) -> npt.NDArray[np.float64]:
    """Give the share of white (PS3.3, C.11.2.1.2.1 and C.11.2.1.3)."""
    if window.function == "SIGMOID":
        exponent = np.clip(-4.0 * (values - window.centre) / window.width, -700, 700)
        return np.asarray(1.0 / (1.0 + np.exp(exponent)))
    if window.function == "LINEAR_EXACT":
        return np.asarray((values - window.centre) / window.width + 0.5)
    if window.width <= 1:
        return np.asarray(values > window.centre - 0.5, np.float64)
    return np.asarray((values - (window.centre - 0.5)) / (window.width - 1) + 0.5)


def _of_frame(dataset: Dataset, frame: int) -> Dataset:
    """Gather what holds for one frame, and what is needed to work on its values."""
    about, found = Dataset(), of_frame(dataset, frame)
    for keyword in _NEEDED:
        if keyword in found and (keyword.endswith("Sequence") or found.get(keyword) is not None):
            about.add(found[keyword])
    about.setdefault("BitsStored", dataset.get("BitsAllocated", 8))
    about.setdefault("PixelRepresentation", 0)
    if ("WindowCenter" in about) != ("WindowWidth" in about):
        about.pop("WindowCenter", None)
        about.pop("WindowWidth", None)
    return about


def _eight_bits(pixels: Pixels) -> Pixels:
    """Scale colours to 8 bits."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    bits = pixels.dtype.itemsize * 8
    shifted: Pixels = (pixels.astype(np.uint64) >> np.uint64(bits - 8)).astype(np.uint8)
    return shifted
