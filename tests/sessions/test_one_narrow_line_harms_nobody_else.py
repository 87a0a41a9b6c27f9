"""Two experts, one of them on a narrow line: the other one's picture does not change, and both name frames alike."""

from __future__ import annotations

from tests.helpers.line import Line
from tests.sessions.lines import M, consultation


def test_each_expert_has_what_the_own_line_carries() -> None:
    here = consultation(Line(16))
    other = here.call.add_viewer(Line(17, rate=1.2 * M))
    here.call.run(12)
    assert here.picture.heights(2, 12) == {720}
    assert here.picture.longest_standstill(2, 12) < 0.2
    assert other.pictures[here.field].heights(6, 12) == {360}
    # both name the same frames alike
    large = {round(shown.time - shown.age, 3) for shown in here.picture.between(7, 11)}
    small = {round(shown.time - shown.age, 3) for shown in other.pictures[here.field].between(7, 11)}
    assert len(large & small) > 0.9 * min(len(large), len(small))
