"""What of the tracks is worth telling everybody: changes that are noticed, not too often, and a sign of life."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from .similarity import Matrix, Points, apply
from .tracker import Track

#: Seconds between two announcements of a field; a mark that is no longer to be believed is told at once.
INTERVAL: Final = 0.1
#: A movement of so many picture heights is noticed: a pixel of 1080.
NOTICED: Final = 0.001
CONFIDENCE: Final = 0.15
#: A mark that follows and is good is told of at least so often: who hears nothing for longer no longer believes it.
ALIVE: Final = 0.3

_CORNERS: Final[Points] = np.array([[0.0, 0.0], [1.8, 0.0], [0.0, 1.0], [1.8, 1.0]])


class Announcer:
    """Chooses what to tell. `now` is seconds of any clock that does not run backwards."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[Track, float]] = {}
        self._last = float("-inf")
        self._anew = False
        self._begun: set[str] = set()

    def forget(self) -> None:
        """Note that what was told did not stand: all is to be told anew."""
        self._anew = True

    def begin(self, mark: str) -> None:
        """Note that a mark lies elsewhere now: whatever was told of it is of no use, and what comes out is told."""
        self._told.pop(mark, None)
        self._begun.add(mark)

    def news(self, tracks: Sequence[Track], now: float) -> list[Track]:
        """Give the tracks that are to be told now, maybe none."""
        here = {track.mark for track in tracks}
        self._told = {mark: told for mark, told in self._told.items() if mark in here}
        if self._anew:
            self._anew, self._last = False, now
            self._told = {track.mark: (track, now) for track in tracks}
            self._begun -= here
            return list(tracks)
        urgent = [track for track in tracks if track.mark in self._begun or self._falls(track)]
        # half a picture early is not too early: else every fourth picture becomes every third or fifth
        if not urgent and now - self._last < INTERVAL - 0.01:
            return []
        news = [track for track in tracks if track in urgent or self._changed(track, now)]
        if news:
            self._last = now
        for track in news:
            self._told[track.mark] = (track, now)
            self._begun.discard(track.mark)
        return news

    def _falls(self, track: Track) -> bool:
        told = self._told.get(track.mark)
        return track.state != "good" and (told is None or told[0].state != track.state)

    def _changed(self, track: Track, now: float) -> bool:
        told = self._told.get(track.mark)
        if told is None:
            # whoever does not follow is where it was drawn, which everybody knows
            return track.follow or track.state != "good"
        before, at = told
        if before.state != track.state:
            return True
        if not track.follow or track.state != "good":
            return False
        return (
            now - at >= ALIVE - 0.01
            or _apart(before.matrix, track.matrix) > NOTICED
            or abs(before.confidence - track.confidence) > CONFIDENCE
        )


def _apart(one: Matrix, other: Matrix) -> float:
    return float(np.linalg.norm(apply(one, _CORNERS) - apply(other, _CORNERS), axis=1).max())
