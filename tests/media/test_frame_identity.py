"""Encodings that begin at timestamps of their own are put on one timeline: exactly, or not at all."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from media.frame_identity import FrameIdentity, exact_offset, origin
from media.plane import EncodingStatistics

WRAP = 1 << 32
RATE = 90_000


def ntp(seconds: float) -> int:
    return int(seconds * (1 << 32))


def frames(start: int, first: int, count: int, step: int = 1500) -> tuple[int, ...]:
    """Timestamps, the newest first, of `count` frames of which the oldest is number `first`."""
    return tuple((start + step * (first + i)) % WRAP for i in reversed(range(count)))


@settings(max_examples=300)
@given(
    st.integers(0, WRAP - 1),
    st.integers(0, WRAP - 1),
    st.integers(-500, 500),
    st.integers(0, 12),
    st.sampled_from([1500, 3000, 6000]),
)
def test_the_same_frame_gets_the_same_timestamp(a: int, b: int, error: int, behind: int, step: int) -> None:
    # the second encoding's newest frames lag behind the first's, and the rough value is up to 5 ms wrong
    reference, other = frames(a, 100, 16, step), frames(b, 100 - behind, 16, step)
    assert exact_offset((a - b + error) % WRAP, reference, other) == (a - b) % WRAP


@given(st.integers(0, WRAP - 1), st.integers(0, WRAP - 1))
def test_in_doubt_there_is_no_offset(a: int, b: int) -> None:
    reference, other = frames(a, 100, 16), frames(b, 100, 16)
    # half a frame off: this frame or the next?
    assert exact_offset((a - b + 750) % WRAP, reference, other) is None
    # no frame in common
    assert exact_offset((a - b) % WRAP, reference, frames(b, 400, 16)) is None
    # too few
    assert exact_offset((a - b) % WRAP, reference[:1], other) is None
    assert exact_offset((a - b) % WRAP, (), other) is None
    assert exact_offset((a - b) % WRAP, reference, ()) is None


def test_frames_that_an_encoder_left_out_do_not_matter() -> None:
    reference = frames(7_000, 100, 16)
    other = tuple(t for i, t in enumerate(frames(4_000_000_000, 100, 16)) if i % 2)
    assert exact_offset((7_000 - 4_000_000_000) % WRAP, reference, other) == (7_000 - 4_000_000_000) % WRAP


def statistics(timestamps: tuple[int, ...], capture: tuple[int, int] = (0, 0)) -> EncodingStatistics:
    return EncodingStatistics(recent_timestamps=timestamps, capture=capture)


def test_by_capture_times() -> None:
    identity = FrameIdentity(RATE)
    a, b = frames(1_000, 100, 16), frames(900_000, 100, 16)
    captured = ntp(3_900_000_000 + 105 / 60)
    later = ntp(3_900_000_000 + 109 / 60)
    found = identity.find(
        [statistics(a, (1_000 + 105 * 1500, captured)), statistics(b, (900_000 + 109 * 1500, later))]
    )
    assert found == [(1, (1_000 - 900_000) % WRAP)]
    # once is enough
    assert identity.find([statistics(a), statistics(b)]) == []


def test_by_sender_reports() -> None:
    identity = FrameIdentity(RATE)
    a, b = frames(1_000, 100, 16), frames(900_000, 100, 16)
    assert identity.find([statistics(a), statistics(b)]) == []
    identity.learn(0, 1_000 + 100 * 1500, ntp(3_900_000_000.0))
    assert identity.find([statistics(a), statistics(b)]) == []
    # 2 ms wrong, half a second later
    identity.learn(1, 900_000 + 100 * 1500 + 45_000 + 180, ntp(3_900_000_000.5))
    assert identity.find([statistics(a), statistics(b)]) == [(1, (1_000 - 900_000) % WRAP)]


def test_an_encoding_that_begins_anew_is_found_anew() -> None:
    identity = FrameIdentity(RATE)
    identity.offsets = {0: 0, 1: 5, 2: 6}
    identity.forget(1)
    assert identity.offsets == {0: 0, 2: 6}
    identity.forget(0)
    assert identity.offsets == {0: 0}


def test_an_origin_is_where_the_epoch_would_be() -> None:
    assert origin(90_000, 1 << 32, RATE) == 0
    assert origin(0, 1 << 32, RATE) == WRAP - 90_000
