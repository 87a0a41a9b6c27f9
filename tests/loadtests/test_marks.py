"""The load test of marks: it misses nothing that it should tell, and a small one runs through."""

from __future__ import annotations

import argparse

import pytest

from loadtests import marks
from loadtests.server_process import started

GOOD = {"p50_ms": 1.2, "p99_ms": 9.0, "lost_durable": 0, "server_core_share": 0.3, "late_join_ms": 120.0}


def test_goals_are_told_in_sentences() -> None:
    assert marks.missed(GOOD) == []
    assert marks.missed(GOOD | {"p99_ms": 20.0}) == [
        "One in a hundred takes 20.0 ms to the others, not below 20."
    ]
    assert len(marks.missed({**dict.fromkeys(GOOD, float("inf"))})) == len(GOOD)


async def test_a_few_draw_and_nothing_durable_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "LATE_MARKS", 400)
    monkeypatch.setattr(marks, "WARM_UP", 0.1)
    async with started() as server:
        late = await marks.come_late(server)
        drawn = await marks.draw(server, argparse.Namespace(experts=3, rate=60.0, seconds=1.5))
    assert late["late_marks"] == 400
    assert drawn["lost_durable"] == 0
    assert drawn["sent"] == 3 * 96
    assert isinstance(drawn["durable_received"], int)
    assert drawn["durable_received"] > 0
