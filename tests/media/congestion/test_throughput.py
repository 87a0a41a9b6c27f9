"""How much arrives is measured alike, however often the receiver says so."""

from __future__ import annotations

import pytest

from media.congestion.throughput import Throughput


@pytest.mark.parametrize("interval", [0.02, 0.05, 0.07, 0.1, 0.3])
def test_what_arrives_is_what_was_said_since_the_window_began(interval: float) -> None:
    throughput = Throughput()
    for step in range(100):
        throughput.add(int(125_000 * interval), step * interval)
        rate = throughput.rate(step * interval)
        # a feedback is of the time before it: the first tells nothing, until then the window is not full
        if step * interval < 0.5:
            assert rate is None
        elif step * interval > 0.51:
            assert rate == pytest.approx(1_000_000, rel=0.001)


def test_who_says_nothing_receives_nothing() -> None:
    throughput = Throughput()
    assert throughput.rate(1.0) is None
    for step in range(20):
        throughput.add(10_000, step * 0.05)
    assert throughput.rate(2.0) == 0
