"""Which frames were sent: between the first and the newest, over a wrap, an interruption and a jump."""

from __future__ import annotations

import pytest

from media.frames_sent import SLACK, FramesSent

RATE = 90_000
WRAP = 1 << 32


@pytest.mark.parametrize("first", [1_000_000, WRAP - 5 * RATE, 0])
def test_from_a_second_before_the_first_to_a_second_after_the_newest(first: int) -> None:
    sent = FramesSent(RATE)
    for n in range(0, 10 * RATE, 3000):
        sent.note([(first + n) % WRAP])
    last, slack = first + 10 * RATE - 3000, int(SLACK * RATE)
    for timestamp in (first, last, first + 4 * RATE, first - slack, last + slack):
        assert sent.holds(timestamp % WRAP)
    for timestamp in (first - slack - 1, last + slack + 1, first + 100 * RATE, first + (WRAP >> 1)):
        assert not sent.holds(timestamp % WRAP)


def test_frames_may_be_heard_of_in_any_order() -> None:
    sent = FramesSent(RATE)
    sent.note([90_000, 84_000, 87_000])
    assert sent.newest == 90_000
    assert sent.holds(84_000 - RATE)
    assert not sent.holds((84_000 - RATE - 1) % WRAP)


def test_what_was_sent_before_an_interruption_counts() -> None:
    sent = FramesSent(RATE)
    sent.note([1000])
    # the timeline goes on by the time that passed
    sent.note([1000 + 20 * RATE])
    assert sent.holds(1000)


def test_before_the_first_frame_there_is_none() -> None:
    assert not FramesSent(RATE).holds(12345)


def test_who_sends_longer_than_a_turn_has_sent_every_timestamp() -> None:
    sent = FramesSent(RATE)
    for n in range(0, WRAP + RATE, 600 * RATE):
        sent.note([n % WRAP])
    assert sent.holds((sent.newest or 0) + (WRAP >> 1))


def test_who_jumps_back_is_not_judged_any_more() -> None:
    sent = FramesSent(RATE)
    sent.note([1_000_000_000])
    sent.note([5])
    for timestamp in (5, 1_000_000_000, 3_000_000_000):
        assert sent.holds(timestamp)
