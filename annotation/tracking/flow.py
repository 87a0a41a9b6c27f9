"""Points followed from picture to picture: pyramidal Lucas-Kanade, there and back, and the similarity most share."""

from __future__ import annotations

from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from .similarity import Matrix, Points

Image = NDArray[np.uint8]

#: A point that does not come back to within so many pixels was not followed.
ROUND_TRIP: Final = 0.7
#: A similarity is made of so many points at least: with fewer, chance makes one.
LEAST_POINTS: Final = 6

#: Around each px so much of the picture is its surroundings, px: larger than vessels, smaller than light and shade.
_SURROUNDINGS: Final = 41

_CRITERIA: Final = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.03)


def reduced(image: Image, width: int) -> Image:
    """Give a picture at most so wide."""
    height = image.shape[0]
    if image.shape[1] <= width:
        return np.ascontiguousarray(image)
    size = (width, max(2, round(height * width / image.shape[1])))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def alike(size: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Tell whether pictures of these heights and widths may show the same, one larger than the other."""
    return abs(size[1] * other[0] - size[0] * other[1]) <= 0.02 * size[1] * other[0]


def resized(image: Image, size: tuple[int, ...]) -> Image:
    """Give a picture at this height and width."""
    if image.shape == size:
        return image
    larger = size[0] > image.shape[0]
    method = cv2.INTER_LINEAR if larger else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=method), np.uint8)


def work_alone() -> None:
    """Have OpenCV use one thread only: the other cores are somebody else's."""
    cv2.setNumThreads(1)


def levelled(image: Image) -> Image:
    """Take light and shade out of a picture: what is left of each px is how it differs from its surroundings.

    Lucas-Kanade takes a change of brightness for a movement; lamps and glare change it all the time.
    """
    shade = cv2.boxFilter(image, -1, (_SURROUNDINGS, _SURROUNDINGS))
    return np.asarray(cv2.addWeighted(image, 1.5, shade, -1.5, 128), np.uint8)


def features(image: Image, count: int, distance: float) -> Points:
    """Find points that can be told from their surroundings, at least so many pixels apart."""
    found = cv2.goodFeaturesToTrack(image, count, 0.01, distance, blockSize=5)
    return np.zeros((0, 2)) if found is None else np.asarray(found, np.float64).reshape(-1, 2)


def follow(
    before: Image,
    after: Image,
    points: Points,
    guess: Points | None = None,
    *,
    window: int = 21,
    levels: int = 3,
) -> tuple[Points, NDArray[np.bool_]]:
    """Give where points of one picture are in the next, and which of them came back to where they began."""
    if not len(points):
        return points, np.zeros(0, np.bool_)
    start = points.astype(np.float32).reshape(-1, 1, 2)
    first = None if guess is None else guess.astype(np.float32).reshape(-1, 1, 2).copy()
    flags = 0 if first is None else cv2.OPTFLOW_USE_INITIAL_FLOW
    size = (window, window)
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, start, first, winSize=size, maxLevel=levels, criteria=_CRITERIA, flags=flags
    )
    back, returned, _ = cv2.calcOpticalFlowPyrLK(
        after, before, there, start.copy(), winSize=size, maxLevel=levels, criteria=_CRITERIA,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )  # fmt: skip
    missed = np.abs(back - start).reshape(-1, 2).max(axis=1)
    height, width = after.shape
    end = there.reshape(-1, 2).astype(np.float64)
    inside = (end >= 0).all(axis=1) & (end[:, 0] < width) & (end[:, 1] < height)
    sure = (found.reshape(-1) == 1) & (returned.reshape(-1) == 1) & (missed < ROUND_TRIP) & inside
    return end, sure


def shared(before: Points, after: Points, tolerance: float) -> tuple[Matrix | None, NDArray[np.bool_]]:
    """Find the similarity that most pairs of points share (RANSAC), and which pairs do; None: there is none."""
    nobody = np.zeros(len(before), np.bool_)
    if len(before) < LEAST_POINTS:
        return None, nobody
    matrix, agreeing = cv2.estimateAffinePartial2D(
        before, after, method=cv2.RANSAC, ransacReprojThreshold=tolerance, maxIters=500, confidence=0.995,
        refineIters=5,
    )  # fmt: skip
    if matrix is None or int(agreeing.sum()) < LEAST_POINTS:
        return None, nobody
    return cast(Matrix, np.asarray(matrix, np.float64)), np.asarray(agreeing.reshape(-1), np.bool_)
