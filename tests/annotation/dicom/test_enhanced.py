"""What goes out of an enhanced multi-frame image says what its functional groups say, as the page does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from annotation.anchors import DicomAnchor
from annotation.dicom.bundle import Written, write_all
from annotation.dicom.outgoing import DrawnMark
from annotation.dicom.presentation import presentation_states
from annotation.shapes import Mark
from tests.helpers.drawing import a_stamp, image, mark
from tests.helpers.judges import complaints, said

NAME = "eCT_Supplemental.dcm"


def drawn(*marks: Mark) -> list[DrawnMark]:
    return [DrawnMark(one, "pt-1", "Dr. Li Wei", "#4cc2ff", 1_795_305_000.0) for one in marks]


def groups_of(source: Dataset, frame: int) -> tuple[float, float, list[float]]:
    """Give a frame's slope, intercept and spacing, read by hand."""
    found = {}
    for group in (
        source.SharedFunctionalGroupsSequence[0],
        source.PerFrameFunctionalGroupsSequence[frame - 1],
    ):
        for item in [
            *group.get("PixelValueTransformationSequence", ()),
            *group.get("PixelMeasuresSequence", ()),
        ]:
            found.update({element.keyword: element.value for element in item})
    return (
        float(found["RescaleSlope"]),
        float(found["RescaleIntercept"]),
        [float(value) for value in found["PixelSpacing"]],
    )


def test_values_are_rescaled_and_lengths_are_in_millimetres(tmp_path: Path) -> None:
    source = image(NAME)
    slope, intercept, (down, across) = groups_of(source, 2)
    # the file leaves the unit unspecified, as no scanner's does
    source.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0].RescaleType = "HU"
    source.save_as(path := tmp_path / "enhanced.dcm")
    marks = drawn(mark("probe", "a", 2), mark("length", "a", 2))
    written = list(write_all(marks, {"a": path}, [], None, ["report", "presentation"], a_stamp()))
    (state,) = [one.dataset for one in written if isinstance(one, Written) and one.kind == "presentation"]
    (report,) = [one.dataset for one in written if isinstance(one, Written) and one.kind == "report"]
    value = source.pixel_array[1, int(0.3 * source.Rows), int(0.3 * source.Columns)] * slope + intercept
    length = float(np.hypot(0.2 * source.Columns * across, 0.2 * source.Rows * down))
    text = said("dsrdump", report, tmp_path)
    assert f'"Attenuation Coefficient")="{value:.1f}' in text
    assert f'"Length")="{length:.4f}' in text
    words = [
        one.UnformattedTextValue for a in state.GraphicAnnotationSequence for one in a.TextObjectSequence
    ]
    assert words == [f"{value:.1f} HU", f"{length:.1f} mm"]


def test_a_state_has_the_frames_own_rescaling_and_window_and_holds_for_it_alone(tmp_path: Path) -> None:
    source = image(NAME)
    later = source.PerFrameFunctionalGroupsSequence[1]
    later.PixelValueTransformationSequence = [Dataset()]
    transformation = later.PixelValueTransformationSequence[0]
    transformation.RescaleSlope, transformation.RescaleIntercept, transformation.RescaleType = 2, -8192, "HU"
    later.FrameVOILUTSequence = [Dataset()]
    window = later.FrameVOILUTSequence[0]
    window.WindowCenter, window.WindowWidth, window.VOILUTFunction = 40, 2.5, "SIGMOID"
    states = presentation_states(drawn(mark("line", "a", 1), mark("arrow", "a", 2)), {"a": source}, a_stamp())
    assert [float(state.RescaleIntercept) for state in states] == [groups_of(image(NAME), 1)[1], -8192]
    shown = states[1].SoftcopyVOILUTSequence[0]
    assert (shown.WindowWidth, shown.VOILUTFunction) == (2.5, "SIGMOID")
    frames = [
        state.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedFrameNumber for state in states
    ]
    assert frames == [1, 2]
    for state in states:
        assert complaints("dcmpschk", state, tmp_path) == []
        assert complaints("dciodvfy", state, tmp_path) == []


@pytest.mark.parametrize("first", [-2, 100])
def test_tables_of_values_go_with_the_state(first: int, tmp_path: Path) -> None:
    source = image("CT_small.dcm")
    del source.RescaleSlope, source.RescaleIntercept
    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        table = Dataset()
        table.add_new("LUTDescriptor", "SS" if first < 0 else "US", [4, first, 16])
        table.add_new("LUTData", "US", [0, 100, 200, 40_000])
        if keyword == "ModalityLUTSequence":
            table.ModalityLUTType = "HU"
        setattr(source, keyword, [table])
    anchor = DicomAnchor("a", 1)
    line = Mark("m-1", "line", anchor, ((0.1, 0.1), (0.5, 0.5)), 0.01)
    (state,) = presentation_states(drawn(line), {"a": source}, a_stamp())
    assert "RescaleSlope" not in state
    assert list(state.ModalityLUTSequence[0].LUTDescriptor) == [4, first, 16]
    assert list(state.SoftcopyVOILUTSequence[0].VOILUTSequence[0].LUTData) == [0, 100, 200, 40_000]
    assert complaints("dciodvfy", state, tmp_path) == []


def test_a_window_of_no_width_is_not_taken_along(tmp_path: Path) -> None:
    source = image("CT_small.dcm")
    source.WindowCenter, source.WindowWidth = "0", "0"
    line = Mark("m-1", "line", DicomAnchor("a", 1), ((0.1, 0.1), (0.5, 0.5)), 0.01)
    (state,) = presentation_states(drawn(line), {"a": source}, a_stamp())
    assert "SoftcopyVOILUTSequence" not in state
    assert complaints("dciodvfy", state, tmp_path) == []
