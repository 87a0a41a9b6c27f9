"""Which calibration a length on the operating field is measured by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from annotation.anchors import VideoAnchor
from annotation.calibration import VIDEO_CLOCK, ticks_between
from annotation.document import Document
from annotation.notes import Calibrate
from annotation.operations import Add, Edit
from annotation.shapes import Mark
from annotation.still import Scale, Still
from annotation.values import AnnotationError

SECOND = VIDEO_CLOCK
#: Almost at the end of RTP's 32 bits.
START = (1 << 32) - 10 * SECOND
POINTS = ((0.0, 0.5), (1.0, 0.5))


def length(name: str, timestamp: int, *, still: bool = False) -> Add:
    anchor = VideoAnchor(7, timestamp % (1 << 32), still)
    return Add(Mark(name, "length", anchor, ((0.1, 0.1), (0.2, 0.1)), 0.004))


def refused(document: Document, operation: Add | Edit, now: float) -> bool:
    try:
        document.apply(operation, "a", "A", "red", now)
    except AnnotationError as error:
        return error.code == "not_calibrated"
    return False


@pytest.mark.parametrize("hours", range(13))
def test_timestamps_that_came_round_are_told_apart(hours: int) -> None:
    ticks = hours * 3600 * SECOND + 4711
    later = (START + ticks) % (1 << 32)
    assert ticks_between(later, START, hours * 3600) == ticks
    assert ticks_between(START, later, -hours * 3600) == -ticks


@pytest.mark.parametrize("hours", [0, 1, 7, 12])
def test_a_calibration_holds_from_its_own_frame_on(hours: int) -> None:
    document = Document()
    now = 1000.0 + hours * 3600
    document.apply(Calibrate(VideoAnchor(7, START), POINTS, 30.0), "s", "S", "red", 1000.0)
    frame = START + hours * 3600 * SECOND
    assert not refused(document, length("m-1", frame), now)
    # a second calibration, at another zoom: what was drawn on a frame before it is not its to measure
    document.apply(
        Calibrate(VideoAnchor(7, (frame + 5 * SECOND) % (1 << 32)), POINTS, 60.0), "s", "S", "red", now + 6
    )
    assert refused(document, length("m-2", frame + SECOND), now + 7)
    assert not refused(document, length("m-3", frame + 6 * SECOND), now + 7)
    # what is only restyled stays what it was
    found = document.find("m-1")
    assert found is not None
    assert isinstance(found.operation, Add)
    assert not refused(document, Edit((replace(found.operation.mark, width=0.01),)), now + 8)


def test_a_still_is_measured_by_what_was_known_of_its_frame() -> None:
    document = Document()
    bare = Still(7, START, 1920, 1080, "0" * 64, "pt-1", True, "")
    document.apply(bare, "a", "A", "red", 1000.0)
    document.apply(Calibrate(VideoAnchor(7, START), POINTS, 30.0), "s", "S", "red", 1001.0)
    assert refused(document, length("m-1", START, still=True), 1002.0)
    known = replace(bare, rtp_timestamp=START + 1, calibration=Scale(POINTS, 30.0))
    document.apply(known, "a", "A", "red", 1003.0)
    document.apply(Calibrate(VideoAnchor(7, START + 9), (), None), "s", "S", "red", 1004.0)
    assert not refused(document, length("m-2", START + 1, still=True), 1005.0)
