"""When the delay means a queue, and when it only looks like one."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from media.congestion import delay
from media.congestion.delay import DelayDetector, Usage
from media.feedback_group import FeedbackGroup

STEP_MS = 5


def usages(delays: Iterable[float]) -> list[Usage]:
    """Let a group leave each 5 ms and take so long, ms."""
    detector, found = DelayDetector(), []
    for i, taken in enumerate(delays):
        sent = i * STEP_MS * 1_000_000
        group = FeedbackGroup(sent, sent, sent + int(taken * 1e6), 1200, 1, 0, 0)
        found.append(detector.add(group, i * STEP_MS / 1000))
    return found


CALM = [20.0] * 100


def test_a_delay_that_grows_and_grows_is_a_queue() -> None:
    assert Usage.OVER in usages([*CALM, *(20.0 + i for i in range(50))])


def test_an_even_delay_is_none_and_a_shrinking_one_is_none() -> None:
    assert set(usages(CALM * 3)) == {Usage.NORMAL}
    assert Usage.OVER not in usages([80.0] * 100 + [80.0 - i for i in range(40)])


def stalled(height: float, fall: float) -> list[float]:
    """All that waited comes at once: each group with less delay than the one before."""
    return [*CALM, *(max(20.0, 20.0 + height - fall * i) for i in range(150))]


@pytest.mark.parametrize("height", [50.0, 120.0, 200.0])
@pytest.mark.parametrize("fall", [1.2, 2.0, 5.0])
def test_what_waited_for_a_standstill_and_comes_at_once_is_no_queue(height: float, fall: float) -> None:
    assert Usage.OVER not in usages(stalled(height, fall))


def test_without_that_rule_it_would_be_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delay, "FALLING", 1e9)
    assert Usage.OVER in usages(stalled(120.0, 1.2))


def test_a_full_queue_is_one_though_it_grows_no_more() -> None:
    found = usages([*CALM, *(20.0 + 4 * i for i in range(40)), *[180.0] * 40])
    assert found[-1] is Usage.OVER
