"""Header extension values, NTP times and sequence numbers convert both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.plane import Extension
from media.rtp import ntp
from media.rtp.extensions import (
    BY_URI,
    URIS,
    AbsCaptureTime,
    AudioLevel,
    build_abs_send_time,
    build_mid,
    build_playout_delay,
    build_transport_wide,
    parse_abs_send_time,
    parse_mid,
    parse_playout_delay,
    parse_transport_wide,
)
from media.rtp.packet import RtpError
from media.rtp.sequence import SequenceExtender, difference, extend

#: Unix times from 1970 to 2100, ns.
times = st.integers(0, 4_102_444_800_000_000_000)


@given(times)
def test_times_survive_ntp(time: int) -> None:
    assert ntp.unix_from_ntp(ntp.ntp_from_unix(time)) == time


def test_known_ntp_times() -> None:
    assert ntp.ntp_from_unix(0) == 2_208_988_800 << 32
    assert ntp.ntp_from_unix(500_000_000) == (2_208_988_800 << 32) + (1 << 31)
    # the era of 1900 ends in 2036
    assert ntp.unix_from_ntp(0) == 2_085_978_496_000_000_000
    assert ntp.middle_bits(0x0123456789ABCDEF) == 0x456789AB


@given(st.integers(0, 60_000_000_000))
def test_short_durations_keep_a_65536th(duration: int) -> None:
    assert 0 <= duration - ntp.nanoseconds_from_short(ntp.short_from_nanoseconds(duration)) < 15_260


def test_short_durations_are_clamped() -> None:
    assert ntp.short_from_nanoseconds(-5) == 0
    assert ntp.short_from_nanoseconds(1 << 62) == 0xFFFFFFFF


@given(times)
def test_the_time_of_sending_is_kept_modulo_64_s(time: int) -> None:
    assert (time - parse_abs_send_time(build_abs_send_time(time))) % 64_000_000_000 < 3_816


@given(times, st.none() | st.integers(-(10**18), 10**18))
def test_the_time_of_capture_survives(time: int, offset: int | None) -> None:
    value = bytes(AbsCaptureTime(time, offset))
    assert len(value) == (8 if offset is None else 16)
    assert AbsCaptureTime.parse(value) == AbsCaptureTime(time, offset)


def test_a_clock_offset_has_limits() -> None:
    with pytest.raises(RtpError):
        bytes(AbsCaptureTime(0, 1 << 62))


@given(st.booleans(), st.integers(0, 127))
def test_an_audio_level_survives(voice: bool, level: int) -> None:
    assert AudioLevel.parse(bytes(AudioLevel(voice, level))) == AudioLevel(voice, level)


@given(st.integers(0, 4095), st.integers(0, 4095))
def test_a_playout_delay_survives(first: int, second: int) -> None:
    limits = (10 * min(first, second), 10 * max(first, second))
    assert parse_playout_delay(build_playout_delay(*limits)) == limits


@given(st.integers(0, 1 << 40))
def test_a_transport_wide_number_survives_modulo_65536(number: int) -> None:
    assert parse_transport_wide(build_transport_wide(number)) == number % 65_536


@given(st.text(min_size=1, max_size=16))
def test_a_mid_survives(mid: str) -> None:
    assert parse_mid(build_mid(mid)) == mid


@given(st.binary(max_size=20))
def test_any_value_is_read_or_an_error(value: bytes) -> None:
    for parse in (
        parse_abs_send_time,
        AbsCaptureTime.parse,
        AudioLevel.parse,
        parse_playout_delay,
        parse_mid,
        parse_transport_wide,
    ):
        try:
            parse(value)
        except RtpError:
            pass


@pytest.mark.parametrize("limits", [(-10, 10), (20, 10), (0, 40_960)])
def test_a_playout_delay_has_limits(limits: tuple[int, int]) -> None:
    with pytest.raises(RtpError):
        build_playout_delay(*limits)


def test_levels_and_mids_have_limits() -> None:
    with pytest.raises(RtpError):
        bytes(AudioLevel(voice=False, level=128))
    with pytest.raises(RtpError):
        build_mid("")


def test_every_extension_has_its_uri() -> None:
    assert list(URIS) == list(Extension)
    assert {BY_URI[uri] for uri in URIS.values()} == set(Extension)


@given(st.integers(0, 65_535), st.lists(st.integers(-3000, 30_000), max_size=40))
def test_numbers_are_extended_without_a_wrap(start: int, steps: list[int]) -> None:
    extender = SequenceExtender()
    assert extender.extend(start) == start
    highest = start
    for step in steps:
        assert extender.extend(highest + step & 0xFFFF) == highest + step
        highest = max(highest, highest + step)
        assert extender.highest == highest


@given(st.integers(0, 65_535), st.integers(-32_768, 32_767))
def test_differences_go_the_short_way_round(older: int, distance: int) -> None:
    assert difference(older + distance & 0xFFFF, older) == distance
    assert extend(older + distance & 0xFFFF, (5 << 16) + older) == (5 << 16) + older + distance
