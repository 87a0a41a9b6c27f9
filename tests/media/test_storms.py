"""Peers that ask for too much, or say what is not so: they harm themselves alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.congestion.estimator import FLOOR, BandwidthEstimator
from media.feedback_group import FeedbackGroup
from media.ids import Mid, Ssrc
from media.rtp.feedback import FullIntraRequest, PictureLossIndication, ReceiverEstimate
from media.rtp.rtcp import ReceiverReport, build_compound
from tests.helpers.rtp_stream import VP8_KEY

from .test_router import VIDEO, World

M = 1_000_000


def test_a_storm_of_picture_loss_is_one_request_a_second() -> None:
    world = World()
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    peer, (slot,) = world.watch(video)
    world.send(VP8_KEY)
    before = world.asked()
    pli = build_compound([ReceiverReport(1), PictureLossIndication(1, slot.ssrc)])
    fir = build_compound([ReceiverReport(1), FullIntraRequest(1, ((slot.ssrc, 0),))])
    for number in range(3000):
        world.router.receive_rtcp(peer.transport, pli if number % 2 else fir, world.now, 0)
        if number % 10 == 0:
            world.now += 0.01
            world.settle()
    # three seconds went by
    assert 3 <= world.asked() - before <= 4


def test_somebody_elses_stream_cannot_be_asked_for() -> None:
    world = World()
    (video,) = world.router.publish(world.sender.transport, [VIDEO])
    _, (slot,) = world.watch(video)
    stranger, _ = world.watch()
    world.send(VP8_KEY)
    before = world.asked()
    pli = build_compound([ReceiverReport(1), PictureLossIndication(1, slot.ssrc)])
    world.now += 5
    world.router.receive_rtcp(stranger.transport, pli, world.now, 0)
    world.settle()
    assert world.asked() == before


def test_a_receiver_that_lies_about_its_line_pays_for_it_alone() -> None:
    world = World()
    camera = replace(VIDEO, mid=Mid("2"), ssrc=Ssrc(3333))
    producers = world.router.publish(world.sender.transport, [VIDEO, camera])
    for producer, source in zip(producers, ("field", "camera"), strict=True):
        world.router.describe(producer, source)
    liar, liars = world.watch(*producers)
    honest, honests = world.watch(*producers)
    for rate in (0, 0, 1, 2**60, 1000, 0):
        estimate = build_compound([ReceiverReport(1), ReceiverEstimate(1, rate, ())])
        world.router.receive_rtcp(liar.transport, estimate, world.now, 0)
        for _ in range(5):
            world.now += 0.1
            world.send(VP8_KEY)
            world.send(VP8_KEY, ssrc=3333)
    heard = Counter(packet.ssrc for packet in honest.rtp), Counter(packet.ssrc for packet in liar.rtp)
    assert [heard[0][slot.ssrc] for slot in honests] == [30, 30]
    # the field is never given up for what is said alone; the face is
    assert heard[1][liars[0].ssrc] == 30
    assert heard[1][liars[1].ssrc] < 30


#: What a receiver may say of packets sent at a time (ns): when the last came, how many bytes came, how many packets
#: did and did not.
LIES: dict[str, Callable[[int], tuple[int, int, int, int]]] = {
    "nothing came": lambda sent: (0, 0, 0, 50),
    "each came later than the one before": lambda sent: (sent * 3, 60_000, 50, 0),
    "one in a hundred bytes came, and late": lambda sent: (sent * 2, 600, 1, 0),
    "all came before it was sent, and much more": lambda sent: (sent // 2, 2**32 - 1, 2**16 - 1, 0),
    "all came at once": lambda sent: (1, 2**32 - 1, 2**16 - 1, 0),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_minute_of_lies_leads_no_farther_than_the_bounds(lie: str) -> None:
    estimator = BandwidthEstimator(6 * M, 100 * M)
    targets = []
    for number in range(1, 1200):
        sent = number * 50_000_000
        arrival, size, received, lost = LIES[lie](sent)
        group = FeedbackGroup(sent, sent + 5_000_000, arrival, size, received, lost, 0)
        estimator.receive_feedback([group], sent / 1e9)
        targets.append(estimator.target(sent / 1e9))
    assert all(target is not None and FLOOR <= target <= 100 * M for target in targets)
    # the bounds are reached, so it is they that hold
    assert targets[-1] == {"nothing came": FLOOR, "all came at once": 100 * M}.get(lie, targets[-1])


groups = st.builds(
    FeedbackGroup,
    first_sent=st.integers(-(2**63), 2**63 - 1),
    last_sent=st.integers(-(2**63), 2**63 - 1),
    last_arrival=st.integers(-(2**63), 2**63 - 1),
    bytes_received=st.integers(0, 2**32 - 1),
    packets_received=st.integers(0, 2**16 - 1),
    packets_lost=st.integers(0, 2**16 - 1),
    probe_cluster=st.integers(0, 2**16 - 1),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(groups, max_size=8), max_size=30), st.lists(st.integers(0, 2**63), max_size=3))
def test_whatever_feedback_says_the_estimate_is_one(
    said: list[list[FeedbackGroup]], rembs: list[int]
) -> None:
    estimator = BandwidthEstimator(6 * M, 100 * M)
    now = 0.0
    for feedback in said:
        now += 0.07
        estimator.receive_feedback(feedback, now)
        target = estimator.target(now)
        assert target is None or FLOOR <= target <= 100 * M
    for remb in rembs:
        estimator.receive_remb(remb)
        target = estimator.target(now)
        assert target is None or 0 <= target <= max(remb, 100 * M)
