"""When a line is probed, and how fast; what a probe's answer proves."""

from __future__ import annotations

import itertools

import pytest

from media.congestion.prober import AFTER_FALL, LONGEST_INTERVAL, PACKET_BITS, SECONDS, ProbeOrder, Prober
from media.congestion.throughput import ProbeResult
from media.feedback_group import FeedbackGroup

M = 1_000_000
NEVER = float("-inf")


def orders(prober: Prober, rate: int, wish: int, seconds: float) -> list[tuple[float, ProbeOrder]]:
    found = []
    for step in range(int(seconds * 50)):
        order = prober.next_probe(step / 50, rate, wish, quiet_since=NEVER)
        if order is not None:
            found.append((step / 50, order))
    return found


def test_the_start_is_probed_with_little_and_what_came_through_with_more() -> None:
    prober = Prober(6 * M)
    first = prober.next_probe(0.0, M // 3, 100 * M, quiet_since=NEVER, heard=False)
    assert first is not None
    assert first.rate == 18 * M
    # a sixth of a second of a line of 1 Mbit/s, if that is what it is: a promise, so that it is a bound
    assert first.packets * PACKET_BITS <= M / 6
    for n in range(20):
        assert prober.next_probe(0.1 * n, M // 3, 100 * M, quiet_since=NEVER, heard=False) is None
    second = prober.next_probe(2.0, 17 * M, 100 * M, quiet_since=NEVER)
    assert second is not None
    assert second.rate == 36 * M
    assert second.cluster != first.cluster


def test_a_start_that_did_not_come_through_is_not_raised() -> None:
    prober = Prober(6 * M)
    assert prober.next_probe(0.0, M // 3, 100 * M, quiet_since=NEVER, heard=False) is not None
    second = prober.next_probe(2.0, M, 100 * M, quiet_since=NEVER)
    assert second is not None
    assert second.rate == 2 * M  # of what there is, and not the start's 36


def test_nobody_probes_for_more_than_is_wished() -> None:
    prober = Prober(6 * M)
    assert prober.next_probe(0.0, 6 * M, 6 * M, quiet_since=NEVER) is None
    order = prober.next_probe(0.0, 6 * M, 7 * M, quiet_since=NEVER)
    assert order is not None
    assert order.rate == int(1.2 * 7 * M)


def test_a_probe_lasts_long_enough_to_be_measured_and_short_enough_to_harm_nobody() -> None:
    for wish in (1 * M, 20 * M, 200 * M):
        (_, order), *_ = orders(Prober(6 * M), wish // 3, wish, 0.02)
        assert order.packets >= 8
        assert order.packets * PACKET_BITS / order.rate < 0.1
        assert order.packets == 250 or order.packets * PACKET_BITS / order.rate >= SECONDS


def test_what_leads_nowhere_is_tried_ever_more_rarely() -> None:
    times = [time for time, _ in orders(Prober(6 * M), 6 * M, 100 * M, 80)]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    # the second of the start follows at once; then the interval doubles, up to the longest
    assert gaps[:3] == pytest.approx([0.3, 2.0, 4.0])
    assert gaps[3:] == pytest.approx([LONGEST_INTERVAL] * (len(gaps) - 3))


def test_after_trouble_the_line_is_left_alone() -> None:
    prober = Prober(6 * M)
    assert prober.next_probe(10.0, 6 * M, 20 * M, quiet_since=10.0 - AFTER_FALL / 2) is None
    assert prober.next_probe(10.0, 6 * M, 20 * M, quiet_since=10.0 - AFTER_FALL - 0.1) is not None


def groups(rate_in: float, rate_out: float, count: int = 6) -> list[FeedbackGroup]:
    size = 12_000
    return [
        FeedbackGroup(
            first_sent=int(i * size * 8 / rate_in * 1e9),
            last_sent=int((i + 0.9) * size * 8 / rate_in * 1e9),
            last_arrival=int((5 + i * size * 8 / rate_out) * 1e9),
            bytes_received=size,
            packets_received=10,
            packets_lost=0,
            probe_cluster=1,
        )
        for i in range(count)
    ]


def result(found: list[FeedbackGroup]) -> int | None:
    probe = ProbeResult(1)
    for group in found:
        probe.add(group)
    return probe.rate()


def test_a_probe_that_arrives_as_it_was_sent_proves_its_rate() -> None:
    proven = result(groups(20 * M, 20 * M))
    assert proven is not None
    assert abs(proven - 20 * M) < 0.01 * M


def test_a_probe_that_arrives_slower_proves_what_arrived() -> None:
    proven = result(groups(20 * M, 10 * M))
    assert proven is not None
    assert 9 * M < proven < 10 * M


def test_too_little_proves_nothing() -> None:
    assert result(groups(20 * M, 20 * M, 1)) is None
    assert result([]) is None
    lost = FeedbackGroup(0, 1, 0, 0, 0, 10, 1)
    assert result([lost, lost]) is None
