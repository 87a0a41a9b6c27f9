"""The rule: no mark stays good for more than 200 ms after the truth left it by more than 5 % of the picture.

What is judged is what everybody would be told, at most ten times a second. `python -m loadtests tracking` does the
same for all scenes and the two cines, at length.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import islice

import numpy as np
import pytest

from annotation.tracking.similarity import identity
from annotation.tracking.tracker import Track
from loadtests.tracking import evaluation
from loadtests.tracking.command import RULE_MS
from loadtests.tracking.measuring import Measured, Row
from loadtests.tracking.scenes import RATE, SCENES

SCENE = {scene.name: scene for scene in SCENES}


@cache
def run(name: str, seconds: float) -> Measured:
    """Measure the beginning of a scene."""
    scene = SCENE[name]
    return evaluation.run(replace(scene, shots=lambda: islice(scene.shots(), round(seconds * RATE))))


@pytest.mark.parametrize(("name", "seconds"), [("breathing", 2.5), ("rotation", 3.0), ("soft", 2.0)])
def test_marks_go_with_tissue_that_moves(name: str, seconds: float) -> None:
    measured = run(name, seconds)
    for row in measured.rows.values():
        assert set(row.states) == {"good"}
        assert max(row.errors) < 0.02 * measured.height
        assert row.longest_lie == 0
    errors = [error for row in measured.rows.values() for error in row.errors]
    assert float(np.median(errors)) < 1.5


@pytest.mark.parametrize(
    ("name", "seconds", "state"), [("cut", 5.0, "stale"), ("fast", 3.5, "stale"), ("instrument", 2.6, "lost")]
)
def test_marks_whose_tissue_is_not_there_say_so_in_time(name: str, seconds: float, state: str) -> None:
    measured = run(name, seconds)
    assert max(row.longest_lie for row in measured.rows.values()) * 1000 <= RULE_MS
    assert any(state in row.states for row in measured.rows.values())
    # what they say is told before they are wrong, or soon after; and what is good is right
    assert max(error for row in measured.rows.values() for error in row.errors) < 0.05 * measured.height


def test_after_a_cut_all_are_stale_at_once_and_good_again_only_where_they_were() -> None:
    measured = run("cut", 5.0)
    for row in measured.rows.values():
        away = [state for at, state in zip(row.times, row.states, strict=True) if 2.0 <= at < 4.0]
        assert set(away) == {"stale"}
        assert row.states[-1] == "good"
        assert row.all_errors[-1] < 2.0


def test_a_lie_that_was_told_is_measured() -> None:
    row, track = Row(), Track("m-0", "good", identity(), 1.0, True)
    for number in range(10):
        row.take(10 + number / 10, track, 100.0, True)
    row.take(11.0, track, 1.0, False)
    assert row.longest_lie == pytest.approx(1.0)
