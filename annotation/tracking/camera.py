"""How the whole picture moved since the one before; or that it was cut, or shows nothing to hold on to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .flow import Image, features, follow, shared
from .similarity import Matrix, Points, apply, compose, identity, scaled

#: Width at which the whole picture is looked at, px.
WIDTH: Final = 320
#: Below this share of points that moved together, nothing is known of the movement.
AGREED: Final = 0.3
#: So unlike (0-1, Hellinger's distance of the histograms) are pictures of which more must move together.
UNLIKE: Final = 0.45
AGREED_UNLIKE: Final = 0.6
#: Points of a picture; with fewer than these they are taken from its parts, columns and rows.
POINTS: Final = 70
FEW: Final = 35
PARTS: Final = (4, 3)
#: With fewer points the picture is blank: smoke, a lens against tissue, a cover.
LEAST: Final = 12


@dataclass(frozen=True, slots=True)
class Step:
    """What happened between two pictures. `matrix` is in px of the picture as given; None: cut, or blind.

    `distance`: how far the picture moved on average, in picture heights.
    """

    matrix: Matrix | None
    distance: float
    agreed: float


class Camera:
    """Follows the whole picture."""

    def __init__(self) -> None:
        self._before: Image | None = None
        self._histogram: NDArray[np.float32] | None = None
        self._last = identity()

    def receive(self, picture: Image, plain: Image) -> Step:
        """Take the next picture, levelled and as it came; tell what happened since the one before."""
        height, width = picture.shape
        factor = min(1.0, WIDTH / width)
        size = (round(width * factor), round(height * factor))
        small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        histogram = cv2.calcHist([plain], [0], None, [32], [0, 256]).reshape(-1)
        histogram /= max(1.0, float(histogram.sum()))
        before, earlier = self._before, self._histogram
        self._before, self._histogram = small, histogram
        if before is None or earlier is None or before.shape != small.shape:
            self._last = identity()
            return Step(identity() if before is None else None, 0.0, 0.0)
        points = _points(before)
        # what moved goes on moving: the guess finds larger steps
        found, sure = follow(before, small, points, apply(self._last, points), window=13, levels=3)
        matrix, agreeing = shared(points[sure], found[sure], 1.0)
        agreed = int(agreeing.sum()) / max(LEAST, len(points))
        likeness = float(np.sqrt(histogram * earlier).sum())
        unlike = float(np.sqrt(max(0.0, 1.0 - likeness)))
        if matrix is None or agreed < (AGREED_UNLIKE if unlike > UNLIKE else AGREED):
            self._last = identity()
            return Step(None, 0.0, agreed)
        self._last = matrix
        grid = np.array([[x * size[0] / 6, y * size[1] / 6] for x in range(7) for y in range(7)])
        moved = np.linalg.norm(apply(matrix, grid) - grid, axis=1).mean() / size[1]
        return Step(_centred(matrix, factor), float(moved), agreed)


def _points(picture: Image) -> Points:
    """Give points to hold on to, all over the picture.

    Corners count beside the sharpest there is: letters that an endoscope writes into its picture would be all of them,
    and do not move with the tissue. Where there are few, each part of the picture gives its own.
    """
    points = features(picture, POINTS, 8)
    if len(points) >= FEW:
        return points
    height, width = picture.shape
    columns, rows = PARTS
    some = []
    for column in range(columns):
        for row in range(rows):
            left, top = column * width // columns, row * height // rows
            part = picture[top : (row + 1) * height // rows, left : (column + 1) * width // columns]
            found = features(np.ascontiguousarray(part), POINTS // (columns * rows), 8)
            some.append(found + np.array([left, top]))
    return np.concatenate(some)


def _centred(matrix: Matrix, factor: float) -> Matrix:
    """Give a movement of the small picture in px of the large one; pixel centres lie half a pixel in."""
    shift = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    back = np.array([[1.0, 0.0, -0.5], [0.0, 1.0, -0.5]])
    return compose(back, compose(scaled(compose(shift, compose(matrix, back)), 1 / factor), shift))
