"""Pictures laid into a film's frame, masks on them, and what the encoders are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import av
import numpy as np
import pytest

from recorder.export.masks import Mask
from recorder.export.muxing import Plan
from recorder.export.recoding import Planes, Target, fitted

SMALL = Target(160, 90, 25)


def frame(width: int, height: int, level: int = 200) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.full((height, width, 3), level, np.uint8), format="rgb24")


def luma(planes: Planes, target: Target = SMALL) -> Any:
    return planes[: target.height].astype(int)


def test_nothing_is_black() -> None:
    planes = fitted(None, SMALL)
    assert planes.shape == (135, 160)
    assert (luma(planes) == 16).all()
    assert (planes[90:] == 128).all()


@pytest.mark.parametrize(
    ("width", "height", "columns", "rows"),
    [(320, 180, (0, 160), (0, 90)), (64, 64, (34, 124), (0, 90)), (400, 100, (0, 160), (24, 64))],
)
def test_a_picture_keeps_its_shape_in_the_middle(
    width: int, height: int, columns: tuple[int, int], rows: tuple[int, int]
) -> None:
    bright = luma(fitted(frame(width, height), SMALL)) > 100
    found = np.flatnonzero(bright.any(axis=0)), np.flatnonzero(bright.any(axis=1))
    assert (found[0][0], found[0][-1] + 1) == pytest.approx(columns, abs=2)
    assert (found[1][0], found[1][-1] + 1) == pytest.approx(rows, abs=2)


def test_under_a_mask_nothing_is_left() -> None:
    noise = np.random.default_rng(7).integers(30, 255, (180, 320, 3), np.uint8)
    picture = av.VideoFrame.from_ndarray(noise, format="rgb24")
    masked = replace(SMALL, masks=(Mask(7, 0.25, 0.5, 0.5, 0.25),))
    planes, open_ = fitted(picture, masked), fitted(picture, SMALL)
    rows, columns = slice(44, 68), slice(40, 120)
    assert (planes[rows, columns] == 16).all()
    colours = planes[90:].reshape(2, 45, 80)
    assert (colours[:, 22:34, 20:60] == 128).all()
    # and round it all is as it was
    around = np.ones((90, 160), bool)
    around[rows, columns] = False
    assert (luma(planes)[around] == luma(open_)[around]).all()


def test_the_encoders_are_held_to_profile_and_level() -> None:
    high = Target(1920, 1080, 60, "h264", "high", "4.2", 62_500).options()
    assert (high["profile"], high["level"], high["maxrate"]) == ("high", "4.2", "62500k")
    main = Target(3840, 2160, 30, "hevc", "main", "5.1", 40_000).options()
    assert main["profile"] == "main"
    settings = dict(pair.split("=") for pair in main["x265-params"].split(":"))
    assert (settings["level-idc"], settings["high-tier"], settings["open-gop"]) == ("5.1", "0", "0")
    assert settings["vbv-maxrate"] == "40000"


def test_a_plan_counts_every_frame_once() -> None:
    plan = Plan(3.0, 28.04, 25)
    frames = [at for number in range(plan.pieces) for at in plan.piece(number)]
    assert frames == list(range(626)) == list(range(plan.frames))
    assert plan.position(0) == pytest.approx(3.02)
    assert plan.position(625) < 28.04
