"""All marks of one field, picture by picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np

from .awaited import Awaited, Begun
from .camera import Camera, Step
from .flow import Image, follow, levelled, shared
from .judgement import ENOUGH, FOUND_AGREED, FOUND_SCORE, FOUND_VISIBLE, Judgement, State
from .patch import Look, Patch, Pyramid, box_round
from .similarity import Matrix, apply, compose, identity, scale_of, scaled

#: Picture heights a second. At 10 tracks a second and 70 ms from the camera's picture to the page, what is faster
#: is more than 5 % of the picture beside where it is drawn, all the time.
FAST: Final = 0.25
#: The same for a single mark's tissue: a heart moves fast and comes back, twice a beat.
OWN_FAST: Final = 0.3
#: Seconds over which a speed is taken, and for which the camera must be calm before anything is looked for again.
SPEED_SECONDS: Final = 0.15
CALM_SECONDS: Final = 0.2
#: How far a mark that does not follow may be carried by the camera, in picture heights, and how near it must come back.
MOVED: Final = 0.03
RETURNED: Final = 0.015
#: A mark larger or smaller than so many times what it was is not the mark that was drawn.
SCALES: Final = (0.4, 2.5)
#: Pictures kept for marks that were drawn on one of them and come later: how long, and how many.
KEPT_SECONDS: Final = 2.5
KEPT: Final = 80
#: How far a picture may lie from a mark's own, seconds, where that one was left out; how long the mark's is waited for.
NEAR: Final = 0.05
WAITED: Final = 2.0
#: Points that are followed from picture to picture, of all marks together: 8 ms of a core.
POINTS_A_PICTURE: Final = 320
#: How many pictures go by between two searches of the whole picture for one mark.
SEARCH_EVERY: Final = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mark to be watched. `points` are fractions of the picture; without `follow` only the camera is watched."""

    mark: str
    rtp_timestamp: int
    points: tuple[tuple[float, float], ...]
    follow: bool
    #: counts how often the mark was put elsewhere: what is told of one place is not taken for another's
    place: int = 0


@dataclass(frozen=True, slots=True)
class Track:
    """Where a mark is: its movement since its own picture, in picture heights, and whether to believe it."""

    mark: str
    state: State
    matrix: Matrix
    confidence: float
    follow: bool
    #: whether the picture that it was drawn on was seen at all
    seen: bool = True
    place: int = 0


@dataclass(slots=True)
class _Kept:
    """A picture that was seen. `step` led to it; `swept`: the camera was cut or fast."""

    rtp_timestamp: int
    time: float
    pyramid: Pyramid
    step: Step
    swept: bool


@dataclass(slots=True)
class _Held:
    """A mark and its tissue. `matrix` is where it was last right, `place` where it would be now, both in px."""

    wanted: Wanted
    patch: Patch | None
    matrix: Matrix = field(default_factory=identity)
    place: Matrix = field(default_factory=identity)
    judgement: Judgement = field(default_factory=Judgement)
    confidence: float = 1.0
    speeds: deque[tuple[float, float]] = field(default_factory=deque)
    sought: int = 0

    @property
    def good(self) -> bool:
        return self.judgement.state == "good"


class Tracker:
    """Watches marks on one field. Give it every picture at 960 px or less, in order."""

    def __init__(self, clock_rate: int = 90_000) -> None:
        self._clock_rate = clock_rate
        self._camera = Camera()
        self._kept: deque[_Kept] = deque()
        self._held: dict[str, _Held] = {}
        self._pending: dict[str, tuple[Wanted, float]] = {}
        self._awaited = Awaited()
        self._distances: deque[tuple[float, float]] = deque()
        self._calm_since = 0.0
        self._turn = 0
        self._time = 0.0
        self._newest: int | None = None

    @property
    def rtp_timestamp(self) -> int | None:
        """The newest picture's; None: there was none."""
        return self._newest

    @property
    def time(self) -> float:
        """Seconds of the stream, from its first picture on."""
        return self._time

    def want(self, wanted: Iterable[Wanted]) -> None:
        """Say which marks there are. New ones are anchored at their own picture, seen already or still to come."""
        target = {one.mark: one for one in wanted}
        for mark in [mark for mark, held in self._held.items() if target.get(mark) != held.wanted]:
            del self._held[mark]
        self._pending = {mark: entry for mark, entry in self._pending.items() if target.get(mark) == entry[0]}
        for mark, one in target.items():
            if mark not in self._held and mark not in self._pending:
                self._pending[mark] = (one, self._time + WAITED)
        self._anchor()

    def expect(self, rtp_timestamp: int) -> None:
        """Keep this picture: something is being drawn on it, and its mark may come long after."""
        if self._awaited.expect(rtp_timestamp, self._time):
            self._keep_awaited()

    def receive(self, picture: Image, rtp_timestamp: int) -> list[Track]:
        """Take the next picture's brightness; give all marks' tracks."""
        before = self._kept[-1] if self._kept else None
        if before is not None and before.pyramid.image.shape != picture.shape:
            # another size is another picture: the camera tells a cut
            self._kept.clear()
            before = None
        self._advance(rtp_timestamp)
        level = levelled(picture)
        step = self._camera.receive(level, picture)
        swept = step.matrix is None or _speed(self._distances, self._time, step.distance) > FAST
        if swept:
            self._calm_since = self._time
        now = _Kept(rtp_timestamp, self._time, Pyramid(level), step, swept)
        self._kept.append(now)
        while len(self._kept) > KEPT or self._kept[0].time < self._time - KEPT_SECONDS:
            self._kept.popleft()
        self._awaited.step(step.matrix, self._time, swept=swept)
        self._keep_awaited()
        self._step(list(self._held.values()), before, now)
        self._seek(now)
        self._anchor()
        return self.tracks()

    @property
    def swept(self) -> bool:
        """Whether the camera was cut or fast between the newest picture and the one before."""
        return bool(self._kept) and self._kept[-1].swept

    @property
    def holds(self) -> bool:
        """Whether any mark is good: a gap in the pictures would lose it."""
        return any(held.good for held in self._held.values())

    def awaits(self, rtp_timestamp: int) -> bool:
        """Tell whether a picture may be one that a mark was drawn on, so that it must not be left out."""
        near = round(2 * NEAR * self._clock_rate)
        timestamps = [wanted.rtp_timestamp for wanted, _ in self._pending.values()] + self._awaited.unseen
        return any((rtp_timestamp - wanted + near) % (1 << 32) < 1 << 31 for wanted in timestamps)

    def blind(self) -> None:
        """Note that pictures went by unseen, or come too late: nothing is known of any mark."""
        for held in self._held.values():
            held.judgement.swept()
        self._awaited.step(None, self._time, swept=True)
        self._calm_since = self._time

    def tracks(self) -> list[Track]:
        """Give where all marks are, as far as they were anchored."""
        height = self._kept[-1].pyramid.image.shape[0] if self._kept else 1
        return [
            Track(
                mark,
                held.judgement.state,
                _in_heights(held.matrix, height),
                held.confidence,
                held.wanted.follow,
                held.patch is not None,
                held.wanted.place,
            )
            for mark, held in self._held.items()
        ]

    # -- time and pictures ---------------------------------------------------------------------------------------

    def _advance(self, rtp_timestamp: int) -> None:
        if self._newest is not None:
            passed = (rtp_timestamp - self._newest + (1 << 31)) % (1 << 32) - (1 << 31)
            # a clock that jumps is another stream's: what moved meanwhile is seen in the picture
            self._time += passed / self._clock_rate if 0 < passed < 60 * self._clock_rate else 1.0
        self._newest = rtp_timestamp

    def _anchor(self) -> None:
        """Take the tissue of marks whose own picture was seen, and bring them up to now."""
        for mark, (wanted, until) in list(self._pending.items()):
            index = self._picture_of(wanted.rtp_timestamp)
            if index is not None:
                kept = list(self._kept)[index:]
                height, width = kept[0].pyramid.image.shape
                points = np.array(wanted.points) * [width, height] - 0.5
                patch = Patch(kept[0].pyramid, box_round(points, width, height))
                held = _Held(wanted, patch)
                if wanted.follow and not patch.followable:
                    held.judgement, held.confidence = Judgement("lost"), 0.0
                for before, now in pairwise(kept):
                    self._step([held], before, now)
            elif (begun := self._awaited.find(wanted.rtp_timestamp)) is not None:
                held = self._find_again(wanted, begun)
            elif self._time > until or self._passed(wanted.rtp_timestamp):
                held = _Held(wanted, None, judgement=Judgement("stale"), confidence=0.0)
            else:
                continue
            del self._pending[mark]
            self._held[mark] = held

    def _keep_awaited(self) -> None:
        """Keep those pictures that something is being drawn on, as soon as they are seen."""
        for timestamp in self._awaited.unseen:
            index = self._picture_of(timestamp)
            if index is None:
                continue
            kept = list(self._kept)[index:]
            begun = self._awaited.take(timestamp, kept[0].pyramid)
            for later in kept[1:]:
                begun.step(later.step.matrix, swept=later.swept)
        self._awaited.drop(self._passed)

    def _find_again(self, wanted: Wanted, begun: Begun) -> _Held:
        """Take the tissue of a mark whose own picture is long ago, and look for it about where the camera's way leads.

        It is good where it is found in the two newest pictures running, as is whatever is found again.
        """
        assert begun.picture is not None
        height, width = begun.picture.image.shape
        points = np.array(wanted.points) * [width, height] - 0.5
        patch = Patch(begun.picture, box_round(points, width, height))
        held = _Held(wanted, patch, place=begun.way)
        if begun.swept:
            held.judgement.swept()
        elif not wanted.follow:
            self._hold(held, self._kept[-1])
        elif patch.followable:
            held.judgement = Judgement("lost")
            if (look := self._certain_twice(patch, begun.before)) is not None:
                held.judgement = Judgement()
                held.place = held.matrix = look.matrix
                held.confidence = look.score
        else:
            held.judgement = Judgement("lost")
        if not held.good:
            held.confidence = 0.0
        return held

    def _certain_twice(self, patch: Patch, way: Matrix) -> Look | None:
        """Find a tissue in the two newest pictures: about where the camera's unbroken way leads in the older, as alike
        as a mark must be that was followed all the time; or all over it, as alike as one that is found again.
        """
        if len(self._kept) < 2 or (step := self._kept[-1].step.matrix) is None:
            return None
        before, now = self._kept[-2].pyramid, self._kept[-1].pyramid
        look = patch.look(before, way)
        apart = np.linalg.norm(apply(look.matrix, patch.outline) - apply(way, patch.outline), axis=1).max()
        least = ENOUGH if apart < MOVED * before.image.shape[0] else FOUND_SCORE
        if not _certain(look, least) and (place := patch.search(before, way)) is not None:
            look, least = patch.look(before, place), FOUND_SCORE
        if not _certain(look, least):
            return None
        look = patch.look(now, compose(step, look.matrix))
        return look if _certain(look, least) else None

    def _picture_of(self, rtp_timestamp: int) -> int | None:
        best, least = None, NEAR * self._clock_rate
        for index, kept in enumerate(self._kept):
            distance = abs((kept.rtp_timestamp - rtp_timestamp + (1 << 31)) % (1 << 32) - (1 << 31))
            if distance == 0:
                return index
            # a neighbour will do, once the picture itself cannot come any more
            if distance < least and self._passed(rtp_timestamp):
                best, least = index, distance
        return best

    def _passed(self, rtp_timestamp: int) -> bool:
        return self._newest is not None and 0 < (self._newest - rtp_timestamp) % (1 << 32) < 1 << 31

    # -- marks that are good -------------------------------------------------------------------------------------

    def _step(self, marks: Sequence[_Held], before: _Kept | None, now: _Kept) -> None:
        """Carry marks from one picture to the next."""
        carried = now.step.matrix
        if now.swept:
            for held in marks:
                held.judgement.swept()
        if before is None or carried is None:
            return
        following = [held for held in marks if held.good and held.wanted.follow and held.patch is not None]
        self._follow(following, before, now, carried)
        for held in marks:
            if held not in following:
                held.place = compose(carried, held.place)
                if held.good:
                    self._hold(held, now)

    def _follow(self, marks: Sequence[_Held], before: _Kept, now: _Kept, carried: Matrix) -> None:
        if not marks:
            return
        # all points in one go: the pyramids are made once
        points = [held.patch.points_in(held.place) for held in marks if held.patch is not None]
        # the more marks, the fewer points of each
        every = -(-sum(len(some) for some in points) // POINTS_A_PICTURE)
        points = [some[::every] for some in points]
        ends = np.cumsum([len(some) for some in points])[:-1]
        together = np.concatenate(points)
        found, sure = follow(before.pyramid.image, now.pyramid.image, together, apply(carried, together))
        parts = zip(marks, points, np.split(found, ends), np.split(sure, ends), strict=True)
        for held, start, end, came in parts:
            assert held.patch is not None
            moved, agreeing = shared(start[came], end[came], 1.5)
            share = int(agreeing.sum()) / max(1, len(start))
            guess = compose(moved if moved is not None else carried, held.place)
            look = held.patch.look(now.pyramid, guess)
            held.confidence = _confidence(look, share)
            held.judgement.seen(held.confidence, now.time)
            height = now.pyramid.image.shape[0]
            way = apply(look.matrix, held.patch.outline) - apply(held.place, held.patch.outline)
            distance = float(np.linalg.norm(way, axis=1).max()) / height
            held.place = look.matrix
            if held.judgement.state != "good":
                continue
            if _speed(held.speeds, now.time, distance) > OWN_FAST:
                held.judgement.swept()
            elif held.confidence >= ENOUGH:
                held.matrix = look.matrix

    def _hold(self, held: _Held, now: _Kept) -> None:
        """Judge a mark that does not follow: is it still about where it was drawn?"""
        if held.patch is not None and self._moved(held, now) > MOVED:
            held.judgement.swept()

    @staticmethod
    def _moved(held: _Held, now: _Kept) -> float:
        assert held.patch is not None
        way = apply(held.place, held.patch.outline) - held.patch.outline
        return float(np.linalg.norm(way, axis=1).max() / now.pyramid.image.shape[0])

    # -- marks that are looked for -------------------------------------------------------------------------------

    def _seek(self, now: _Kept) -> None:
        """Look for one mark that is not good, and hold one that does not follow against its tissue."""
        marks = [held for held in self._held.values() if held.patch is not None and held.patch.followable]
        resting = [held for held in marks if held.good and not held.wanted.follow]
        self._turn += 1
        if resting:
            # what the camera's steps add up to drifts; the tissue itself does not
            held = resting[self._turn % len(resting)]
            assert held.patch is not None
            look = held.patch.look(now.pyramid, held.place)
            if _certain(look):
                held.place = look.matrix
        if self._time - self._calm_since < CALM_SECONDS:
            return
        away = [held for held in marks if not held.good]
        if away:
            # whoever was found once is looked at again in the next picture
            hopeful = [held for held in away if held.judgement.hope]
            self._look_for(hopeful[0] if hopeful else away[self._turn % len(away)], now)

    def _look_for(self, held: _Held, now: _Kept) -> None:
        assert held.patch is not None
        held.sought += 1
        candidates = [held.place, held.matrix]
        if held.judgement.hope == 0 and held.sought % SEARCH_EVERY == 0:
            place = held.patch.search(now.pyramid, held.place)
            candidates = [place] if place is not None else []
        for candidate in candidates:
            look = held.patch.look(now.pyramid, candidate)
            if _certain(look):
                held.place = look.matrix
                returned = held.wanted.follow or self._moved(held, now) < RETURNED
                held.judgement.sought(found=returned)
                if held.good:
                    held.matrix = look.matrix if held.wanted.follow else identity()
                    held.confidence = look.score
                    held.speeds.clear()
                return
        held.judgement.sought(found=False)


def _speed(ways: deque[tuple[float, float]], time: float, distance: float) -> float:
    """Take one more distance into a row of (time, distance); give the speed over the newest part of it."""
    ways.append((time, distance))
    while len(ways) > 2 and ways[1][0] <= time - SPEED_SECONDS:
        ways.popleft()
    seconds = time - ways[0][0]
    # the first is what led to the beginning of the time
    way = sum([way for _, way in ways]) - ways[0][1]
    return float(way) / seconds if seconds > SPEED_SECONDS / 2 else 0.0


def _confidence(look: Look, share: float) -> float:
    """Join how much it looks like the tissue with how many points agree about where it went."""
    if look.visible < 0.4 or not SCALES[0] < scale_of(look.matrix) < SCALES[1]:
        return 0.0
    return round(look.score * min(1.0, max(look.agreed, share) / 0.4), 3)


def _certain(look: Look, least: float = FOUND_SCORE) -> bool:
    return (
        look.score >= least
        and look.visible >= FOUND_VISIBLE
        and look.agreed >= FOUND_AGREED
        and SCALES[0] < scale_of(look.matrix) < SCALES[1]
    )


def _in_heights(matrix: Matrix, height: int) -> Matrix:
    """Give a movement of pixel centres in picture heights from the picture's corner."""
    half = np.array([0.5, 0.5])
    moved = matrix.copy()
    moved[:, 2] += half - matrix[:, :2] @ half
    return scaled(moved, 1 / height)
