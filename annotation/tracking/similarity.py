"""Similarity transforms of the plane: turn, even scale and shift, as matrices of 2 × 3."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Points = NDArray[np.float64]


def identity() -> Matrix:
    """Give the transform that moves nothing."""
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def similarity(scale: float, turn: float, x: float, y: float) -> Matrix:
    """Make a transform: a scale and a turn (radians) about the origin, then a shift."""
    cosine, sine = scale * math.cos(turn), scale * math.sin(turn)
    return np.array([[cosine, -sine, x], [sine, cosine, y]])


def compose(after: Matrix, before: Matrix) -> Matrix:
    """Give the transform that does `before` and then `after`."""
    joined = after[:, :2] @ before
    joined[:, 2] += after[:, 2]
    return joined


def invert(matrix: Matrix) -> Matrix:
    """Give the transform that takes it back."""
    inverse = np.linalg.inv(matrix[:, :2])
    return np.hstack([inverse, -inverse @ matrix[:, 2:]])


def apply(matrix: Matrix, points: Points) -> Points:
    """Move points, one a row."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def scaled(matrix: Matrix, factor: float) -> Matrix:
    """Give the same movement in a unit that is so many times smaller."""
    return np.hstack([matrix[:, :2], matrix[:, 2:] * factor])


def scale_of(matrix: Matrix) -> float:
    """Give by how much lengths grow."""
    return math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
