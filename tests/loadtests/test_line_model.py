"""The line that all tests of congestion stand on does what its fields say."""

from __future__ import annotations

import itertools

import pytest

from loadtests.line_model import Line

SIZE = 1250  # 10,000 bits
PACKETS = 20_000


def delays(line: Line, count: int = PACKETS, interval: float = 0.001) -> list[float]:
    """Send a packet each millisecond; list how long each that arrived took."""
    return [arrival - i * interval for i in range(count) for arrival in line.pass_on(SIZE, i * interval)]


def test_a_good_line_only_takes_its_time() -> None:
    assert delays(Line(1, delay=0.03), 100) == pytest.approx([0.03] * 100)


def test_a_narrow_place_lets_through_its_rate_and_queues_the_rest() -> None:
    line = Line(1, rate=5e6, delay=0.0, queue_seconds=0.2)
    arrivals = [arrival for i in range(2000) for arrival in line.pass_on(SIZE, i * 0.001)]
    # 10 Mbit/s go in, 5 come out, and nobody waits longer than the queue is long
    assert len(arrivals) * SIZE * 8 / arrivals[-1] == pytest.approx(5e6, rel=0.01)
    assert line.dropped_by_queue == 2000 - len(arrivals)
    late = delays(Line(1, rate=5e6, delay=0.0, queue_seconds=0.2), 2000)
    assert max(late) == pytest.approx(0.2, abs=0.005)


def test_a_rate_may_change_under_way() -> None:
    line = Line(1, rate=100e6, delay=0.0)
    assert max(delays(line, 100)) < 0.001
    line.rate = 1e6
    began = 0.1
    arrivals = [arrival for i in range(20) for arrival in line.pass_on(SIZE, began + i * 0.001)]
    assert [b - a for a, b in itertools.pairwise(arrivals)] == pytest.approx([0.01] * 19)


@pytest.mark.parametrize("loss", [0.0, 0.02, 0.1, 0.2])
def test_loss_by_chance_is_as_frequent_as_it_says(loss: float) -> None:
    line = Line(2, loss=loss)
    arrived = len(delays(line))
    assert 1 - arrived / PACKETS == pytest.approx(loss, abs=0.01)
    assert line.lost == PACKETS - arrived


def test_bursts_are_as_long_as_they_say() -> None:
    line = Line(3, burst_loss=0.01, burst_length=8)
    lost = [not line.pass_on(SIZE, i * 0.001) for i in range(PACKETS)]
    bursts = [len(list(run)) for is_lost, run in itertools.groupby(lost) if is_lost]
    assert sum(bursts) / len(bursts) == pytest.approx(8, rel=0.25)
    assert len(bursts) == pytest.approx(PACKETS * 0.01 / (1 + 0.01 * 8), rel=0.25)


def test_jitter_delays_and_keeps_the_order() -> None:
    line = Line(4, delay=0.01, jitter=0.04)
    arrivals = [arrival for i in range(PACKETS) for arrival in line.pass_on(SIZE, i * 0.001)]
    assert arrivals == sorted(arrivals)
    taken = delays(Line(4, delay=0.01, jitter=0.04))
    assert min(taken) >= 0.01
    assert max(taken) <= 0.05 + 1e-9
    assert max(taken) - min(taken) > 0.02


def test_what_is_held_up_is_overtaken() -> None:
    line = Line(5, delay=0.01, reordered=0.05, held_up=0.02)
    arrivals = [line.pass_on(SIZE, i * 0.001)[0] for i in range(PACKETS)]
    overtaken = sum(b < a for a, b in itertools.pairwise(arrivals))
    assert overtaken / PACKETS == pytest.approx(0.05, abs=0.01)


def test_a_standstill_lets_all_that_waited_come_at_once() -> None:
    line = Line(5, delay=0.01)
    line.stand_still(0.0, 0.1)
    arrivals = [line.pass_on(SIZE, i * 0.01)[0] for i in range(12)]
    assert arrivals == pytest.approx([0.1] * 10 + [0.11, 0.12])


def test_what_comes_twice_comes_twice() -> None:
    line = Line(6, duplicated=0.1)
    twice = sum(len(line.pass_on(SIZE, i * 0.001)) == 2 for i in range(PACKETS))
    assert twice / PACKETS == pytest.approx(0.1, abs=0.01)


def test_the_same_seed_does_the_same_twice_and_another_does_not() -> None:
    def run(seed: int) -> list[float]:
        return delays(Line(seed, jitter=0.01, loss=0.1, burst_loss=0.01, reordered=0.1, duplicated=0.1), 500)

    assert run(7) == run(7)
    assert run(7) != run(8)
