"""The sixteen colours: told from each other, from tissue, and legible."""

from __future__ import annotations

import colorsys
import json
import math
from itertools import combinations
from pathlib import Path

import pytest

from signalling.colours import COLOURS, DASHES, NEUTRAL, choose, dash

#: Blood, muscle, mucosa, fat, liver, spleen: sRGB, from dark to pale.
TISSUE = (
    *("#5c1010", "#7a1f1f", "#a01818", "#b5483f", "#c96a5b", "#d98880"),
    *("#e6b0a0", "#e0b070", "#f0d8a0", "#4a2018", "#8b3a62"),
)
GROUND = "#10151a"  # the darkest that the client writes on is darker still


def linear(colour: str) -> tuple[float, float, float]:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return red, green, blue


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


#: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes: A Physiologically-based Model for Simulation of Color Vision
#: Deficiency (2009), severity 1.0, on linear RGB: what the missing of one kind of cones makes of a colour.
EYES = {
    "all cones": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def lab(colour: str, eyes: str = "all cones") -> tuple[float, float, float]:
    """CIE 1976 L*a*b*, white point D65, of what these eyes see."""
    light = linear(colour)
    r, g, b = (
        min(1.0, max(0.0, sum(share * part for share, part in zip(row, light, strict=True))))
        for row in EYES[eyes]
    )
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, other: str, eyes: str = "all cones") -> float:
    return math.dist(lab(one, eyes), lab(other, eyes))


def test_there_are_sixteen() -> None:
    assert len(set(COLOURS)) == 16


@pytest.mark.parametrize("colour", COLOURS)
def test_a_colour_is_told_from_tissue_and_ground(colour: str) -> None:
    assert min(distance(colour, tissue) for tissue in TISSUE) >= 33
    assert contrast(colour, GROUND) >= 4.5


@pytest.mark.parametrize("colour", COLOURS)
def test_no_colour_is_red_pink_or_orange(colour: str) -> None:
    hue, lightness, _ = colorsys.rgb_to_hls(*(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)))
    assert 50 <= hue * 360 <= 290 or lightness == 1


def test_any_two_are_told_apart() -> None:
    assert min(distance(one, other) for one, other in combinations(COLOURS, 2)) >= 33


def test_sixteen_people_have_sixteen_colours_and_the_rest_share_evenly() -> None:
    taken: list[str] = []
    for _ in range(40):
        taken.append(choose([*taken, NEUTRAL]))
    assert set(taken[:16]) == set(COLOURS) == set(taken[16:32])


def test_a_colour_that_became_free_is_given_again() -> None:
    assert choose(colour for colour in COLOURS if colour != COLOURS[5]) == COLOURS[5]


@pytest.mark.parametrize("eyes", EYES)
def test_of_equal_dashes_no_two_colours_look_alike_to_any_eye(eyes: str) -> None:
    alike = [(one, other) for one, other in combinations(COLOURS, 2) if dash(one) == dash(other)]
    assert len(alike) > 10
    assert min(distance(one, other, eyes) for one, other in alike) >= 30


def test_by_colour_alone_some_would_be_mistaken_for_each_other() -> None:
    # that is why there are dashes: were this not so, the test above would hold whatever they were
    for eyes in ("protanopia", "deuteranopia", "tritanopia"):
        assert min(distance(one, other, eyes) for one, other in combinations(COLOURS, 2)) < 12


def test_the_first_five_have_five_dashes() -> None:
    assert [dash(colour) for colour in COLOURS[:5]] == list(DASHES)
    assert dash(NEUTRAL) == "solid"


def test_the_page_knows_the_same_colours_and_dashes() -> None:
    vectors = json.loads((Path(__file__).parents[1] / "vectors" / "pens.json").read_text())
    assert vectors["people"] == [{"colour": colour, "dash": dash(colour)} for colour in COLOURS]
    assert vectors["tissue"] == list(TISSUE)
