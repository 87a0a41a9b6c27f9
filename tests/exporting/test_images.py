"""The image that is presented, beside the field: its pixels, as the presenter had them, with the marks on it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from annotation.dicom.rendering import Window, render
from recorder.export.composed.figures import apply
from recorder.export.composed.images import Images, Pane, active_pane, read_pane
from recorder.export.composed.layout import layout_of
from recorder.export.composed.scene import Scene
from recorder.export.options import Options
from recorder.export.shown import Timeline

UID = "2.25.3"
SIZE = 256
PANE: dict[str, Any] = {
    "study": "2.25.1", "series": "2.25.2", "instance": UID, "frame": 1, "plane": "stack", "slice": 1, "slab": None,
    "window": [40, 400], "invert": False, "centre": [0.5, 0.5], "zoom": 1, "rotation": 0, "flip": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def image() -> Path:
    found = get_testdata_file("CT_small.dcm")
    assert found is not None
    return Path(str(found))


def pane(**changes: Any) -> Pane:
    read = read_pane({**PANE, **changes})
    assert read is not None
    return read


def state(shown: dict[str, Any]) -> dict[str, Any]:
    return {"layout": "1x1", "active": 0, "panes": [shown]}


def rendered(image: Path) -> Any:
    png = render(image, 1, Window(40, 400), "png")
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize(
    "changes", [{}, {"invert": True}, {"rotation": 90}, {"rotation": 30, "zoom": 1.5}, {"flip": True}]
)
def test_a_pane_is_drawn_as_the_presenter_had_it(image: Path, changes: dict[str, Any]) -> None:
    shown = Images({UID: image}).show(pane(**changes), SIZE, SIZE)
    assert shown is not None
    source = rendered(image)
    rows, columns = source.shape[:2]
    assert (rows, columns) == (128, 128)
    smooth = cv2.GaussianBlur(shown.picture, (5, 5), 0)
    beneath = cv2.GaussianBlur(source, (5, 5), 0)
    differences = []
    for x, y in [(0.3, 0.4), (0.5, 0.5), (0.6, 0.35), (0.45, 0.7), (0.7, 0.6)]:
        at = apply(shown.matrix, (x, y))
        if not all(4 < value < SIZE - 4 for value in at):
            continue
        expected = beneath[int(y * rows), int(x * columns)].astype(int)
        expected = 255 - expected if changes.get("invert") else expected
        differences.append(np.abs(smooth[int(at[1]), int(at[0])].astype(int) - expected).max())
    assert len(differences) >= 4
    assert np.median(differences) < 25
    # clockwise, and mirrored after that
    turn = math.radians(changes.get("rotation", 0))
    right = np.subtract(apply(shown.matrix, (0.6, 0.5)), apply(shown.matrix, (0.5, 0.5)))
    side = -1 if changes.get("flip") else 1
    assert np.sign(right[0]) == pytest.approx(side * round(math.cos(turn), 6), abs=1)
    assert right[1] == pytest.approx(math.sin(turn) * np.hypot(*right), abs=0.01)


def test_what_is_no_stored_frame_is_none() -> None:
    for changes in (
        {"plane": "axial"},
        {"instance": 3},
        {"frame": "1"},
        {"zoom": None},
        {"centre": [0.5]},
        {"rotation": float("nan")},
    ):
        assert read_pane({**PANE, **changes}) is None
    bad: list[Any] = [
        None,
        [],
        {},
        state({}) | {"panes": [None]},
        state(PANE) | {"active": 1},
        {"panes": 3, "active": 0},
    ]
    for one in bad:
        assert active_pane(one) is None


def test_an_image_that_cannot_be_decoded_is_none(tmp_path: Path) -> None:
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 500)
    assert Images({UID: broken}).show(pane(), SIZE, SIZE) is None
    assert Images({UID: tmp_path / "gone.dcm"}).show(pane(), SIZE, SIZE) is None
    assert Images({}).show(pane(), SIZE, SIZE) is None


def test_it_stands_beside_the_field_while_it_is_presented(image: Path) -> None:
    assert pydicom.dcmread(image, stop_before_pixels=True).Rows == 128
    mark = {
        "mark": "m",
        "shape": "ellipse",
        "anchor": {"SOPInstanceUID": UID, "frame": 1},
        "points": [[0.3, 0.3], [0.7, 0.7]],
    }
    description = {
        "recording": "r", "room": "demo", "started": 1.8e12, "seconds": 10.0, "state": "complete", "participants": [],
        "cameras": [], "gaps": [], "pointers": [],
        "operations": [
            {"sequence": 1, "at": 4.0, "author": "pt-1", "name": "Dr. L", "colour": "#ffff00",
             "operation": {"kind": "add", "mark": {**mark, "width": 0.02, "text": ""}}},
        ],
        "events": [
            {"at": 2.0, "kind": "viewport", "participant": "pt-1", "state": state(PANE)},
            {"at": 6.0, "kind": "viewport", "participant": "pt-1", "state": state({**PANE, "plane": "axial"})},
            {"at": 8.0, "kind": "presenter", "participant": None},
        ],
    }  # fmt: skip
    options = Options(height=720)
    scene = Scene(description, Timeline(description), [], options, Images({UID: image}))
    box = scene.layout.image
    assert box == layout_of(720, side=False, images=True).image
    assert box is not None
    before, plain, marked, cut, after = (scene.draw(at)[box.slices()] for at in (1.0, 3.0, 5.0, 7.0, 9.0))
    assert np.array_equal(before, after)
    assert before.max() < 40  # nothing
    assert plain.std() > 40  # the image
    yellow = (marked[..., 0].astype(int) + marked[..., 1] - 2 * marked[..., 2].astype(int)) > 200
    assert 50 < yellow.sum() < 3000
    assert not ((plain[..., 0].astype(int) + plain[..., 1] - 2 * plain[..., 2].astype(int)) > 200).any()
    assert 0 < (cut.max(axis=2) > 150).mean() < 0.2  # words
