"""The slope that is kept up is the slope of the points that are there."""

from __future__ import annotations

import random

import pytest

from media.congestion.trend import Trend

WINDOW = 20


def slope_of(points: list[tuple[float, float]]) -> float:
    """Draw the line of least squares from the beginning, in exact arithmetic as far as it matters."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


@pytest.mark.parametrize("origin", [0.0, 1e9])
def test_it_is_that_of_the_newest_points_however_many_came(origin: float) -> None:
    chance = random.Random(1)
    trend, x = Trend(WINDOW), origin
    points: list[tuple[float, float]] = []
    for n in range(5000):
        # ms: groups of 5, and now and then a standstill of ten seconds
        x += chance.uniform(2, 8) if n % 700 else 10_000.0
        points = [*points, (x, chance.gauss(0, 30) + n / 3)][-WINDOW:]
        trend.add(*points[-1])
        assert trend.full == (len(points) == WINDOW)
        if trend.full:
            assert trend.slope() == pytest.approx(slope_of(points), rel=1e-5, abs=1e-6)


def test_points_at_one_place_have_no_slope() -> None:
    trend = Trend(WINDOW)
    for n in range(200):
        trend.add(4711.25, n * n)
        assert trend.slope() == 0.0
