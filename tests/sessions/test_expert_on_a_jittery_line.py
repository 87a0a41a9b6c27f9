"""Jitter of 40 ms, packets that overtake each other and that come twice: nothing becomes smaller for it."""

from __future__ import annotations

import pytest

from tests.helpers.line import Line
from tests.sessions.lines import consultation


@pytest.mark.parametrize(
    "line",
    [Line(10, jitter=0.04), Line(11, jitter=0.04, loss=0.02, reordered=0.02, duplicated=0.02)],
    ids=["jitter", "all of it"],
)
def test_nothing_becomes_smaller(line: Line) -> None:
    here = consultation(line)
    here.call.run(7)
    assert here.told() == []
    assert here.picture.heights(2, 7) == {720}
    assert here.picture.longest_standstill(2, 7) < 0.3
    assert here.picture.age(0.95, 2, 10) < 0.25
