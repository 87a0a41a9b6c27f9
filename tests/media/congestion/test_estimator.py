"""The estimator on lines of many kinds, in virtual time: it finds what they carry and does not fear the harmless."""

from __future__ import annotations

import pytest

from media.congestion.estimator import BandwidthEstimator
from media.congestion.prober import Prober
from media.feedback_group import FeedbackGroup
from tests.helpers.congested_sender import CongestedSender
from tests.helpers.line import Line

M = 1_000_000


def sender(line: Line, wish: float, *, start: float = 6 * M, probing: bool = True) -> CongestedSender:
    estimator = BandwidthEstimator(int(start), 200 * M)
    return CongestedSender(line, estimator, lambda _: wish, Prober(int(start)) if probing else None)


@pytest.mark.parametrize("capacity", [2 * M, 5 * M, 30 * M, 100 * M])
def test_it_finds_what_a_line_carries(capacity: int) -> None:
    run = sender(Line(1, rate=capacity), 2.0 * capacity)
    run.run(20)
    # within 15 % of it after five seconds, and for good
    for second in range(5, 19):
        targets = run.target_between(second, second + 1)
        assert abs(sum(targets) / len(targets) - capacity) < 0.15 * capacity
    assert run.delays_between(10, 20)[int(0.9 * len(run.delays_between(10, 20)))] < 0.2


@pytest.mark.parametrize("wish", [20 * M, 80 * M])
def test_on_a_wide_line_the_wish_is_reached_within_seconds(wish: int) -> None:
    run = sender(Line(1), wish)
    run.run(4)
    assert min(run.target_between(3, 4)) >= wish


def test_a_line_that_becomes_narrow_and_wide_again_is_followed() -> None:
    line = Line(3, rate=30 * M)
    run = sender(line, 25 * M)
    run.run(8)
    assert min(run.target_between(6, 8)) > 20 * M
    line.rate = 4 * M
    run.run(8)
    narrow = run.target_between(12, 16)
    assert 2.4 * M < sum(narrow) / len(narrow) < 4.6 * M
    assert run.delays_between(13, 16)[-1] < 0.35
    line.rate = 30 * M
    run.run(12)
    assert max(run.target_between(24, 28)) > 20 * M


@pytest.mark.parametrize(("loss", "share"), [(0.02, 0.9), (0.1, 0.6), (0.2, 0.5)])
def test_loss_that_is_the_lines_own_does_not_end_in_the_smallest_picture(loss: float, share: float) -> None:
    run = sender(Line(4, rate=50 * M, loss=loss), 20 * M, start=20 * M)
    run.run(20)
    late = run.target_between(8, 20)
    assert sum(late) / len(late) > share * 20 * M


def test_bursts_of_loss_are_survived() -> None:
    run = sender(Line(5, rate=50 * M, burst_loss=0.002, burst_length=8), 20 * M, start=20 * M)
    run.run(20)
    assert sum(run.target_between(5, 20)) / len(run.target_between(5, 20)) > 14 * M


@pytest.mark.parametrize("jitter", [0.01, 0.04])
@pytest.mark.parametrize("wish", [3 * M, 20 * M])
def test_jitter_is_not_a_queue(jitter: float, wish: int) -> None:
    run = sender(Line(6, jitter=jitter), wish, start=wish)
    run.run(20)
    assert min(run.target_between(2, 20)) > 0.8 * wish


def test_jitter_and_loss_together_do_not_let_it_collapse() -> None:
    run = sender(
        Line(7, rate=60 * M, jitter=0.02, loss=0.05, reordered=0.02, duplicated=0.01), 20 * M, start=20 * M
    )
    run.run(20)
    assert min(run.target_between(5, 20)) > 10 * M


def test_what_needs_little_proves_little_and_loses_nothing() -> None:
    # 2 Mbit/s are sent; what was proven before stays
    estimator = BandwidthEstimator(30 * M, 200 * M)
    run = CongestedSender(Line(8, rate=40 * M), estimator, lambda _: 2 * M)
    run.run(20)
    assert run.target_between(1, 20)[-1] == 30 * M


def test_a_standstill_is_no_queue() -> None:
    # every 2 s nothing passes for 120 ms, and then all of it at once
    line = Line(14)
    run = sender(line, 10 * M, start=10 * M)
    for _ in range(6):
        run.run(2)
        line.stand_still(run.now, 0.12)
    run.run(2)
    assert min(run.target_between(1, 14)) > 4 * M
    late = run.target_between(4, 14)
    assert sum(late) / len(late) > 8 * M


def test_one_alarm_takes_half_at_most() -> None:
    # 2 Mbit/s are sent of 20 that were proven, and the path is suddenly longer
    line = Line(15)
    run = CongestedSender(line, BandwidthEstimator(20 * M, 200 * M), lambda _: 2 * M)
    run.run(3)
    line.delay += 0.1
    run.run(0.7)
    assert min(run.target_between(3, 3.7)) >= 0.25 * 20 * M


def test_a_path_that_takes_longer_is_no_queue_for_long() -> None:
    line = Line(9)
    run = sender(line, 10 * M, start=10 * M)
    run.run(5)
    line.delay += 0.12
    run.run(15)
    assert run.target_between(19, 20)[-1] > 9 * M


def test_a_picture_that_was_paused_comes_back_by_probes_alone() -> None:
    line = Line(10, rate=0.4 * M)
    wanted = [20 * M]
    estimator = BandwidthEstimator(20 * M, 200 * M)
    run = CongestedSender(line, estimator, lambda _: wanted[0], Prober(20 * M))
    run.run(6)
    assert run.target_between(5, 6)[-1] < M
    line.rate = 50 * M
    # nothing but probes: what is sent is what is permitted of a picture that needs 20 Mbit/s at least
    run.wish = lambda _: 20 * M
    run.run(15)
    assert run.target_between(20, 21)[-1] > 15 * M


def test_without_feedback_nothing_is_known() -> None:
    estimator = BandwidthEstimator(6 * M, 200 * M)
    assert estimator.target(1.0) is None
    assert not estimator.silent(1.0, 0.0)
    assert estimator.silent(3.0, 0.0)
    estimator.receive_remb(3 * M)
    assert estimator.target(3.0) == 3 * M


@pytest.mark.parametrize(("seconds", "proves"), [(0.1, False), (2.0, True)])
def test_a_queue_that_nobody_can_see_any_more_does_not_disprove_a_probe(seconds: float, proves: bool) -> None:
    estimator = BandwidthEstimator(M, 200 * M)
    now = 1.0
    # each 20 ms something that arrives 8 ms later than the one before
    for step in range(60):
        now += 0.02
        sent = int(now * 1e9)
        arrived = sent + 20_000_000 + step * 8_000_000
        estimator.receive_feedback([FeedbackGroup(sent, sent + 1000, arrived, 1200, 1, 0, 0)], now)
    before = estimator.target(now)
    assert before is not None
    assert estimator.last_trouble == now
    # then nothing but a probe
    now += seconds
    probe = []
    for step in range(8):
        sent = int((now + step * 0.002) * 1e9)
        probe.append(FeedbackGroup(sent, sent + 1000, sent + 20_000_000, 1250, 1, 0, 1))
    estimator.receive_feedback(probe, now)
    after = estimator.target(now)
    assert after is not None
    assert (after > 4 * M) is proves
