"""A live picture and its sound on one time, in virtual time: clocks that drift, reports that come late, breaks."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from recorder.segments.live_place import Place, Zero

NS = 1_000_000_000
START = 1_700_000_000 * NS


class Sender:
    """A track's clock: it begins anywhere and runs wrong by so many parts in a million; its reports tell the time."""

    def __init__(self, rate: int, first: int, ppm: float = 0.0) -> None:
        self.rate, self.first, self.ppm = rate, first, ppm

    def stamp(self, seconds: float) -> int:
        """Give the RTP timestamp of an instant."""
        return (self.first + round(seconds * self.rate * (1 + self.ppm / 1e6))) % (1 << 32)

    def told(self, seconds: float) -> tuple[int, int]:
        """Give what a report of this instant says."""
        return self.stamp(seconds), START + round(seconds * NS)


def placed(
    sender: Sender,
    place: Place,
    step: float,
    seconds: float,
    *,
    report_after: float = 0.0,
    late: float = 0.05,
) -> list[tuple[float, float]]:
    """Send a frame each `step` seconds; (when it was captured, where it lies in seconds) of each that has a place."""
    found, told = [], None
    jitter = random.Random(7)
    for number in range(round(seconds / step)):
        now = number * step
        if now >= report_after and (told is None or number % round(2 / step) == 0):
            told = sender.told(now)
        arrival = START + round((now + late + jitter.random() * 0.02) * NS)
        ticks = place.of(sender.stamp(now), arrival, told)
        if ticks is not None:
            found.append((now, ticks / sender.rate))
    return found


@pytest.mark.parametrize("ppm", [-200.0, 0.0, 200.0])
def test_sound_stays_at_its_picture_whatever_its_clock_does_for_two_hours(ppm: float) -> None:
    zero = Zero()
    pictures = placed(Sender(90_000, 4_294_000_000), Place(90_000, zero), 0.5, 7200)
    sounds = placed(Sender(48_000, 4_294_000_000, ppm), Place(48_000, zero), 0.5, 7200)
    offsets = {at: place - at for at, place in pictures}
    apart = [abs(place - at - offsets[at]) for at, place in sounds if at in offsets]
    assert len(apart) > 14_000
    assert max(apart) < 0.002


def test_until_a_report_comes_arrival_counts_and_then_both_come_together_gently() -> None:
    zero = Zero()
    sounds = placed(Sender(48_000, 9, 0), Place(48_000, zero), 0.02, 20, report_after=3, late=0.02)
    pictures = placed(Sender(90_000, 5), Place(90_000, zero), 1 / 30, 20, report_after=0, late=0.15)
    first = {round(at, 2): place - at for at, place in sounds}
    shift = pictures[-1][1] - pictures[-1][0]
    assert abs(first[0.0] - shift) > 0.01
    assert abs(sounds[-1][1] - sounds[-1][0] - shift) < 0.002
    # no frame jumps: each lasts a fiftieth longer or shorter at most
    steps = [after - before for (_, before), (_, after) in pairwise(sounds)]
    assert min(steps) > 0.0195
    assert max(steps) < 0.0205


def test_nothing_was_seen_after_it_came_whatever_a_report_says() -> None:
    zero, sender = Zero(), Sender(90_000, 5)
    place = Place(90_000, zero)
    for number in range(200):
        stamp, at = sender.told(number / 20)
        told = (stamp, at + 11 * NS // 10) if number >= 40 else None
        ticks = place.of(stamp, at + NS // 10, told)
        assert ticks is not None
        assert abs(place.seen(ticks) * NS - (at + NS // 10)) < NS // 1000


def test_a_sender_that_was_away_is_placed_where_it_goes_on() -> None:
    zero = Zero()
    place = Place(90_000, zero)
    before = placed(Sender(90_000, 77), place, 0.1, 10)
    # another line: its timestamps go on a little behind the old ones, its reports say that a minute has passed
    again = Sender(90_000, 77 + 11 * 90_000 - 70 * 90_000)
    ticks = place.of(again.stamp(70.0), START + 70 * NS, again.told(70.0))
    assert ticks is not None
    assert ticks / 90_000 == pytest.approx(before[0][1] + 70.0, abs=0.01)


def test_what_lies_before_all_time_has_no_place_and_what_was_overtaken_moves_nothing() -> None:
    zero = Zero()
    first = Place(48_000, zero)
    assert first.of(1000, START, None) == 48_000
    assert first.of(1000 + 1920, START, None) == 48_000 + 1920
    assert first.of(1000 + 960, START, None) == 48_000 + 960
    assert first.of(1000 + 2880, START, None) == 48_000 + 2880
    assert first.seen(48_000) == pytest.approx(START / NS)
    early = Place(90_000, zero)
    assert early.of(5, START - 2 * NS, None) is None
