"""What is painted into a capture: dashes, authors' names, and Chinese letters of the right face."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from annotation.anchors import DicomAnchor
from annotation.dicom import painting
from annotation.dicom.outgoing import DrawnMark, OutgoingError
from annotation.dicom.painting import PATTERNS, dashed, paint
from annotation.shapes import Mark
from signalling.colours import DASHES

BLACK = np.zeros((200, 300, 3), np.uint8)
GREEN = (0, 0xFF, 0)


def line(name: str, dash: str, colour: str = "#00ff00") -> DrawnMark:
    mark = Mark("m-1", "line", DicomAnchor("a", 1), ((0.1, 0.5), (0.9, 0.5)), 0.03)
    return DrawnMark(mark, f"pt-{name}", name, colour, 1.0, dash)


def test_a_dash_is_painted_over_a_whole_halo() -> None:
    row = paint(BLACK, [line("Li", "dashed")], {})[100, 30:270]
    plain = paint(BLACK, [line("Li", "solid")], {})[100, 30:270]
    green = (row == GREEN).all(axis=1)
    assert (plain == GREEN).all()
    assert 0.3 < green.mean() < 0.9
    # between the dashes there is the dark core, not the picture
    assert all(tuple(pixel) != (0, 0, 0) for pixel in row[~green])


def test_dashes_are_as_long_as_the_page_draws_them() -> None:
    assert set(PATTERNS) == set(DASHES)
    corner = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)]
    lengths = [sum(math.dist(a, b) for a, b in itertools.pairwise(part)) for part in dashed(corner, (6, 2))]
    assert lengths == pytest.approx([6, 6, 4])
    assert dashed(corner, ()) == [corner]


def test_authors_stand_below_the_picture() -> None:
    painted = paint(BLACK, [line("Li", "solid"), line("Anna", "dashed", "#ff00ff")], {})
    assert painted.shape == (240, 300, 3)
    first, second = painted[200:220], painted[220:]
    assert (first == GREEN).all(axis=2).any()
    assert (second == (0xFF, 0, 0xFF)).all(axis=2).any()


def test_chinese_letters_are_those_of_the_simplified_face(monkeypatch: pytest.MonkeyPatch) -> None:
    font = painting._font(20, "直")
    assert font.getname()[0].endswith(" SC")
    monkeypatch.setattr(painting, "_chinese", lambda: None)
    with pytest.raises(OutgoingError, match="no font with Chinese"):
        paint(BLACK, [line("李娜", "solid")], {})
    assert paint(BLACK, [line("Li", "solid")], {}).shape == (220, 300, 3)
