"""Good, lost, stale: each way between them, and what it takes."""

from __future__ import annotations

import numpy as np
import pytest

from annotation.tracking.announcing import ALIVE, INTERVAL, Announcer
from annotation.tracking.judgement import DOUBT, TABLE, Event, Judgement, State
from annotation.tracking.similarity import identity
from annotation.tracking.tracker import Track, Tracker, Wanted
from loadtests.tracking.scenes import Pose, photograph, see

STATES: tuple[State, ...] = ("good", "lost", "stale")


def test_every_event_has_its_place_in_every_state() -> None:
    assert set(TABLE) == {(state, event) for state in STATES for event in Event}


@pytest.mark.parametrize("state", ["lost", "stale"])
def test_only_its_own_tissue_found_twice_in_a_row_makes_a_mark_good_again(state: State) -> None:
    judgement = Judgement(state)
    judgement.seen(1.0, 1.0)
    judgement.sought(found=True)
    judgement.sought(found=False)
    judgement.sought(found=True)
    assert judgement.state == state
    judgement.sought(found=True)
    assert judgement.state == "good"


def test_one_spoilt_picture_is_forgiven_and_two_are_not() -> None:
    judgement = Judgement()
    states = []
    for confidence, at in ((0.1, 1.0), (0.9, 1.0 + DOUBT / 2), (0.1, 2.0), (0.1, 2.0 + 2 * DOUBT)):
        judgement.seen(confidence, at)
        states.append(judgement.state)
    judgement.swept()
    assert [*states, judgement.state] == ["good", "good", "good", "lost", "stale"]


def track(state: State = "good", x: float = 0.0, *, follow: bool = True) -> Track:
    matrix = identity()
    matrix[0, 2] = x
    return Track("m-1", state, matrix, 0.9, follow)


def test_what_moves_is_told_ten_times_a_second_and_what_rests_gives_a_sign_of_life() -> None:
    announcer = Announcer()
    moving = [bool(announcer.news([track(x=n / 30)], n / 30)) for n in range(30)]
    assert sum(moving) == 10
    resting = [bool(announcer.news([track(x=1)], 1 + n / 30)) for n in range(60)]
    assert 2 / ALIVE - 1 <= sum(resting) <= 2 / ALIVE + 1


def test_a_mark_that_is_no_longer_to_be_believed_is_told_at_once() -> None:
    announcer = Announcer()
    assert announcer.news([track()], 0.0)
    assert announcer.news([track("lost")], INTERVAL / 10)
    assert not announcer.news([track("lost")], INTERVAL / 5)


def test_what_does_not_follow_is_told_of_only_when_it_changes() -> None:
    announcer = Announcer()
    assert not announcer.news([track(follow=False)], 0.0)
    assert announcer.news([track("stale", follow=False)], 1.0)
    assert not announcer.news([track("stale", follow=False)], 5.0)
    announcer.forget()
    assert announcer.news([track("stale", follow=False)], 6.0)


@pytest.mark.parametrize("state", ["good", "lost", "stale"])
def test_of_a_mark_that_was_moved_all_is_told_anew(state: State) -> None:
    announcer = Announcer()
    announcer.news([track(state, follow=False)], 0.0)
    announcer.begin("m-1")
    assert announcer.news([track(state, follow=False)], 0.01)
    assert not announcer.news([track(state, follow=False)], 0.02)


def test_a_mark_without_follow_is_stale_when_the_camera_moves_on() -> None:
    tissue, noise = photograph(), np.random.default_rng(1)
    tracker = Tracker()
    tracker.want([Wanted("m-1", 0, ((0.4, 0.5), (0.45, 0.55)), follow=False)])
    states = [tracker.receive(see(tissue, Pose(x=2.0 * n), noise), 3000 * n)[0].state for n in range(16)]
    assert states[0] == "good"
    # 3 % of 540 px are 16 px, eight pictures
    assert "stale" in states
    assert 6 <= states.index("stale") <= 11


def test_a_mark_that_comes_late_is_anchored_at_its_own_picture_and_brought_up_to_now() -> None:
    tissue, noise = photograph(), np.random.default_rng(2)
    tracker = Tracker()
    for n in range(12):
        tracker.receive(see(tissue, Pose(x=3.0 * n), noise), 3000 * n)
    tracker.want([Wanted("m-1", 3000 * 4, ((0.4, 0.5), (0.45, 0.55)), follow=True)])
    (mark,) = tracker.tracks()
    # seven pictures of 3 px to the left
    assert mark.matrix[0, 2] * 540 == pytest.approx(-21, abs=0.6)
    assert mark.state == "good"


def test_a_mark_whose_picture_was_never_seen_is_stale() -> None:
    tissue, noise = photograph(), np.random.default_rng(3)
    tracker = Tracker()
    tracker.receive(see(tissue, Pose(), noise), 900_000)
    tracker.want([Wanted("m-1", 90_000, ((0.5, 0.5),), follow=True)])
    (mark,) = tracker.tracks()
    assert (mark.state, mark.seen) == ("stale", False)


def test_a_picture_without_anything_in_it_cannot_be_followed() -> None:
    tracker = Tracker()
    grey = np.full((540, 960), 90, np.uint8)
    tracker.receive(grey, 0)
    tracker.want([Wanted("m-1", 0, ((0.5, 0.5),), follow=True)])
    assert tracker.tracks()[0].state == "lost"
