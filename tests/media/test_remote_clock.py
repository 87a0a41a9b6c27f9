"""A publisher's clock, seen from here."""

from __future__ import annotations

from media.remote_clock import SAMPLES, RemoteClock

MS = 1_000_000
SECOND = 1_000 * MS


def test_the_report_that_travelled_fastest_counts() -> None:
    clock = RemoteClock()
    for remote, arrival in ((1000, 5050), (2000, 6010), (3000, 7400)):
        clock.add(remote, arrival)
    assert clock.translate(10_000) == 14_010


def test_a_clock_that_drifts_is_followed() -> None:
    clock = RemoteClock()
    clock.add(0, 10)
    for second in range(3 * SAMPLES):
        remote = second * SECOND
        clock.add(remote, remote + remote // 10_000)  # 100 ppm
    assert abs(clock.translate(7) - 7 - (3 * SAMPLES - SAMPLES) * SECOND // 10_000) < 1 * MS


def test_a_slower_line_moves_it_by_no_more_than_a_millisecond_a_second() -> None:
    clock = RemoteClock()
    clock.add(0, 10 * MS)
    moved = [clock.add(n * SECOND, n * SECOND + 310 * MS) for n in range(1, SAMPLES + 10)]
    assert max(moved) == 1 * MS
    assert clock.offset == 10 * MS + sum(moved)


def test_half_the_shortest_round_trip_is_the_way_of_the_report() -> None:
    clock = RemoteClock()
    clock.add(0, 30 * MS)
    assert clock.set_round_trip(44 * MS) == -22 * MS
    assert clock.set_round_trip(90 * MS) == 0
    assert clock.translate(0) == 8 * MS


def test_a_correction_of_the_publishers_clock_changes_nothing_that_was_translated() -> None:
    for step in (5 * SECOND, -5 * SECOND, 300 * MS, -300 * MS):
        clock = RemoteClock()
        clock.add(0, 20 * MS)
        before = clock.translate(SECOND)
        remote = SECOND + step
        assert clock.explains(remote, SECOND + 25 * MS, step)
        clock.step(step)
        clock.add(remote, SECOND + 25 * MS)
        assert clock.translate(remote) == before
        # what a recording lays sound and picture by
        assert clock.stepped == step
        # the other stream of the publisher tells the same: it is not taken out twice
        assert not clock.explains(remote, SECOND + 25 * MS, step)


def test_a_report_that_comes_late_is_no_correction() -> None:
    clock = RemoteClock()
    clock.add(0, 20 * MS)
    # RTP timestamps that jump beside an honest clock
    assert not clock.explains(SECOND, SECOND + 20 * MS, 700 * MS)
