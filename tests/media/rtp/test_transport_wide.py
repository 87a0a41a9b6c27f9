"""Transport-wide feedback comes back as it was built, and nothing but RtcpError comes of anything else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.rtp.rtcp import RtcpError, TransportWideFeedback, parse_compound
from media.rtp.transport_wide import MAX_STATUSES, Arrivals, build_chunks

#: Steps between arrivals: most within one byte, some back, some far; None is a loss.
_steps = st.lists(
    st.one_of(st.none(), st.integers(0, 255), st.integers(0, 20), st.integers(-0x8000, 0x7FFF)),
    min_size=1,
    max_size=120,
)


def arrivals_of(steps: list[int | None], start: int, base: int = 7, count: int = 3) -> Arrivals:
    """Make arrivals from steps; the first is at `start`."""
    ticks: list[int | None] = []
    last = start
    for step in steps:
        if step is not None:
            last = last + step if any(tick is not None for tick in ticks) else start
        ticks.append(None if step is None else (last + (1 << 31) & 0xFFFFFFFF) - (1 << 31))
    return Arrivals(base, tuple(ticks), count)


@given(_steps, st.integers(-(1 << 31), (1 << 31) - 1), st.integers(0, 0xFFFF), st.integers(0, 0xFF))
@settings(max_examples=200, deadline=None)
def test_what_is_built_is_read(steps: list[int | None], start: int, base: int, count: int) -> None:
    arrivals = arrivals_of(steps, start, base, count)
    packet = arrivals.packet(1, 0xABCDEF01)
    [parsed] = parse_compound(bytes(packet))
    assert isinstance(parsed, TransportWideFeedback)
    assert (parsed.sender_ssrc, parsed.media_ssrc) == (1, 0xABCDEF01)
    assert Arrivals.parse(parsed.body) == arrivals


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_anything_else_is_one_error(data: bytes) -> None:
    try:
        arrivals = Arrivals.parse(data)
    except RtcpError:
        return
    assert 0 < len(arrivals.ticks) <= MAX_STATUSES


def test_the_bytes_are_those_of_the_draft() -> None:
    # 5 packets from 513 on: at 64 ms, 64.5 ms, lost, 70 ms back to 69 ms (a negative delta takes two bytes)
    arrivals = Arrivals(513, (256, 258, None, 280, 276), 9)
    assert bytes(arrivals) == (
        b"\x02\x01\x00\x05"  # base sequence number, status count
        b"\x00\x00\x01\x09"  # reference time in 64 ms, feedback packet count
        b"\xd4\x60"  # vector of two bits: 01 01 00 01 10 00 00
        b"\x00\x02\x16\xff\xfc"
        b"\x00"  # to a word
    )
    assert Arrivals.parse(bytes(arrivals)) == arrivals


@pytest.mark.parametrize(
    ("symbols", "chunks"),
    [
        ([1] * 14, [0x2000 | 14]),
        ([0] * 9000, [0x1FFF, 9000 - 0x1FFF]),
        ([1, 0] * 7, [0x8000 | 0b10101010101010]),
        ([2, 1, 0, 2, 1, 0, 2], [0xC000 | 0b10010010010010]),
        ([1], [0x2001]),
    ],
)
def test_the_fewest_chunks_are_written(symbols: list[int], chunks: list[int]) -> None:
    assert list(build_chunks(symbols)) == chunks


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"\0\1\0\1\0\0\0", "eight bytes"),
        (b"\0\1\0\0\0\0\0\0\x20\x01\0\0", "not of 0"),
        (b"\0\1\xff\xff\0\0\0\0" + b"\x1f\xff" * 9, "not of 65535"),
        (b"\0\1\0\x10\0\0\0\0\x20\x01", "within its chunks"),
        (b"\0\1\0\2\0\0\0\0\x20\x02\x07", "within its deltas"),
        (b"\0\1\0\1\0\0\0\0\x40\x01\x07", "within its deltas"),
        (b"\0\1\0\1\0\0\0\0" + b"\0\0" * 40, "within its chunks"),
    ],
)
def test_a_length_that_lies_is_refused(body: bytes, word: str) -> None:
    with pytest.raises(RtcpError, match=word):
        Arrivals.parse(body)


def test_what_does_not_fit_is_not_built() -> None:
    with pytest.raises(RtcpError, match="too far apart"):
        bytes(Arrivals(0, (0, 0x8000), 0))
    with pytest.raises(RtcpError, match="1 to 16,384"):
        bytes(Arrivals(0, (), 0))
