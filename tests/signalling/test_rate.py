"""A token bucket in virtual time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalling.message_frame import MESSAGE_LIMIT
from signalling.rate import MESSAGE_BURST, MESSAGE_RATE, TokenBucket, message_cost


def test_a_burst_passes_and_then_the_rate() -> None:
    bucket = TokenBucket(200, 400, now=0.0)
    assert sum(bucket.take(0.0) for _ in range(1000)) == 400
    assert sum(bucket.take(0.5) for _ in range(1000)) == 100
    assert not bucket.take(0.5)


def test_a_pause_fills_no_more_than_the_burst() -> None:
    bucket = TokenBucket(10, 5, now=0.0)
    assert sum(bucket.take(1e9) for _ in range(100)) == 5


def test_a_clock_that_steps_back_neither_gives_nor_blocks() -> None:
    bucket = TokenBucket(10, 1, now=100.0)
    assert bucket.take(100.0)
    assert not bucket.take(50.0)
    assert bucket.take(50.1)


def test_large_messages_count_for_more() -> None:
    assert message_cost("x" * 300) == 1
    bucket = TokenBucket(MESSAGE_RATE, MESSAGE_BURST, now=0.0)
    largest = message_cost(b"x" * MESSAGE_LIMIT)
    assert sum(bucket.take(0.0, largest) for _ in range(100)) == 12
    assert bucket.take(0.0)


@given(st.lists(st.floats(0, 10), max_size=200))
def test_never_more_than_burst_and_rate_allow(pauses: list[float]) -> None:
    now, taken = 0.0, 0
    bucket = TokenBucket(5, 3, now)
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
        assert taken <= 3 + 5 * now + 1e-6


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0.5)])
def test_a_bucket_that_could_never_give_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="positive rate"):
        TokenBucket(rate, burst, 0.0)
