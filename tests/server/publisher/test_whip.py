"""The server's clock, and addresses of servers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.publisher.server_clock import SAMPLES, ServerClock
from server.publisher.whip import Whip

MS = 1_000_000


def test_without_a_sample_our_own_time_is_told() -> None:
    clock = ServerClock()
    assert not clock.known
    assert clock.translate(123) == 123


@given(
    ahead=st.integers(-(10**15), 10**15),
    ways=st.lists(
        st.tuples(st.integers(0, 500 * MS), st.integers(0, 500 * MS)), min_size=1, max_size=SAMPLES
    ),
)
def test_the_error_is_at_most_half_the_fastest_round_trip(ahead: int, ways: list[tuple[int, int]]) -> None:
    clock = ServerClock()
    now = 10**18
    for there, back in ways:
        clock.add(now, now + there + ahead, now + there + back)
        now += 1000 * MS
    fastest = min(there + back for there, back in ways)
    assert abs(clock.translate(now) - (now + ahead)) <= fastest / 2 + 1


def test_old_samples_are_forgotten_and_impossible_ones_ignored() -> None:
    clock = ServerClock()
    clock.add(1000, 9999, 900)
    assert not clock.known
    clock.add(0, 5000 * MS, 0)
    for n in range(SAMPLES):
        clock.add(n, n + 7 * MS + MS // 2, n + MS)
    assert clock.translate(0) == 7 * MS


@pytest.mark.parametrize("server", ["", "127.0.0.1:8080", "ftp://host", "http://", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused(server: str) -> None:
    with pytest.raises(ValueError, match="must begin with http"):
        Whip(server, "token")
