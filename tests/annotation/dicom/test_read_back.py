"""Others' presentation states and reports, and hostile ones: what is like a mark comes, the rest is counted."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from annotation.dicom.read_back import (
    COLOUR_STATE,
    MARKS_LIMIT,
    UNKNOWN_COLOUR,
    ReadBackError,
    is_readable,
    read_back,
)
from annotation.shapes import POINTS_LIMIT


def graphic(kind: str, data: list[float], **more: Any) -> Dataset:
    item = Dataset()
    item.GraphicAnnotationUnits = more.pop("units", "PIXEL")
    item.GraphicType, item.GraphicData = kind, data
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


def state(graphics: list[Dataset], texts: list[Dataset] | None = None, frames: Any = None) -> Dataset:
    image = Dataset()
    image.ReferencedSOPInstanceUID = "1.2.3"
    if frames is not None:
        image.ReferencedFrameNumber = frames
    annotation = Dataset()
    annotation.GraphicLayer = "LAYER1"
    annotation.ReferencedImageSequence = [image]
    annotation.GraphicObjectSequence = graphics
    annotation.TextObjectSequence = texts or []
    whole = Dataset()
    whole.SOPClassUID = UID(COLOUR_STATE)
    whole.ContentCreatorName = "Meier^Anna"
    whole.GraphicAnnotationSequence = [annotation]
    return whole


def shapes(whole: Dataset) -> list[str]:
    return [mark.shape for mark in read_back(whole, lambda _: (100, 50)).marks]


def test_others_graphics_come_as_what_is_most_like_them() -> None:
    found = read_back(
        state(
            [
                graphic("POLYLINE", [0, 0, 100, 50]),
                graphic("POLYLINE", [0, 0, 10, 10, 20, 0]),
                graphic("POLYLINE", [0, 0, 10, 10, 20, 0, 0, 0]),
                graphic("INTERPOLATED", [0, 0, 10, 10, 20, 0, 0, 0]),
                graphic("POINT", [50, 25]),
                graphic("CIRCLE", [50, 25, 60, 25]),
                graphic("ELLIPSE", [10, 20, 30, 20, 20, 15, 20, 25]),
                graphic("ELLIPSE", [10, 10, 30, 30, 15, 25, 25, 15]),
            ]
        ),
        lambda _: (100, 50),
    )
    assert [mark.shape for mark in found.marks] == [
        *("line", "freehand", "polygon", "freehand", "pin", "ellipse", "ellipse", "polygon")
    ]
    assert found.marks[0].points == ((0.0, 0.0), (1.0, 1.0))
    assert found.marks[5].points == ((0.4, 0.3), (0.6, 0.7))
    assert found.marks[6].points == ((0.1, 0.3), (0.3, 0.5))
    assert {mark.name for mark in found.marks} == {"Meier Anna"}
    assert {mark.colour for mark in found.marks} == {UNKNOWN_COLOUR}
    assert found.skipped == 0


def test_a_mark_on_several_frames_is_one_on_each() -> None:
    found = read_back(state([graphic("POINT", [1, 1])], frames=[2, 3, 5]), lambda _: (100, 50))
    assert [mark.frame for mark in found.marks] == [2, 3, 5]


@pytest.mark.parametrize(
    "bad",
    [
        graphic("POLYLINE", [0, 0, 500, 50]),
        graphic("POLYLINE", [-20, 0, 10, 10]),
        graphic("POLYLINE", [float("nan"), 0, 10, 10]),
        graphic("POLYLINE", [float("inf"), 0, 10, 10]),
        graphic("POLYLINE", [0, 0]),
        graphic("POLYLINE", []),
        graphic("ELLIPSE", [1, 2, 3, 4]),
        graphic("SPIRAL", [1, 2, 3, 4]),
        graphic("POINT", [1, 2], units="DISPLAY"),
        graphic("POINT", [1, 2], units="MATRIX"),
        graphic("POLYLINE", [1, 2, 3, 4], TrackingID="cobb m-1", TrackingUID="1.2"),
        graphic("POLYLINE", [1, 2, 3, 4], TrackingID="rectangle m-1", TrackingUID="1.2"),
    ],
)
def test_what_is_not_understood_is_counted_and_costs_nothing_else(bad: Dataset) -> None:
    found = read_back(state([bad, graphic("POINT", [50, 25])]), lambda _: (100, 50))
    assert [mark.shape for mark in found.marks] == ["pin"]
    assert found.skipped == 1


def test_a_million_points_are_thinned_to_what_a_stroke_may_have() -> None:
    data = [float(value) for at in range(1_000) for value in (at / 10, at / 20)] * 100
    (found,) = read_back(state([graphic("POLYLINE", data)]), lambda _: (100, 50)).marks
    assert len(found.points) == POINTS_LIMIT
    assert found.points[0] == (0.0, 0.0)


def test_thousands_of_graphics_are_looked_at_within_bounds() -> None:
    found = read_back(state([graphic("POINT", [1, 1])] * 20_000), lambda _: (100, 50))
    assert len(found.marks) <= 5 * MARKS_LIMIT


def test_markup_and_overrides_in_words_are_text_or_nothing() -> None:
    text = Dataset()
    text.AnchorPoint, text.AnchorPointAnnotationUnits = [1.0, 1.0], "PIXEL"
    text.UnformattedTextValue = "<script>alert(1)</script>\u202egnp\r\n second line"
    (found,) = read_back(state([], [text]), lambda _: (100, 50)).marks
    assert found.text == "<script>alert(1)</script> gnp second line"


def test_images_that_the_room_has_not_get_no_marks_and_are_named() -> None:
    source = state([graphic("POINT", [1, 1])])
    found = read_back(source, lambda _: None)
    awaited = source.GraphicAnnotationSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID
    assert (found.marks, found.skipped, found.missing) == ((), 0, frozenset({awaited}))


def test_an_image_is_no_object_with_marks() -> None:
    whole = Dataset()
    whole.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.2")
    with pytest.raises(ReadBackError):
        read_back(whole, lambda _: None)
    assert not is_readable("1.2.840.10008.5.1.4.1.1.2")


def test_a_report_that_goes_on_without_end_is_left() -> None:
    node = Dataset()
    for _ in range(200):
        outer = Dataset()
        outer.ValueType, outer.ContentSequence = "CONTAINER", [node]
        node = outer
    node.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.88.33")
    assert read_back(node, lambda _: (10, 10)).marks == ()
