"""A line that carried nothing but sound for a while is wide again: the field comes back by probes alone."""

from __future__ import annotations

from media.congestion.allocator import Reason
from tests.helpers.line import Line
from tests.sessions.lines import M, consultation


def test_the_field_comes_back_in_full() -> None:
    here = consultation(Line(12, rate=8 * M))
    here.call.run(4)
    here.line.rate = 0.09 * M
    here.call.run(6)
    assert here.told()[-1][1:] == (Reason.LINE, 0)
    # whatever was on the way has come
    assert here.picture.between(8, 10) == []
    assert here.heard_share(6, 10) > 0.7
    here.line.rate = 8 * M
    here.call.run(9)
    assert here.picture.heights(17, 19) == {720}
    assert here.told()[-1][1:] == (Reason.NONE, 720)
