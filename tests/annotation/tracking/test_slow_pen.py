"""A mark that took long to draw hangs on the frame that it was begun on, and follows that frame's tissue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from annotation.tracking.awaited import KEPT, KEPT_SECONDS, Awaited
from annotation.tracking.similarity import identity
from annotation.tracking.tracker import Tracker, Wanted
from loadtests.tracking import evaluation
from loadtests.tracking.scenes import RATE, SCENES, Scene

SCENE = {scene.name: scene for scene in SCENES}


def short(scene: Scene, seconds: float) -> Scene:
    return replace(scene, shots=lambda: islice(scene.shots(), round(seconds * RATE)))


def test_it_is_good_as_soon_as_it_comes_and_lies_on_the_tissue_that_it_was_drawn_on() -> None:
    measured = evaluation.run(replace(short(SCENE["pen"], 4.0), drawn=3.0))
    for row in measured.rows.values():
        # the camera has carried it by 50 px meanwhile
        assert row.times[0] <= 3.1
        assert row.states.count("good") / len(row.states) == 1.0
        assert max(row.errors) < 0.02 * measured.height


def test_after_a_cut_it_is_stale_and_good_again_only_where_it_was() -> None:
    measured = evaluation.run(replace(short(SCENE["cut"], 5.0), drawn=3.0))
    for row in measured.rows.values():
        assert row.states[0] == "stale"
        assert row.states[-1] == "good"
        assert row.all_errors[-1] < 2.0
        assert row.longest_lie == 0


def pictures(name: str, seconds: float) -> Iterator[NDArray[np.uint8]]:
    return (shot.picture for shot in islice(SCENE[name].shots(), round(seconds * RATE)))


def states(tracker: Tracker, *, follow: bool) -> list[str]:
    """Want a mark on the first picture now, and say what is told of it at once."""
    tracker.want([Wanted("m-1", 0, ((0.45, 0.45), (0.55, 0.55)), follow)])
    return [track.state for track in tracker.tracks()]


def test_without_word_of_it_its_picture_is_gone() -> None:
    tracker = Tracker()
    for number, picture in enumerate(pictures("breathing", 2.7)):
        tracker.receive(picture, 3000 * number)
    assert states(tracker, follow=True) == ["stale"]


def test_what_does_not_follow_is_held_against_the_camera_since_its_own_picture() -> None:
    still = [next(pictures("pan", 1.0))] * 84
    for seen, state in ((still, "good"), (list(pictures("pan", 2.8)), "stale")):
        tracker = Tracker()
        for number, picture in enumerate(seen):
            tracker.receive(picture, 3000 * number)
            if number == 6:
                # word comes a little after the picture itself
                tracker.expect(0)
        assert states(tracker, follow=False) == [state]


def test_pictures_are_kept_while_something_is_drawn_on_them_and_no_longer() -> None:
    awaited = Awaited()
    for timestamp in range(KEPT + 3):
        awaited.expect(timestamp, timestamp)
    assert awaited.unseen == list(range(3, KEPT + 3))
    awaited.expect(3, KEPT_SECONDS)
    awaited.step(identity(), KEPT_SECONDS + KEPT + 4, swept=False)
    assert awaited.unseen == [3]
    awaited.step(None, 2 * KEPT_SECONDS + 1, swept=True)
    assert awaited.unseen == []
