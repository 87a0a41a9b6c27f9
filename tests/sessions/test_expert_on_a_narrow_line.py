"""An expert whose line carries less than the field needs: a smaller field, soon and for good, and told why."""

from __future__ import annotations

import pytest

from media.congestion.allocator import Reason
from tests.helpers.line import Line
from tests.sessions.lines import M, consultation


@pytest.mark.parametrize(("rate", "height"), [(1.5 * M, 360), (0.4 * M, 180)])
def test_the_field_is_as_large_as_the_line_carries_and_stays_so(rate: float, height: int) -> None:
    here = consultation(Line(1, rate=rate))
    here.call.run(16)
    assert here.picture.heights(6, 16) == {height}
    # no frame stays away, and none comes from a queue
    assert here.picture.longest_standstill(6, 16) < 0.4
    assert here.picture.age(0.95, 6, 16) < 0.25
    assert here.heard_share(6, 16) > 0.98
    assert here.told()[-1][1:] == (Reason.LINE, height)
    # it does not flap: whatever was tried was tried at the beginning
    assert [time for time, *_ in here.told() if time > 6] == []


def test_what_no_line_carries_is_not_sent_and_the_sound_is_whole() -> None:
    # one encoding of 2.5 Mbit/s, and a line of one
    here = consultation(Line(2, rate=M), field=((2.5 * M, 720),))
    here.call.run(12)
    assert here.told()[-1][1:] == (Reason.LINE, 0)
    assert here.picture.between(4, 12) == []
    assert here.heard_share(4, 12) > 0.95
