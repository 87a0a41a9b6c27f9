"""An expert whose line loses packets by itself: repeats fill the gaps, and the field does not become small."""

from __future__ import annotations

import pytest

from tests.helpers.line import Line
from tests.sessions.lines import consultation


@pytest.mark.parametrize(
    ("line", "standstill"),
    [
        (Line(4, loss=0.02), 0.25),
        (Line(5, loss=0.1), 0.35),
        (Line(6, loss=0.2), 0.6),
        (Line(7, burst_loss=0.003, burst_length=8), 0.4),
    ],
    ids=["2 %", "10 %", "20 %", "bursts"],
)
def test_the_field_keeps_its_size_and_moves(line: Line, standstill: float) -> None:
    here = consultation(line)
    here.call.run(9)
    # once it is known that the loss is the line's own: a smaller size is tried for that, once or twice
    assert here.picture.heights(7, 9) == {720}
    assert here.picture.longest_standstill(2, 7) < standstill
    assert len(here.picture.between(2, 7)) > 0.96 * 5 * 30
    assert here.line.lost > 0


def test_what_is_lost_both_ways_is_still_repeated() -> None:
    # requests are lost, too
    line, up = Line(8, loss=0.1), Line(9, loss=0.1)
    here = consultation(line)
    here.expert.up.loss = up.loss
    here.call.run(6)
    assert len(here.picture.between(2, 6)) > 0.96 * 4 * 30
