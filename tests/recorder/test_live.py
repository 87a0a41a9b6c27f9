"""A live track in parts: each frame once, exact to the tick, a frame late; what is hinted at comes or is none."""

from __future__ import annotations

import io

import av
import pytest

from media.codecs.packetisation import split_annex_b
from media.plane import Codec
from recorder.export.sample_entry import picture_parameters
from recorder.segments import fmp4
from recorder.segments.live import LISTED, LONGEST, PART, SHORTEST, Cut, LiveTrack
from recorder.segments.sample import as_sample
from tests.helpers.journal_media import FRAME_TICKS, Encoded, encode


def fed(frames: tuple[Encoded, ...], times: list[int]) -> LiveTrack:
    track = LiveTrack(90_000)
    for frame, time in zip(frames, times, strict=True):
        key = any(unit[0] & 0x1F == 5 for unit in split_annex_b(frame.data))
        track.receive(time, as_sample(Codec.H264, frame.data), key, time / 90_000)
    return track


def test_parts_and_segments_are_the_frames_as_they_came() -> None:
    frames = encode(Codec.H264, 91, 60)
    track = fed(frames, [n * FRAME_TICKS for n in range(91)])
    assert track.next_part == (1, 3)  # the frame that waits for the next is in no part
    text = track.playlist()
    assert f"#EXT-X-PART-INF:PART-TARGET={PART:.3f}" in text
    assert text.count("INDEPENDENT=YES") == 2
    assert "#EXTINF:2.000000,\n0.m4s" in text
    assert text.endswith('#EXT-X-PRELOAD-HINT:TYPE=PART,URI="1.3.m4s"\n')
    assert text.count("#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:02.000Z") == 1
    parts = [track.part(0, number) for number in range(6)]
    assert track.segment(0) == b"".join(part for part in parts if part is not None)
    entry = picture_parameters(Codec.H264, frames[0].data, sets_change=True).entry
    whole = fmp4.write_init(entry, 90_000, 0, (0, 0)) + (track.segment(0) or b"")
    whole += b"".join(track.part(1, number) or b"" for number in range(3))
    with av.open(io.BytesIO(whole)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [packet.pts for packet in packets] == [n * FRAME_TICKS for n in range(90)]
    assert [bytes(packet) for packet in packets] == [as_sample(Codec.H264, f.data) for f in frames[:90]]
    with av.open(io.BytesIO(whole)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 90


def test_what_waits_is_told_when_it_came_or_will_not_come() -> None:
    track = LiveTrack(90_000)
    assert track.next_part == (0, 0)
    assert not track.has(0, 0)
    assert track.whole == 0
    made = [track.receive(n * FRAME_TICKS, b"x", n % 60 == 0, n / 30) for n in range(91)]
    assert [n for n, whole in enumerate(made) if whole] == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert track.whole == 1
    assert track.has(0, None)
    assert track.has(0, 99)  # it will come no more
    assert track.part(0, 99) is None
    assert not track.has(1, 3)
    assert not track.has(1, None)
    assert track.segment(1) is None


def test_a_hole_is_said_and_old_segments_go() -> None:
    frames = encode(Codec.H264, 20, 10)
    times = [n * FRAME_TICKS + (0 if n < 10 else 900_000) for n in range(20)]
    track = fed(frames, times)
    text = track.playlist()
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert text.index("0.m4s") < text.index("#EXT-X-DISCONTINUITY\n")
    # no part is longer than it may be
    assert (
        max(float(line.split("DURATION=")[1].split(",")[0]) for line in text.splitlines() if "PART:" in line)
        <= PART
    )
    # many segments on, the first are gone, and the hole is counted
    for n in range(20, 900):
        track.receive(900_000 + n * FRAME_TICKS, b"x", n % 10 == 0, n / 30)
    text = track.playlist()
    lasts = [float(line[8:-1]) for line in text.splitlines() if line.startswith("#EXTINF")]
    assert LISTED <= sum(lasts) < LISTED + 2 * LONGEST
    # a key frame that comes too soon begins none: players would take it for the one before
    assert all(SHORTEST <= length <= LONGEST for length in lasts)
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1" in text
    assert track.discontinuities == 1
    assert track.segment(0) is None
    # what was listed a moment ago can still be fetched
    listed = int(text.split("#EXT-X-MEDIA-SEQUENCE:")[1].split()[0])
    assert track.segment(listed - 1) is not None
    assert f"\n{listed - 1}.m4s" not in text


def test_a_stream_that_begins_anew_counts_on() -> None:
    track = LiveTrack(90_000, first=1_700_000_000)
    assert track.next_part == (1_700_000_000, 0)
    for n in range(100):
        track.receive(n * FRAME_TICKS, b"x", n % 60 == 0, n / 30)
    text = track.playlist()
    assert "#EXT-X-MEDIA-SEQUENCE:1700000000\n" in text
    assert '#EXT-X-MAP:URI="init-1700000000.mp4"' in text
    assert track.segment(1_700_000_000) is not None
    assert track.segment(0) is None
    assert track.whole == 1


def test_another_track_may_say_where_segments_begin() -> None:
    leader = LiveTrack(90_000)
    for n in range(200):
        leader.receive(n * FRAME_TICKS + (900_000 if n >= 90 else 0), b"x", n % 90 == 0, 0.0)
    assert leader.settled == pytest.approx(10 + 199 / 30)
    assert leader.cut_between(0.1, 2.9) is Cut.NONE
    assert leader.cut_between(2.9, 13.0) is Cut.BROKEN
    assert leader.cut_between(13.0, 16.0) is Cut.PLAIN
    follower = LiveTrack(48_000, discontinuities=leader.discontinuities)
    for n in range(100):
        cut = {40: Cut.PLAIN, 60: Cut.BROKEN}.get(n, Cut.NONE)
        follower.receive(n * 960, b"s", True, n / 50, cut)
    text = follower.playlist()
    assert text.count("#EXTINF:") == 2
    assert "#EXTINF:0.800000," in text
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1" in text
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1


def test_without_a_key_frame_a_segment_ends_all_the_same() -> None:
    track = LiveTrack(90_000)
    for n in range(30 * 2 * LONGEST + 2):
        track.receive(n * FRAME_TICKS, b"x", n == 0, n / 30)
    text = track.playlist()
    assert text.count(f"#EXTINF:{LONGEST}.000000,") == 2
    assert text.count("INDEPENDENT=YES") == 1


@pytest.mark.parametrize("times", [[0, 960, 480, 1920], [0, 960, 960, 1920]])
def test_sound_that_comes_too_late_is_left_out(times: list[int]) -> None:
    track = LiveTrack(48_000)
    taken = [track.receive(time, b"s", True, 0.0) for time in [*times, *range(2880, 48_000, 960)]]
    assert any(taken)
    sizes = (track.part(0, 0) or b"").count(b"s")
    assert sizes >= 3
