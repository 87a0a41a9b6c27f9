"""Running time: exact over loops, jumps and streams without timestamps."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.publisher.timeline import JUMP, OutOfOrderError, Timeline


def test_time_begins_at_the_first_picture() -> None:
    timeline = Timeline()
    assert timeline.empty
    assert timeline.place_picture(Fraction(1000)) == 0
    assert timeline.place_picture(Fraction(1000) + Fraction(1, 25)) == Fraction(1, 25)
    assert timeline.step == Fraction(1, 25)
    assert not timeline.empty


@given(
    first=st.fractions(-10, 10_000, max_denominator=90_000),
    rate=st.sampled_from(
        [Fraction(24_000, 1001), Fraction(25), Fraction(30_000, 1001), Fraction(30), Fraction(60)]
    ),
    length=st.integers(1, 60),
    passes=st.integers(1, 5),
)
def test_a_loop_has_no_seam_whatever_the_rate(
    first: Fraction, rate: Fraction, length: int, passes: int
) -> None:
    timeline = Timeline()
    times = []
    for turn in range(passes):
        if turn:
            timeline.begin_again()
        times += [timeline.place_picture(first + n / rate, 1 / rate) for n in range(length)]
    assert times == [n / rate for n in range(length * passes)]


def test_a_loop_without_durations_goes_on_by_the_last_step() -> None:
    timeline = Timeline()
    raw = [Fraction(0), Fraction(1, 30), Fraction(3, 30)]
    first = [timeline.place_picture(time) for time in raw]
    timeline.begin_again()
    assert [*first, *(timeline.place_picture(time) for time in raw)] == [
        Fraction(0), Fraction(1, 30), Fraction(3, 30), Fraction(5, 30), Fraction(6, 30), Fraction(8, 30)
    ]  # fmt: skip


@pytest.mark.parametrize("jump", [JUMP + 1, -JUMP - 1, Fraction(-90_000)])
def test_a_jump_of_the_source_clock_is_closed(jump: Fraction) -> None:
    timeline = Timeline()
    for n in range(3):
        timeline.place_picture(Fraction(n, 30))
    assert timeline.place_picture(Fraction(3, 30) + jump) == Fraction(3, 30)
    assert timeline.place_picture(Fraction(4, 30) + jump) == Fraction(4, 30)


def test_a_pause_shorter_than_a_jump_stays() -> None:
    timeline = Timeline()
    timeline.place_picture(Fraction(0))
    assert timeline.place_picture(JUMP) == JUMP


@pytest.mark.parametrize("back", [Fraction(0), Fraction(1, 30), Fraction(2)])
def test_pictures_out_of_order_are_refused(back: Fraction) -> None:
    timeline = Timeline()
    timeline.place_picture(Fraction(10))
    timeline.place_picture(Fraction(12))
    with pytest.raises(OutOfOrderError, match="shown earlier"):
        timeline.place_picture(Fraction(12) - back)


def test_pictures_without_timestamps_follow_each_other() -> None:
    timeline = Timeline()
    times = [timeline.place_next(Fraction(1, 25)) for _ in range(3)]
    timeline.begin_again()
    times += [timeline.place_next(Fraction(1, 25)) for _ in range(2)]
    assert times == [Fraction(n, 25) for n in range(5)]


def test_sound_shares_the_clock_of_the_picture() -> None:
    timeline = Timeline()
    assert timeline.place_sound(Fraction(100)) is None  # before any picture
    timeline.place_picture(Fraction(100))
    assert timeline.place_sound(Fraction(99)) is None
    assert timeline.place_sound(Fraction(100) + Fraction(1, 50)) == Fraction(1, 50)
    assert timeline.place_sound(Fraction(100) + Fraction(1, 50)) is None  # repeated


def test_sound_over_the_seam_of_a_loop_is_left_out_and_order_kept() -> None:
    timeline = Timeline()
    timeline.place_picture(Fraction(0), Fraction(1))
    assert timeline.place_sound(Fraction(0)) == 0
    assert timeline.place_sound(Fraction(11, 10)) == Fraction(11, 10)  # 0.1 s longer than the picture
    timeline.begin_again()
    timeline.place_picture(Fraction(0), Fraction(1))
    assert timeline.place_sound(Fraction(0)) is None
    assert timeline.place_sound(Fraction(1, 10)) is None
    assert timeline.place_sound(Fraction(2, 10)) == Fraction(12, 10)
