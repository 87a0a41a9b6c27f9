"""An expert's line falls to an eighth for a while: the field follows it down and up within seconds."""

from __future__ import annotations

from media.congestion.allocator import Reason
from tests.helpers.line import Line
from tests.sessions.lines import M, consultation


def test_the_field_follows_the_line_down_and_up() -> None:
    here = consultation(Line(3, rate=8 * M))
    here.call.run(5)
    assert here.picture.heights(3, 5) == {720}
    here.line.rate = M
    here.call.run(9)
    # at most two seconds without a new frame, and then it moves as before, smaller
    assert here.picture.longest_standstill(5, 9) < 2.0
    assert max(here.picture.heights(10, 14)) == 360
    assert here.picture.longest_standstill(10, 14) < 0.4
    assert here.picture.age(0.9, 10, 14) < 0.3
    here.line.rate = 8 * M
    here.call.run(9)
    assert here.picture.heights(21, 23) == {720}
    assert here.told()[-1][1:] == (Reason.NONE, 720)
    # the sound never noticed
    assert here.heard_share(0.5, 23) > 0.97
