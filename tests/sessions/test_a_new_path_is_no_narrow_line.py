"""A receiver's network changes: what was lost while nothing passed is not held against the new path."""

from __future__ import annotations

from tests.helpers.line import Line
from tests.sessions.lines import M, consultation


def test_the_picture_is_whole_at_once_on_the_new_path() -> None:
    # one size, which would be given up where the line seems to carry less
    line = Line(1, delay=0.02)
    here = consultation(line, field=((1.5 * M, 720),))
    here.call.run(5)
    here.told().clear()
    line.loss = 1.0
    here.expert.up.loss = 1.0
    here.call.run(1.2)
    # another one, twice as long
    line.loss = here.expert.up.loss = 0.0
    line.delay = here.expert.up.delay = 0.04
    here.call.router.path_changed(here.expert.transport)
    here.call.run(4)
    assert here.picture.longest_standstill(6.8, 10.2) < 0.3
    assert here.picture.heights(6.8, 10.2) == {720}
    assert [told for told in here.told() if told[0] > 5] == []
