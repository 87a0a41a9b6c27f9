"""A frame as a picture for eyes (PS3.18, 8.3.5): modality and window applied, palettes to RGB, PNG or JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi

from .errors import DicomError
from .frames import of_frame
from .pixels import Pixels, decode
from .reading import FAILURES, parse, quietly, text

#: Most pixels that are rendered, and the largest side that may be asked for.
PIXELS_LIMIT: Final = 64 << 20
SIDE_LIMIT: Final = 8192

Format = Literal["png", "jpeg"]
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


def render(path: Path, frame: int, window: Window | None, kind: Format, side: int = 0) -> bytes:
    """Render a frame, counted from 1; `side` bounds its longer side, unless it is 0. Raise DicomError, OSError."""
    with path.open("rb") as source:
        dataset = parse(source).dataset
    pixels = decode(path, frame)
    if pixels.shape[0] * pixels.shape[1] > PIXELS_LIMIT:
        raise DicomError("too_large", "The frame has too many pixels to be rendered.")
    try:
        shown = quietly(_shown, dataset, pixels, frame, window)
    except FAILURES as error:
        raise DicomError("broken", f"The frame cannot be rendered ({type(error).__name__}).") from None
    picture = Image.fromarray(shown)
    if side and max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
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
        return _eight_bits(apply_color_lut(pixels, dataset))
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
