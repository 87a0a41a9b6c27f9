"""What `loadtests line` makes of a browser's counters."""

from __future__ import annotations

import pytest

from loadtests import line
from loadtests.line_pages import Reading


def reading(time: float, **fields: float | None) -> Reading:
    given: dict[str, float | None] = dict.fromkeys(Reading.__slots__, 0) | {"time": time, **fields}
    return Reading(**given)  # type: ignore[arg-type]


def test_a_stretch_is_told_by_differences() -> None:
    found = line.summarise(
        [
            reading(
                10.0, bytes=1_000_000, packets=1000, decoded=100, height=720, freezes=1, frozen=0.5, age=80
            ),
            reading(
                11.0, bytes=2_000_000, packets=2000, decoded=120, height=360, freezes=1, frozen=0.5, age=None
            ),
            reading(
                12.0,
                bytes=3_000_000,
                packets=3000,
                repeated=100,
                decoded=160,
                height=360,
                freezes=3,
                frozen=2.0,
                age=120,
            ),
        ],
        {
            "down": {"sent": 400, "lost": 6, "dropped_by_queue": 2},
            "up": {"sent": 1, "lost": 0, "dropped_by_queue": 0},
        },
    )
    assert found["mbit_s"] == pytest.approx(8.0)
    assert found["fps"] == 30.0
    assert found["height"] == {"min": 360, "median": 360}
    assert found["freezes"] == {"count": 2, "seconds": 1.5}
    assert found["age_ms"] == {"p50": 120, "p95": 120}
    assert (found["lost_on_the_line"], found["repeated"]) == (0.02, 0.05)


def test_a_page_that_knows_no_age_has_none() -> None:
    counted = {way: {"sent": 0, "lost": 0, "dropped_by_queue": 0} for way in ("down", "up")}
    found = line.summarise([reading(1.0, age=None), reading(2.0, age=None)], counted)
    assert found["age_ms"] == {"p50": None, "p95": None}


@pytest.mark.parametrize("scenario", line.SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_steps_of_a_line_fill_its_time(scenario: line.Scenario) -> None:
    assert sum(step.share for step in scenario.steps) == pytest.approx(1.0)
