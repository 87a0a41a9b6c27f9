"""The server measures as the page does: the shared vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from annotation.anchors import DicomAnchor
from annotation.dicom.cielab import hex_from_lab, lab_from_hex
from annotation.dicom.frames import of_frame
from annotation.dicom.measuring import MeasuredImage, label, measure, measured_image
from annotation.dicom.spacing import Region, Spacing, regions_of, spacing_of
from annotation.shapes import Mark

VECTORS: dict[str, Any] = json.loads(Path("tests/vectors/measurements.json").read_text("utf-8"))


@pytest.mark.parametrize("case", VECTORS["spacing"], ids=lambda case: case["name"])
def test_spacing(case: dict[str, Any]) -> None:
    source = Dataset()
    for keyword, value in case["attributes"].items():
        setattr(source, keyword, value)
    found = spacing_of(source)
    wanted = case["expect"]
    assert (found.basis, found.x, found.y) == (wanted["basis"], wanted["x"], wanted["y"])


@pytest.mark.parametrize("case", VECTORS["frames"], ids=lambda case: case["name"])
def test_what_holds_for_a_frame(case: dict[str, Any]) -> None:
    source = Dataset.from_json(case["attributes"])
    source.Rows = source.Columns = 8
    for frame, wanted in enumerate(case["expect"], 1):
        about, measured = of_frame(source, frame), measured_image(source, frame=frame)
        assert (about.get("RescaleSlope", 1), about.get("RescaleIntercept", 0)) == (
            wanted["slope"],
            wanted["intercept"],
        )
        assert (measured.unit, measured.spacing) == (wanted["unit"], Spacing(**wanted["spacing"]))


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_measuring(case: dict[str, Any]) -> None:
    image = VECTORS["image"]
    pixels = np.array(image["stored"], np.float64) * case["slope"] + case["intercept"]
    found = measure(
        Mark("m", case["shape"], DicomAnchor("1.2", 1), tuple(map(tuple, case["points"])), 0.01),
        MeasuredImage(
            image["columns"],
            image["rows"],
            Spacing(**case["spacing"]),
            tuple(Region(**region) for region in case["regions"]),
            pixels,
            "HU",
        ),
    )
    assert found is not None
    wanted = case["expect"]
    assert list(found.lengths) == pytest.approx(wanted["lengths"])
    assert found.basis == wanted["basis"]
    for name, value in (
        ("angle", found.angle),
        ("area", found.area),
        ("mean", found.values.mean),
        ("deviation", found.values.deviation),
        ("minimum", found.values.minimum),
        ("maximum", found.values.maximum),
    ):
        assert value == (None if wanted[name] is None else pytest.approx(wanted[name])), name
    assert found.values.pixels == wanted["pixels"]
    assert ("uncalibrated" in label(found)) == (
        found.basis == "none" and (bool(found.lengths) or found.area is not None)
    )


def test_ultrasound_regions_in_centimetres_are_read_and_others_are_not() -> None:
    def region(units: int) -> Dataset:
        item = Dataset()
        item.RegionLocationMinX0, item.RegionLocationMinY0 = 10, 20
        item.RegionLocationMaxX1, item.RegionLocationMaxY1 = 110, 220
        item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
        item.PhysicalDeltaX, item.PhysicalDeltaY = 0.05, -0.04
        return item

    source = Dataset()
    source.SequenceOfUltrasoundRegions = [region(3), region(4)]
    assert regions_of(source) == (Region(10, 20, 110, 220, 0.5, 0.4),)


@pytest.mark.parametrize(
    "colour", ["#000000", "#ffffff", "#4cc2ff", "#ff0000", "#00ff00", "#0000ff", "#7f7f80"]
)
def test_a_colour_comes_back_from_cielab(colour: str) -> None:
    assert hex_from_lab(lab_from_hex(colour)) == colour


def test_white_is_white_in_cielab() -> None:
    lightness, a, b = lab_from_hex("#ffffff")
    assert lightness == pytest.approx(100, abs=0.01)
    assert max(abs(a), abs(b)) < 0.02
