"""What the load test's player reads of a playlist."""

from __future__ import annotations

import pytest

from loadtests.hls import parts_of
from recorder.segments.live import LiveTrack


def test_parts_are_read_with_the_time_at_which_they_were_seen() -> None:
    track = LiveTrack(90_000, first=1_700_000_000)
    for number in range(100):
        track.receive(number * 3000, b"x", number % 60 == 0, 1_000 + number / 30)
    parts, upcoming = parts_of(track.playlist())
    assert upcoming == track.next_part
    assert [part.place for part in parts] == [(1_700_000_000 + n // 6, n % 6) for n in range(len(parts))]
    assert len(parts) == 9
    assert [part.seen for part in parts] == pytest.approx([1_000 + n / 3 for n in range(9)], abs=0.002)
    assert all(track.part(*part.place) is not None for part in parts)
    assert parts[7].uri == "1700000001.1.m4s"


def test_what_is_no_playlist_with_parts_is_said() -> None:
    with pytest.raises(ValueError, match="no part"):
        parts_of("#EXTM3U")
