"""When units and bursts leave, in virtual time."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.publisher.pacing import (
    BURST_PACKETS,
    BURST_SPACING,
    MOST_BYTES,
    MOST_LATE,
    MOST_STRAY,
    MOST_UNITS,
    READ_AHEAD,
    Bursts,
    Pacer,
    Release,
)
from server.publisher.source import AccessUnit

START = 5000.25


def picture(number: int, rate: int = 30, size: int = 1000) -> AccessUnit:
    return AccessUnit(
        "video",
        Fraction(number, rate),
        (bytes(size),),
        key=number == 0,
        number=number,
        step=Fraction(1, rate),
    )


def sound(number: int) -> AccessUnit:
    return AccessUnit("audio", Fraction(number, 50), (b"opus",))


def run(pacer: Pacer, units: list[AccessUnit], wake_late: float = 0.0) -> list[tuple[float, Release]]:
    """Drive the pacer as the session does, waking `wake_late` after each timer."""
    now = START
    left = list(units)
    released = []
    while not pacer.finished:
        while pacer.wants_more:
            if left:
                pacer.receive(left.pop(0))
            else:
                pacer.receive_end()
        timer = pacer.get_timer()
        if timer is None:
            break
        now = max(now, timer + wake_late)
        while (release := pacer.release(now)) is not None:
            released.append((now, release))
    assert not left
    return released


@pytest.mark.parametrize("late", [0.0, 0.004, 0.03])
def test_pictures_leave_by_one_clock_and_never_drift(late: float) -> None:
    released = run(Pacer(live=False), [picture(n, 30) for n in range(3000)], late)
    assert len(released) == 3000
    first = released[0][1].due
    for number, (now, release) in enumerate(released):
        assert release.due == pytest.approx(first + number / 30, abs=1e-6)
        assert release.time == Fraction(number, 30)
        assert 0 <= now - release.due <= late + 1e-6


def test_nothing_leaves_before_its_time() -> None:
    pacer = Pacer(live=False)
    for n in range(40):
        pacer.receive(picture(n))
    assert not pacer.wants_more
    assert pacer.release(START) is not None
    assert pacer.release(START) is None
    assert pacer.get_timer() == pytest.approx(START + 1 / 30)
    assert pacer.release(START + 1 / 30 - 1e-4) is None
    assert pacer.release(START + 1 / 30 + 1e-4) is not None


def test_interleaved_chunks_are_sent_in_the_order_of_time() -> None:
    # as a container holds them: half a second of pictures, then half a second of sound
    units: list[AccessUnit] = []
    for chunk in range(6):
        units += [picture(n) for n in range(chunk * 15, chunk * 15 + 15)]
        units += [sound(n) for n in range(chunk * 25, chunk * 25 + 25)]
    released = run(Pacer(live=False), units)
    times = [release.time for _, release in released]
    assert times == sorted(times)
    assert len(times) == len(units)
    assert all(now - release.due < 1e-6 for now, release in released)


def test_reading_ahead_is_bounded_in_time_units_and_bytes() -> None:
    by_time = Pacer(live=False)
    count = 0
    while by_time.wants_more:
        by_time.receive(picture(count))
        count += 1
    assert count == 30 * READ_AHEAD + 1
    by_units = Pacer(live=False)
    for n in range(MOST_UNITS):
        assert by_units.wants_more
        by_units.receive(picture(n, 100_000))
    assert not by_units.wants_more
    by_bytes = Pacer(live=False)
    wanted = []
    for unit in (picture(0, size=MOST_BYTES - 1), picture(1)):
        by_bytes.receive(unit)
        wanted.append(by_bytes.wants_more)
    # what was released makes room again
    by_bytes.release(START)
    assert [*wanted, by_bytes.wants_more] == [True, False, True]


def test_after_a_pause_everything_is_later_and_nothing_rushes() -> None:
    pacer = Pacer(live=False)
    for n in range(40):
        pacer.receive(picture(n))
    assert pacer.release(START) is not None
    # the machine slept for ten seconds
    awake = START + 10
    release = pacer.release(awake)
    assert release is not None
    assert release.due == awake
    lost = Fraction(10) - Fraction(1, 30)
    # RTP timestamps bear the pause too, to the millisecond
    assert abs(release.time - (Fraction(1, 30) + lost)) <= Fraction(1, 1000)
    assert pacer.release(awake) is None
    assert pacer.get_timer() == pytest.approx(awake + 1 / 30, abs=1e-3)


def test_a_hiccup_is_caught_up_without_a_shift() -> None:
    pacer = Pacer(live=False)
    for n in range(40):
        pacer.receive(picture(n))
    assert pacer.release(START) is not None
    late = START + 1 / 30 + MOST_LATE - 0.01
    release = pacer.release(late)
    assert release is not None
    assert release.due == pytest.approx(START + 1 / 30)
    assert pacer.shift == 0


def test_a_live_source_is_sent_as_it_comes() -> None:
    pacer = Pacer(live=True)
    assert pacer.get_timer() is None
    jitter = [0.0, 0.02, -0.01, 0.1]
    for n, late in enumerate(jitter):
        pacer.receive(picture(n))
        now = START + n / 30 + late
        assert pacer.get_timer() == 0.0
        release = pacer.release(now)
        assert release is not None
        assert (release.due, release.time) == (now, Fraction(n, 30))
        assert pacer.release(now) is None


def test_a_live_clock_that_strays_is_moved_once() -> None:
    pacer = Pacer(live=True)
    pacer.receive(picture(0))
    pacer.release(START)
    stray = MOST_STRAY + 1
    for n in (1, 2):
        pacer.receive(picture(n))
        release = pacer.release(START + n / 30 + stray)
        assert release is not None
        assert abs(release.time - (Fraction(n, 30) + Fraction(stray))) <= Fraction(1, 1000)


def test_the_end_comes_after_the_last_unit() -> None:
    pacer = Pacer(live=False)
    pacer.receive(picture(0))
    assert pacer.get_timer() is None  # too little is read to know the order
    pacer.receive_end()
    assert not pacer.wants_more
    assert not pacer.finished
    assert pacer.release(START) is not None
    assert pacer.finished


@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_bursts_keep_order_size_and_distance(sizes: list[int]) -> None:
    bursts = Bursts()
    packets = [
        bytes([unit, index % 256, index >> 8]) for unit, size in enumerate(sizes) for index in range(size)
    ]
    position = 0
    for unit, size in enumerate(sizes):
        bursts.receive(packets[position : position + size], START + unit / 30)
        position += size
    sent: list[bytes] = []
    last = None
    while (timer := bursts.get_timer()) is not None:
        assert bursts.next_burst(timer - 1e-6) is None
        burst = bursts.next_burst(timer)
        assert burst is not None
        assert 1 <= len(burst) <= BURST_PACKETS
        if last is not None:
            assert timer - last >= BURST_SPACING - 1e-9
        last = timer
        sent += burst
    assert sent == packets


def test_a_small_picture_leaves_at_once() -> None:
    bursts = Bursts()
    bursts.receive([b"packet"] * BURST_PACKETS, START)
    assert bursts.next_burst(START) == [b"packet"] * BURST_PACKETS
    assert bursts.get_timer() is None
    bursts.receive([b"next"], START + 1)
    assert bursts.next_burst(START + 1) == [b"next"]
