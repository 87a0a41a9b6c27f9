"""Every scene and cine through the tracker."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .measuring import COVERED, Measured, Points, Truth, circle, measure
from .scenes import HEIGHT, MARKS, RATE, SCENES, WIDTH, Scene


def marks() -> dict[str, Points]:
    """Give the marks of the scenes."""
    return {f"m-{n}": circle(at, WIDTH, HEIGHT) for n, at in enumerate(MARKS)}


def run(scene: Scene) -> Measured:
    """Measure one scene."""
    return measure(scene.name, scene.words, _shots(scene), marks(), rate=RATE, drawn=scene.drawn)


def _shots(scene: Scene) -> Iterator[tuple[NDArray[np.uint8], dict[str, Truth]]]:
    drawn = {mark: points * [WIDTH, HEIGHT] - 0.5 for mark, points in marks().items()}
    for shot in scene.shots():
        truth = {}
        for mark, points in drawn.items():
            if shot.where is None:
                truth[mark] = Truth(None, gone=True)
                continue
            there = shot.where(points)
            hidden = shot.covered is not None and _hidden(shot.covered, there) > COVERED
            truth[mark] = Truth(None) if hidden else Truth(there)
        yield shot.picture, truth


def _hidden(covered: NDArray[np.bool_], points: Points) -> float:
    """Give the share of a circle's area that is covered."""
    middle = points.mean(axis=0)
    places = np.concatenate([middle + (points - middle) * share for share in (0.25, 0.5, 0.75, 1.0)])
    x = np.clip(np.rint(places[:, 0]).astype(int), 0, covered.shape[1] - 1)
    y = np.clip(np.rint(places[:, 1]).astype(int), 0, covered.shape[0] - 1)
    return float(covered[y, x].mean())


def scenes(names: frozenset[str] | None = None) -> Iterator[Measured]:
    """Measure the scenes, or some of them."""
    for scene in SCENES:
        if names is None or scene.name in names:
            yield run(scene)
