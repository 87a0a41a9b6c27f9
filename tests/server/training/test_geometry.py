"""Distances and overlaps of marks, against known values and against a second implementation by pictures of pixels."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from numpy.typing import NDArray

from server.training.geometry import Figure, Point, compare, figure_of, overlap

WIDE = 16 / 9


def fractions(places: list[Point], aspect: float = WIDE) -> list[Point]:
    """Turn places in units of the picture's width into fractions of it."""
    return [(x, y * aspect) for x, y in places]


def circle(x: float, y: float, radius: float) -> Figure:
    return figure_of("ellipse", fractions([(x - radius, y - radius), (x + radius, y + radius)]), WIDE)


def raster(points: tuple[Point, ...], size: int = 800) -> NDArray[np.bool_]:
    """Fill a polygon by the even-odd rule, a pixel at a time: what another hand would write."""
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size
    inside = np.zeros((size, size), bool)
    for k, (x1, y1) in enumerate(points):
        x2, y2 = points[k - 1]
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    return inside


def test_points_are_as_far_apart_as_they_are_on_the_glass() -> None:
    # 3-4-5 on a picture of 1600 x 900: 0.3 of its width, and 0.4 of its width is 0.711 of its height
    pin = figure_of("pin", [(0.1, 0.1)], WIDE)
    head = figure_of("arrow", [(0.9, 0.9), (0.4, 0.1 + 0.4 * WIDE)], WIDE)
    assert compare(pin, head).distance == pytest.approx(0.5)
    assert compare(head, pin).distance == pytest.approx(0.5)
    assert compare(pin, head).overlap is None
    assert compare(pin, pin).distance == 0


def test_a_point_is_as_far_from_a_line_as_from_its_nearest_place() -> None:
    line = figure_of("line", fractions([(0.2, 0.3), (0.6, 0.3)]), WIDE)
    for place, distance in (
        ((0.4, 0.35), 0.05),
        ((0.7, 0.3), 0.1),
        ((0.1, 0.2), math.sqrt(0.02)),
        ((0.3, 0.3), 0),
    ):
        assert compare(line, figure_of("pin", fractions([place]), WIDE)).distance == pytest.approx(distance)


def test_within_an_area_there_is_no_distance() -> None:
    ring = circle(0.5, 0.3, 0.1)
    assert compare(ring, figure_of("pin", fractions([(0.55, 0.32)]), WIDE)).distance == 0
    outside = compare(ring, figure_of("pin", fractions([(0.75, 0.3)]), WIDE))
    assert outside.distance == pytest.approx(0.15, abs=1e-4)
    inside = figure_of("line", fractions([(0.45, 0.3), (0.55, 0.3)]), WIDE)
    assert compare(ring, inside).distance == 0


def test_parallel_lines_are_as_far_apart_as_they_lie() -> None:
    one = figure_of("line", fractions([(0.2, 0.2), (0.6, 0.2)]), WIDE)
    other = figure_of("freehand", fractions([(0.2 + 0.01 * k, 0.25) for k in range(41)]), WIDE)
    assert compare(one, other).distance == pytest.approx(0.05)
    # half of it: what lies beyond the shorter one is 0 to 0.2 away, and half of all
    half = figure_of("line", fractions([(0.2, 0.2), (0.4, 0.2)]), WIDE)
    assert compare(one, half).distance == pytest.approx(0.05, abs=0.001)
    assert compare(half, one).distance == pytest.approx(0.05, abs=0.001)


def test_who_scribbles_over_all_does_not_hit() -> None:
    artery = figure_of("pin", fractions([(0.5, 0.28)]), WIDE)
    rows = [(x, 0.02 * row) for row in range(28) for x in ((0.0, 1.0) if row % 2 else (1.0, 0.0))]
    scribble = figure_of("freehand", fractions(rows), WIDE)
    assert scribble.kind == "curve"
    assert compare(artery, scribble).distance > 0.25
    # a ring round it is as far as it is wide
    assert compare(artery, circle(0.5, 0.28, 0.04)).distance == pytest.approx(0.04, abs=1e-4)


def test_two_rings_overlap_as_lenses_do() -> None:
    radius = 0.1
    for apart in (0.0, 0.03, 0.1, 0.17, 0.25):
        lens = 0.0
        if apart < 2 * radius:
            lens = 2 * radius**2 * math.acos(apart / (2 * radius)) - apart / 2 * math.sqrt(
                4 * radius**2 - apart**2
            )
        found = compare(circle(0.4, 0.3, radius), circle(0.4 + apart, 0.3, radius)).overlap
        assert found == pytest.approx(lens / (2 * math.pi * radius**2 - lens), abs=0.002)


def test_borders_of_rings_about_one_place_are_apart_by_their_radii() -> None:
    assert compare(circle(0.5, 0.3, 0.1), circle(0.5, 0.3, 0.13)).distance == pytest.approx(0.03, abs=2e-4)


def test_a_stroke_that_comes_back_encloses() -> None:
    ring = [(0.5 + 0.1 * math.cos(a / 20), 0.3 + 0.1 * math.sin(a / 20)) for a in range(124)]
    stroke = figure_of("freehand", fractions(ring), WIDE)
    assert stroke.kind == "area"
    compared = compare(circle(0.5, 0.3, 0.1), stroke)
    assert compared.overlap == pytest.approx(1, abs=0.005)
    assert compared.distance < 0.001
    assert figure_of("freehand", fractions(ring[:60]), WIDE).kind == "curve"


def test_what_has_no_extent_is_a_touch() -> None:
    assert figure_of("freehand", [(0.5, 0.5)], WIDE) == figure_of("pin", [(0.5, 0.5)], WIDE)
    assert figure_of("line", [(0.5, 0.5), (0.5, 0.5)], WIDE).kind == "point"
    assert figure_of("rectangle", [(0.5, 0.5), (0.5, 0.5)], WIDE).kind == "point"
    assert figure_of("ellipse", [(0.2, 0.5), (0.6, 0.5)], WIDE).kind == "curve"
    with pytest.raises(ValueError, match="angle cannot be compared"):
        figure_of("angle", [(0, 0), (0, 1), (1, 0)], WIDE)


def test_polygons_overlap_as_their_pixels_do() -> None:
    chance = random.Random(5)
    for corners in (3, 4, 6, 9):
        # any polygons, most of which cross themselves
        one, other = (tuple((chance.random(), chance.random()) for _ in range(corners)) for _ in range(2))
        a, b = raster(one), raster(other)
        assert overlap(one, other) == pytest.approx((a & b).sum() / (a | b).sum(), abs=0.015)


def test_distances_are_those_of_another_hand() -> None:
    chance = random.Random(7)
    for _ in range(5):
        lines = [[(chance.random(), chance.random()) for _ in range(4)] for _ in range(2)]
        dense = []
        for line in lines:
            flat = np.array([(x, y / WIDE) for x, y in line])
            steps = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(flat, axis=0).T))])
            at = np.linspace(0, steps[-1], 900)
            dense.append(np.stack([np.interp(at, steps, flat[:, 0]), np.interp(at, steps, flat[:, 1])], 1))
        apart = np.hypot(*(dense[0][:, None] - dense[1][None]).transpose(2, 0, 1))
        wanted = max(apart.min(axis=1).mean(), apart.min(axis=0).mean())
        found = compare(figure_of("freehand", lines[0], WIDE), figure_of("freehand", lines[1], WIDE))
        assert found.distance == pytest.approx(wanted, abs=0.004)


def test_a_long_stroke_is_read_in_no_time() -> None:
    # what a request may hold: the work does not grow with it
    stroke = [(0.5 + 0.4 * math.sin(k / 17), 0.5 + 0.4 * math.cos(k / 23)) for k in range(2000)]
    assert len(figure_of("freehand", stroke, WIDE).points) == 200
