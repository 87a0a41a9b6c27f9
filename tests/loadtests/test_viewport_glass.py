"""What the glass says of a presenter's acts."""

from __future__ import annotations

import pytest

from loadtests.viewport_glass import delays, quantiles

ACTS = [[1000.0, 1, 400], [1100.0, 2, 400], [1200.0, 3, 400], [1200.5, 3, 400]]


def test_each_act_counts_until_it_or_something_newer_is_seen() -> None:
    glass = [[990.0, 0, 400], [1030.0, 1, 400], [1260.0, 3, 400]]
    # the second was left out for the third; what changed nothing is no act
    assert delays(ACTS, glass, 1) == [30.0, 160.0, 60.0]


def test_what_was_seen_before_the_act_does_not_count() -> None:
    assert delays([[1000.0, 1, 0]], [[999.0, 1, 0], [1040.0, 1, 0]], 1) == [40.0]


def test_what_is_never_seen_is_no_figure() -> None:
    with pytest.raises(RuntimeError, match="never saw"):
        delays(ACTS, [[1030.0, 1, 400]], 1)


def test_the_figures_are_quantiles() -> None:
    assert quantiles([float(n) for n in range(101)]) == {
        "acts": 101,
        "p50_ms": 50.0,
        "p95_ms": 95.0,
        "p99_ms": 99.0,
    }
