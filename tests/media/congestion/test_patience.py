"""A step that failed is not tried again at once."""

from __future__ import annotations

from media.congestion.allocator import Demand, Offer, Priority, Reason, allocate
from media.congestion.patience import LONGEST_WAIT, SOON, WAIT, Patience, quality
from media.ids import ProducerId

M = 1_000_000
OFFERS = (Offer(0, M, 360, 30), Offer(1, 4 * M, 720, 30), Offer(2, 9 * M, 1080, 30))
SMALL, MIDDLE, LARGE = (quality(offer) for offer in OFFERS)
FACE = Demand(ProducerId(1), Priority.FACE, OFFERS)
FIELD = Demand(ProducerId(1), Priority.FIELD, OFFERS)


def failed(demand: Demand, patience: Patience, at: float) -> None:
    """Try the middle quality, and take it back a second later."""
    patience.note(demand, SMALL, MIDDLE, 4 * M, at, narrow=False)
    patience.note(demand, MIDDLE, SMALL, M, at + 1, narrow=True)


def held(patience: Patience, now: float, budget: float = 4 * M, current: float = SMALL) -> set[int]:
    return set(patience.held(ProducerId(1), OFFERS, current, budget, now))


def test_at_first_nothing_is_held() -> None:
    assert held(Patience(), 0.0) == set()


def test_what_failed_and_all_above_it_waits() -> None:
    patience = Patience()
    failed(FACE, patience, 0.0)
    assert held(patience, 1.0) == held(patience, WAIT + 0.9) == {1, 2}
    assert held(patience, WAIT + 1.0) == set()


def test_what_was_not_the_lines_fault_is_tried_again_at_once() -> None:
    patience = Patience()
    failed(FACE, patience, 0.0)
    assert held(patience, 1.0) == {1, 2}
    patience.forgive()
    assert held(patience, 1.0) == set()
    # and the next failure waits no longer than a first one
    failed(FACE, patience, 2.0)
    assert held(patience, 2.0 + WAIT + 1.0) == set()


def test_each_failure_doubles_the_wait_up_to_its_limit() -> None:
    patience, now, waits = Patience(), 0.0, []
    for _ in range(6):
        failed(FACE, patience, now)
        wait = next(w for w in range(1, 100) if not held(patience, now + 1 + w))
        waits.append(wait)
        now += 1 + wait
    assert waits == [8, 16, 32, 60, 60, LONGEST_WAIT]


def test_the_field_never_waits_longer_than_at_first() -> None:
    patience = Patience()
    for at in (0.0, 20.0, 40.0):
        failed(FIELD, patience, at)
    assert held(patience, 41 + WAIT - 0.1) == {1, 2}
    assert held(patience, 41 + WAIT) == set()


def test_what_lasted_was_no_failure() -> None:
    patience = Patience()
    patience.note(FACE, SMALL, MIDDLE, 4 * M, 0.0, narrow=False)
    patience.note(FACE, MIDDLE, SMALL, M, SOON, narrow=True)
    assert held(patience, SOON) == set()


def test_a_smaller_tile_is_no_failure() -> None:
    patience = Patience()
    patience.note(FACE, SMALL, MIDDLE, 4 * M, 0.0, narrow=False)
    patience.note(FACE, MIDDLE, SMALL, M, 1.0, narrow=False)
    assert held(patience, 1.0) == set()


def test_another_line_is_tried_at_once() -> None:
    patience = Patience()
    failed(FACE, patience, 0.0)
    assert held(patience, 2.0, budget=6 * M) == {1, 2}
    assert held(patience, 2.0, budget=6 * M + 1) == set()


def test_what_is_being_sent_is_never_held() -> None:
    patience = Patience()
    failed(FACE, patience, 0.0)
    assert held(patience, 2.0, current=MIDDLE) == {2}


def test_the_allocator_leaves_out_what_is_held_and_says_that_it_is_the_line() -> None:
    wanted = Demand(ProducerId(1), Priority.FACE, OFFERS, held=frozenset({1, 2}))
    (given,) = allocate(20 * M, [wanted])
    assert (given.key, given.reason, given.wished) == (0, Reason.LINE, 2)
    # where no limit is known there is nothing to be patient with
    (given,) = allocate(None, [wanted])
    assert given.key == 2


def test_who_has_ended_is_forgotten() -> None:
    patience = Patience()
    failed(FACE, patience, 0.0)
    patience.forget(ProducerId(1))
    assert held(patience, 1.0) == set()
