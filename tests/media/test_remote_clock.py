"""A publisher's clock, seen from here."""

from __future__ import annotations

from media.remote_clock import SAMPLES, RemoteClock


def test_the_report_that_travelled_fastest_counts() -> None:
    clock = RemoteClock()
    for remote, arrival in ((1000, 5050), (2000, 6010), (3000, 7400)):
        clock.add(remote, arrival)
    assert clock.translate(10_000) == 14_010


def test_a_clock_that_drifts_is_followed() -> None:
    clock = RemoteClock()
    clock.add(0, 10)
    for number in range(SAMPLES):
        clock.add(number, number + 500)
    assert clock.translate(7) == 507
