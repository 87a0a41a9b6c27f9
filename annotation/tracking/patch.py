"""The tissue that a mark was drawn on, kept as it was then: every later finding is held against it.

What is followed from picture to picture drifts, a little each time, and nobody notices. So the place that came out
is cut from the new picture, turned and scaled back, and compared with the original: where it sits a little beside,
the difference is found (directly, so it cannot add up) and taken out; where it looks like something else, the
tissue is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .flow import Image, features, follow, shared
from .similarity import Matrix, Points, apply, compose, identity, invert, scale_of

#: Longest side of the kept tissue, px: enough to tell it, little enough for sixteen marks a picture.
SIDE: Final = 80
#: Cells that are compared one by one, so that an instrument over some does not spoil the others, px.
CELL: Final = 16
#: Points in the tissue.
POINTS: Final = 60
#: A cell whose brightness varies less than this (of 255) has nothing to compare.
_FLAT: Final = 1.5
#: Beyond this a cell's variation says no more about its weight.
_VIVID: Final = 15.0
#: How far direct pairs may disagree with a similarity, px of the patch: tissue is soft.
_SOFT: Final = 1.5
#: The share of points that must agree before a direct finding corrects anything.
_AGREED: Final = 0.35


class Pyramid:
    """A picture and its halves, made when they are needed."""

    def __init__(self, image: Image) -> None:
        self._levels = [image]

    @property
    def image(self) -> Image:
        """The picture itself."""
        return self._levels[0]

    def level(self, number: int) -> Image:
        """Give the picture halved so many times."""
        while len(self._levels) <= number:
            last = self._levels[-1]
            size = (max(1, last.shape[1] // 2), max(1, last.shape[0] // 2))
            half = cv2.resize(last, size, interpolation=cv2.INTER_AREA)
            self._levels.append(np.asarray(half, np.uint8))
        return self._levels[number]


@dataclass(frozen=True, slots=True)
class Look:
    """What was found where the tissue should be.

    `score` 0-1: how much it looks like the original, by cells; `visible` 0-1: the share of it that lies within the
    picture; `agreed` 0-1: the share of its points that were found directly; `matrix` takes the original's picture to
    this one, corrected.
    """

    matrix: Matrix
    score: float
    visible: float
    agreed: float


class Patch:
    """The original tissue: a box of a picture, px."""

    def __init__(self, picture: Pyramid, box: tuple[float, float, float, float]) -> None:
        height, width = picture.image.shape
        left, top = max(0.0, box[0]), max(0.0, box[1])
        right, bottom = min(float(width), box[2]), min(float(height), box[3])
        factor = min(1.0, SIDE / max(right - left, bottom - top))
        # whole cells
        columns = max(1, round((right - left) * factor / CELL))
        rows = max(1, round((bottom - top) * factor / CELL))
        self.size = (columns * CELL, rows * CELL)
        self._cells = (rows, columns)
        step = 1 / factor
        # pixel centres of the patch to pixel centres of the picture, about the box's middle
        middle = ((left + right) / 2, (top + bottom) / 2)
        self._to_picture = np.array(
            [
                [step, 0.0, middle[0] - 0.5 - step * (self.size[0] - 1) / 2],
                [0.0, step, middle[1] - 0.5 - step * (self.size[1] - 1) / 2],
            ]
        )
        self._from_picture = invert(self._to_picture)
        self.image = self._cut(picture, self._to_picture)
        self.points = features(self.image, POINTS, 3)
        self._blocks = self._block(self.image)
        spread = self._blocks.std(axis=(1, 3))
        self._weights = np.where(spread < _FLAT, 0.0, np.minimum(spread, _VIVID))
        self._corners = self._cell_corners()

    @property
    def followable(self) -> bool:
        """Whether there is anything in it that could be found again."""
        return len(self.points) >= 10 and float(self._weights.sum()) > 0

    @property
    def outline(self) -> Points:
        """The corners of the box, in the original's picture, px."""
        columns, rows = self.size
        corners = np.array([[0.0, 0.0], [columns, 0.0], [columns, rows], [0.0, rows]]) - 0.5
        return apply(self._to_picture, corners)

    def points_in(self, matrix: Matrix) -> Points:
        """Give where its points are in a picture, if it was moved so."""
        return apply(compose(matrix, self._to_picture), self.points)

    def look(self, picture: Pyramid, matrix: Matrix) -> Look:
        """Look whether the tissue is where this movement says, and correct the movement by what is found."""
        place = compose(matrix, self._to_picture)
        cut = self._cut(picture, place)
        found, sure = follow(self.image, cut, self.points, self.points, window=13, levels=2)
        inside = self._inside(picture.image, apply(place, self.points))
        count = max(1, int(inside.sum()))
        pairs = sure & inside
        correction, agreeing = shared(self.points[pairs], found[pairs], _SOFT)
        agreed = int(agreeing.sum()) / count
        score, visible = self._compare(picture.image, cut, place)
        if correction is None or agreed < _AGREED:
            return Look(matrix, score, visible, agreed)
        corrected = compose(place, correction)
        again = self._cut(picture, corrected)
        better, seen = self._compare(picture.image, again, corrected)
        if better < score:
            return Look(matrix, score, visible, agreed)
        return Look(compose(corrected, self._from_picture), better, seen, agreed)

    def search(self, picture: Pyramid, matrix: Matrix) -> Matrix | None:
        """Look for the tissue all over a picture, turned and scaled as in `matrix`; None where no place stands out."""
        # at a quarter of the patch's own resolution or so: what stands out does so there too
        scale = scale_of(compose(matrix, self._to_picture))
        level = max(0, round(np.log2(max(1.0, scale * 1.5))))
        field = picture.level(level)
        turned = compose(matrix, self._to_picture)[:, :2] / 2**level
        size = np.abs(turned) @ np.array(self.size, np.float64)
        width, height = (int(n) // 2 * 2 for n in size)
        if width < 8 or height < 8 or width >= field.shape[1] or height >= field.shape[0]:
            return None
        middle = np.array([(self.size[0] - 1) / 2, (self.size[1] - 1) / 2])
        shape = np.hstack(
            [turned, (np.array([(width - 1) / 2, (height - 1) / 2]) - turned @ middle)[:, None]]
        )
        template = cv2.warpAffine(
            self.image, shape, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        likeness = cv2.matchTemplate(field, template, cv2.TM_CCOEFF_NORMED)
        _, best, _, (x, y) = cv2.minMaxLoc(likeness)
        if not best > 0.5:
            return None
        # the second best elsewhere
        likeness[
            max(0, y - height // 3) : y + height // 3 + 1, max(0, x - width // 3) : x + width // 3 + 1
        ] = -1
        if best - float(likeness.max()) < 0.1:
            return None
        at = (np.array([x + (width - 1) / 2, y + (height - 1) / 2]) + 0.5) * 2**level - 0.5
        place = np.hstack([turned * 2**level, (at - turned @ middle * 2**level)[:, None]])
        return compose(place, self._from_picture)

    def _cut(self, picture: Pyramid, place: Matrix) -> Image:
        """Cut the patch out of a picture, from the halved one whose pixels have about its size."""
        level = max(0, int(np.log2(max(1.0, scale_of(place)))))
        if level:
            # centres: (x + 0.5) / 2^n - 0.5
            factor = 1 / 2**level
            place = place * factor
            place[:, 2] += 0.5 * factor - 0.5
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cut = cv2.warpAffine(
            picture.level(level), place, self.size, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(cut, np.uint8)

    def _block(self, image: Image) -> NDArray[np.float32]:
        rows, columns = self._cells
        # a camera's noise is no likeness and no difference
        smooth = np.asarray(cv2.blur(image, (3, 3)), np.float32)
        return smooth.reshape(rows, CELL, columns, CELL)

    def _compare(self, picture: Image, cut: Image, place: Matrix) -> tuple[float, float]:
        """Give the likeness of the cells within the picture (correlation: light may change), and their share."""
        rows, columns = self._cells
        inside = self._inside(picture, apply(place, self._corners)).reshape(rows, columns, 4).all(axis=2)
        whole = float(self._weights.sum())
        weights = self._weights * inside
        total = float(weights.sum())
        if whole <= 0 or total <= 0:
            return 0.0, 0.0
        other = self._block(cut)
        a = self._blocks - self._blocks.mean(axis=(1, 3), keepdims=True)
        b = other - other.mean(axis=(1, 3), keepdims=True)
        likeness = (a * b).mean(axis=(1, 3)) / (
            np.sqrt((a * a).mean(axis=(1, 3)) * (b * b).mean(axis=(1, 3))) + 1.0
        )
        return float((np.clip(likeness, 0, 1) * weights).sum() / total), total / whole

    @staticmethod
    def _inside(picture: Image, points: Points) -> NDArray[np.bool_]:
        height, width = picture.shape
        return np.asarray(
            (points >= -0.5).all(axis=1) & (points[:, 0] <= width - 0.5) & (points[:, 1] <= height - 0.5)
        )

    def _cell_corners(self) -> Points:
        rows, columns = self._cells
        corners = [
            (x * CELL - 0.5, y * CELL - 0.5)
            for row in range(rows)
            for column in range(columns)
            for x, y in ((column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1))
        ]
        return np.array(corners)


def box_round(points: Points, width: int, height: int) -> tuple[float, float, float, float]:
    """Give the box round a mark's points (px) that its tissue is taken from: some of what surrounds it, at least 14 %
    of the picture's height, at most half of it."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2
    half = np.clip((high - low) / 2 + 0.03 * height, 0.07 * height, 0.25 * height)
    # what lies at the edge has its box within the picture
    middle = np.clip(middle, half, np.maximum(half, [width, height] - half))
    (left, top), (right, bottom) = middle - half, middle + half
    return float(left), float(top), float(right), float(bottom)


UNMOVED: Final = identity()
