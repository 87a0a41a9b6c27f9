"""Who joins over a thin line sees a picture at once, and it does not stand; over a wide one it is soon whole."""

from __future__ import annotations

import pytest

from tests.helpers.line import Line
from tests.helpers.picture import Picture
from tests.helpers.virtual_call import VirtualCall
from tests.sessions.lines import FIELD, SOUND, M

#: Sizes between which the largest line of these lies, and a field of which the least is large.
LARGER = ((0.35 * M, 360), (1.2 * M, 720), (4 * M, 1080))
JOINED = 3.0


def join(line: Line, field: tuple[tuple[float, int], ...], seconds: float) -> tuple[Picture, Picture]:
    """Join a call that has been under way for a while; returns the field and the sound."""
    call = VirtualCall()
    picture, sound = call.publish("field", *field), call.publish("microphone", SOUND)
    # somebody watches already, so that all sizes are being sent
    call.add_viewer(Line(9, delay=0.01))
    call.run(JOINED)
    viewer = call.add_viewer(line)
    call.run(seconds)
    return viewer.pictures[picture], viewer.pictures[sound]


@pytest.mark.parametrize("field", [FIELD, LARGER])
@pytest.mark.parametrize(("rate", "delay"), [(1 * M, 0.02), (1.5 * M, 0.02), (1 * M, 0.06)])
def test_over_a_thin_line(field: tuple[tuple[float, int], ...], rate: float, delay: float) -> None:
    picture, sound = join(Line(1, rate=rate, delay=delay), field, 6.0)
    assert picture.shown[0].time - JOINED < 0.5
    assert picture.longest_standstill(JOINED + 0.5, JOINED + 6) < 0.5
    assert picture.age(1.0, JOINED, JOINED + 6) < 0.5
    assert len(sound.between(JOINED + 0.5, JOINED + 6)) > 0.98 * 5.5 * 50


@pytest.mark.parametrize("delay", [0.02, 0.06])
def test_over_a_wide_line(delay: float) -> None:
    picture, _ = join(Line(1, rate=100 * M, delay=delay), LARGER, 1.5)
    assert picture.shown[0].time - JOINED < 0.05 + delay
    assert picture.heights(JOINED + 0.2 + 2 * delay, JOINED + 1.5) == {1080}
