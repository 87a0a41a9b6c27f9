"""Holds a tracker against the truth: how far off it is while it says good, and for how long it says so wrongly."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from annotation.tracking.announcing import Announcer
from annotation.tracking.tracker import Track, Tracker, Wanted

Points = NDArray[np.float64]

#: A mark that is further off than this share of the picture's height is wrong.
WRONG = 0.05
#: A mark whose tissue is covered by so much of its circle cannot be right or wrong: nobody sees it.
COVERED = 0.6


@dataclass(frozen=True, slots=True)
class Truth:
    """Where a mark really is in one picture: its circle's points in px, or None (not in the picture, or covered)."""

    points: Points | None
    #: not in this picture at all: a mark that says good is wrong
    gone: bool = False


@dataclass(slots=True)
class Row:
    """One mark over all pictures of a scene."""

    errors: list[float] = field(
        default_factory=list
    )  # px, of pictures in which the mark is good and the truth known
    times: list[float] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    all_errors: list[float] = field(default_factory=list)  # NaN where the truth is not known
    longest_lie: float = 0.0  # s
    seen_after: list[float] = field(default_factory=list)  # s from a mark's being wrong to its not being good
    _lying_since: float | None = None

    def take(self, at: float, track: Track, error: float | None, wrong: bool) -> None:
        """Take one picture: `error` px of a known truth; `wrong`: by more than 5 % of the picture, or gone."""
        self.times.append(at)
        self.states.append(track.state)
        self.all_errors.append(float("nan") if error is None else error)
        good = track.state == "good"
        if good and error is not None:
            self.errors.append(error)
        if wrong and self._lying_since is None:
            self._lying_since = at
        if self._lying_since is not None and not (wrong and good):
            if wrong or at > self._lying_since:
                self.seen_after.append(at - self._lying_since)
                self.longest_lie = max(self.longest_lie, at - self._lying_since)
            self._lying_since = at if wrong and good else None
        if self._lying_since is not None and not wrong:
            self._lying_since = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What one scene came to."""

    name: str
    words: str
    height: int
    rows: dict[str, Row]
    milliseconds: list[float]

    def summary(self) -> dict[str, object]:
        """Give the figures."""
        errors = np.array([error for row in self.rows.values() for error in row.errors])
        states = [state for row in self.rows.values() for state in row.states]
        p50, p95, most = np.percentile(errors, [50, 95, 100]) if len(errors) else (None, None, None)
        seen = [after for row in self.rows.values() for after in row.seen_after]
        return {
            "scene": self.name,
            "what": self.words,
            "marks": len(self.rows),
            "pictures": len(self.milliseconds),
            "error_px": {"p50": _rounded(p50), "p95": _rounded(p95), "max": _rounded(most)},
            "height_px": self.height,
            "good_share": round(states.count("good") / max(1, len(states)), 3),
            "loss_seen_ms": _rounded(1000 * max(seen), 0) if seen else None,
            "longest_wrong_ms": round(1000 * max((row.longest_lie for row in self.rows.values()), default=0)),
            "ms_a_picture": {
                "p50": _rounded(float(np.percentile(self.milliseconds, 50))),
                "p95": _rounded(float(np.percentile(self.milliseconds, 95))),
            },
        }


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(float(value), digits)


def circle(at: tuple[float, float], width: int, height: int, radius: float = 0.05) -> Points:
    """Give a mark's points as fractions: a circle of this share of the picture's height."""
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ring = np.stack([radius * height / width * np.cos(angles), radius * np.sin(angles)], axis=1)
    return np.asarray(ring + at)


def measure(
    name: str,
    words: str,
    pictures: Iterable[tuple[NDArray[np.uint8], dict[str, Truth]]],
    marks: dict[str, Points],
    *,
    rate: float,
    announced: bool = True,
    drawn: float = 0.0,
) -> Measured:
    """Run a tracker over pictures. `marks` by name, as fractions of the first picture; each took `drawn` s to draw.

    With `announced` what is judged is what everybody was told, at most ten times a second, and not what the tracker
    knows.
    """
    tracker, announcer = Tracker(), Announcer()
    rows = {mark: Row() for mark in marks}
    spent, size, told = [], (1, 1), dict[str, Track]()
    wanted = [Wanted(mark, 0, tuple(map(tuple, points.tolist())), True) for mark, points in marks.items()]
    for number, (picture, truth) in enumerate(pictures):
        at = number / rate
        size = (picture.shape[1], picture.shape[0])
        began = time.process_time()
        if at < drawn and number % round(rate) == 0:
            tracker.expect(0)
        if number == round(drawn * rate):
            tracker.want(wanted)
        tracks = tracker.receive(picture, round(at * 90_000))
        news = announcer.news(tracks, at)
        spent.append(1000 * (time.process_time() - began))
        told.update({track.mark: track for track in (news if announced else tracks)})
        for mark, row in rows.items():
            if mark in told:
                error, wrong = _error(told[mark], marks[mark], truth[mark], size)
                row.take(at, told[mark], error, wrong)
    return Measured(name, words, size[1], rows, spent)


def _error(track: Track, mark: Points, truth: Truth, size: tuple[int, int]) -> tuple[float | None, bool]:
    """Give how far a mark's points lie from the truth at most, px, and whether that is more than may be."""
    width, height = size
    if truth.points is None:
        return None, truth.gone
    drawn = mark * [width / height, 1.0]
    moved = (drawn @ track.matrix[:, :2].T + track.matrix[:, 2]) * height - 0.5
    error = float(np.linalg.norm(moved - truth.points, axis=1).mean())
    return error, error > WRONG * height
