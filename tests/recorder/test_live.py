"""A live track in parts: each frame once, exact to the tick, a frame late; what is hinted at comes or is none."""

from __future__ import annotations

import io

import av
import pytest

from media.codecs.packetisation import split_annex_b
from media.plane import Codec
from recorder.export.sample_entry import picture_parameters
from recorder.segments import fmp4
from recorder.segments.live import KEPT, LONGEST, PART, LiveTrack
from recorder.segments.sample import as_sample
from tests.helpers.journal_media import FRAME_TICKS, Encoded, encode

STAMP = "2026-11-22T10:15:00.000Z"


def fed(frames: tuple[Encoded, ...], times: list[int]) -> LiveTrack:
    track = LiveTrack(90_000, sound=False)
    for frame, time in zip(frames, times, strict=True):
        key = any(unit[0] & 0x1F == 5 for unit in split_annex_b(frame.data))
        track.receive(time, as_sample(Codec.H264, frame.data), key, time / 90_000)
    return track


def test_parts_and_segments_are_the_frames_as_they_came() -> None:
    frames = encode(Codec.H264, 61, 30)
    track = fed(frames, [n * FRAME_TICKS for n in range(61)])
    assert track.next_part == (1, 3)  # the frame that waits for the next is in no part
    text = track.playlist(STAMP)
    assert f"#EXT-X-PART-INF:PART-TARGET={PART:.3f}" in text
    assert text.count("INDEPENDENT=YES") == 2
    assert "#EXTINF:1.000000,\n0.m4s" in text
    assert text.endswith('#EXT-X-PRELOAD-HINT:TYPE=PART,URI="1.3.m4s"\n')
    assert f"#EXT-X-PROGRAM-DATE-TIME:{STAMP}" in text
    parts = [track.part(0, number) for number in range(3)]
    assert track.segment(0) == b"".join(part for part in parts if part is not None)
    entry = picture_parameters(Codec.H264, frames[0].data, sets_change=True).entry
    whole = fmp4.write_init(entry, 90_000, 0, (0, 0)) + (track.segment(0) or b"")
    whole += b"".join(track.part(1, number) or b"" for number in range(3))
    with av.open(io.BytesIO(whole)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [packet.pts for packet in packets] == [n * FRAME_TICKS for n in range(60)]
    assert [bytes(packet) for packet in packets] == [as_sample(Codec.H264, f.data) for f in frames[:60]]
    with av.open(io.BytesIO(whole)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 60


def test_what_waits_is_told_when_it_came_or_will_not_come() -> None:
    frames = encode(Codec.H264, 61, 30)
    track = LiveTrack(90_000, sound=False)
    assert track.next_part == (0, 0)
    assert not track.has(0, 0)
    made = [
        track.receive(n * FRAME_TICKS, as_sample(Codec.H264, frame.data), n % 30 == 0, n / 30)
        for n, frame in enumerate(frames)
    ]
    assert [n for n, whole in enumerate(made) if whole] == [10, 20, 30, 40, 50, 60]
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
    text = track.playlist(STAMP)
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert text.index("0.m4s") < text.index("#EXT-X-DISCONTINUITY\n")
    # no part is longer than it may be
    assert (
        max(float(line.split("DURATION=")[1].split(",")[0]) for line in text.splitlines() if "PART:" in line)
        <= PART
    )
    # many segments on, the first are gone, and the hole is counted
    for n in range(20, 200):
        track.receive(900_000 + n * FRAME_TICKS, b"x", n % 10 == 0, n / 30)
    text = track.playlist(STAMP)
    assert text.count(".m4s\n#EXT") <= KEPT
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1" in text
    assert track.segment(0) is None


def test_without_a_key_frame_a_segment_ends_all_the_same() -> None:
    track = LiveTrack(90_000, sound=False)
    for n in range(30 * 2 * LONGEST + 2):
        track.receive(n * FRAME_TICKS, b"x", n == 0, n / 30)
    text = track.playlist(STAMP)
    assert text.count(f"#EXTINF:{LONGEST}.000000,") == 2
    assert text.count("INDEPENDENT=YES") == 1


@pytest.mark.parametrize("times", [[0, 960, 480, 1920], [0, 960, 960, 1920]])
def test_sound_that_comes_too_late_is_left_out(times: list[int]) -> None:
    track = LiveTrack(48_000, sound=True)
    taken = [track.receive(time, b"s", True, 0.0) for time in [*times, *range(2880, 48_000, 960)]]
    assert any(taken)
    sizes = (track.part(0, 0) or b"").count(b"s")
    assert sizes >= 3
