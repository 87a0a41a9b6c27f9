"""When the disk will be full, if recording goes on as it did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_DAY = 86_400_000
#: Days of the past that the future is taken to be like.
WINDOW = 90
#: Beyond this nobody plans disks.
_FARTHEST = 10 * 365


@dataclass(frozen=True, slots=True)
class Forecast:
    """`growth` is bytes a day; `full` is Unix ms, None where that is farther than ten years away."""

    growth: float
    full: int | None


def forecast(recorded: Iterable[tuple[int, int]], now: int, left: int) -> Forecast:
    """Look ahead. `recorded`: when each recording began (Unix ms) and its bytes; `left`: bytes until the disk is full.

    The mean of the last 90 days, or of the days since the first recording where that is less; deletions are left out,
    since they are decided and do not happen.
    """
    begin = now - WINDOW * _DAY
    recent = [(max(started, begin), size) for started, size in recorded if begin <= started <= now]
    if not recent:
        return Forecast(0.0, None if left > 0 else now)
    first = min(started for started, _ in recent)
    # where recordings are as old as the window it is the window that counts
    days = max(1.0, (now - first) / _DAY)
    growth = sum(size for _, size in recent) / days
    if left <= 0:
        return Forecast(growth, now)
    ahead = left / growth if growth else _FARTHEST + 1
    return Forecast(growth, now + round(ahead * _DAY) if ahead <= _FARTHEST else None)
