"""A frame's number is drawn and read back, and nothing is read where nothing was drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.demo.barcode import Picture, draw, read, strip_size


def _noise(height: int, width: int, *channels: int) -> Picture:
    return np.random.default_rng(5).integers(0, 256, (height, width, *channels), dtype=np.uint8)


@given(number=st.integers(0, 65_535), height=st.integers(120, 700))
def test_every_number_comes_back_at_every_size(number: int, height: int) -> None:
    frame = _noise(height, height * 16 // 9)
    draw(frame, number)
    assert read(frame) == number


@pytest.mark.parametrize("number", [0, 1, 32_768, 65_535])
def test_colour_and_limited_range_are_read_alike(number: int) -> None:
    colour, luma = _noise(270, 480, 3), _noise(270, 480)
    draw(colour, number)
    draw(luma, number, black=16, white=235)
    assert read(colour) == read(luma) == number


def test_the_number_wraps_at_sixteen_bits() -> None:
    frame = _noise(240, 320)
    draw(frame, 65_536 + 7)
    assert read(frame) == 7


def test_the_cells_stand_where_the_document_says() -> None:
    frame = np.full((2160, 3840), 99, np.uint8)
    draw(frame, 0b1000_0000_0000_0001)
    # 54 pixels a cell, a border of half a cell, cells 0 and 1 and the 16 bits
    assert strip_size(2160) == (19 * 54, 108)
    assert (frame[:27, : 19 * 54] == 255).all()
    expected = [255, 0, 255, *([0] * 14), 255]
    for index, value in enumerate(expected):
        left = 27 + 54 * index
        assert (frame[27:81, left : left + 54] == value).all(), index
    assert (frame[108:] == 99).all()
    assert (frame[:, 19 * 54 :] == 99).all()


def test_a_blurred_and_darkened_glass_is_still_read() -> None:
    frame = np.zeros((360, 640), np.uint8)
    draw(frame, 0xA5C3)
    dull = (frame.astype(np.float32) * 0.4 + 40).astype(np.uint8)
    assert read(dull) == 0xA5C3


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_plain_picture_bears_no_barcode(value: int) -> None:
    assert read(np.full((360, 640, 3), value, np.uint8)) is None


def test_low_contrast_is_no_barcode() -> None:
    frame = np.zeros((360, 640), np.uint8)
    draw(frame, 5, black=100, white=163)
    assert read(frame) is None
    draw(frame, 5, black=100, white=164)
    assert read(frame) == 5


def test_a_picture_too_narrow_or_small_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        draw(np.zeros((400, 100), np.uint8), 1)
    assert read(np.zeros((400, 100), np.uint8)) is None
    assert read(np.zeros((20, 30), np.uint8)) is None
