"""Real files: what passes, what is left out with a sentence, what is refused with one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from media.codecs import h264
from media.codecs.packetisation import split_avcc
from media.plane import Codec
from server.publisher.source import AccessUnit, Source, SourceError, shown
from tests.helpers.clips import packets_of, write_clip


def _take(source: Source, count: int) -> list[AccessUnit]:
    units = source.units()
    return [next(units) for _ in range(count)]


def _all(source: Source) -> list[AccessUnit]:
    try:
        return list(source.units())
    finally:
        source.close()


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts", "h264"])
def test_every_container_gives_all_pictures_in_exact_time(tmp_path: Path, container: str) -> None:
    path = write_clip(tmp_path / f"clip.{container}")
    units = _all(Source(str(path)))
    assert [unit.number for unit in units] == list(range(20))
    assert [number for number, unit in enumerate(units) if unit.key] == [0, 10]
    # Matroska counts milliseconds
    error = Fraction(1, 1000) if container == "mkv" else Fraction(1, 90_000)
    assert all(abs(unit.time - Fraction(unit.number, 30)) <= error for unit in units)


def test_a_loop_goes_on_without_a_seam(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=10, sound="libopus")
    source = Source(str(path), loop=True)
    units = _take(source, 80)
    source.close()
    pictures = [unit for unit in units if unit.kind == "video"]
    assert len(pictures) > 25
    assert [unit.time for unit in pictures] == [Fraction(n, 30) for n in range(len(pictures))]
    assert [unit.number for unit in pictures] == [n % 10 for n in range(len(pictures))]
    assert [unit.step for unit in pictures[1:]] == [Fraction(1, 30)] * (len(pictures) - 1)
    assert source.pictures_per_pass == 10
    sounds = [unit.time for unit in units if unit.kind == "audio"]
    assert sounds == sorted(set(sounds))
    assert len(sounds) > 20
    # the same bits each time
    assert pictures[0].payloads == pictures[10].payloads == pictures[20].payloads


def test_the_pictures_are_the_files_own(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", options={"x264-params": "repeat-headers=1"})
    received = [h264.depacketise(unit.payloads) for unit in _all(Source(str(path)))]
    in_file = [split_avcc(packet) for packet in packets_of(path)]
    assert [units[-len(own) :] for units, own in zip(received, in_file, strict=True)] == in_file


def test_opus_is_passed_through(tmp_path: Path) -> None:
    source = Source(str(write_clip(tmp_path / "clip.mkv", sound="libopus")))
    assert [(track.kind, track.codec) for track in source.tracks] == [
        ("video", Codec.H264),
        ("audio", Codec.OPUS),
    ]
    assert source.warnings == []
    sounds = [unit for unit in _all(source) if unit.kind == "audio"]
    assert all(len(unit.payloads) == 1 for unit in sounds)
    assert len(sounds) > 20


def test_h265_is_passed_through(tmp_path: Path) -> None:
    source = Source(str(write_clip(tmp_path / "clip.mp4", codec="libx265")))
    assert [track.codec for track in source.tracks] == [Codec.H265]
    assert len(_all(source)) == 20


def test_b_frames_are_refused_with_the_command_that_helps(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "it's a clip.mp4", b_frames=2, options={"b-adapt": "0"})
    source = Source(str(path))
    with pytest.raises(SourceError, match=r"B-frames.*--encode.*ffmpeg -i '.*it'") as caught:
        _all(source)
    # the name can be pasted into a shell
    assert "-c:v libx264 -profile:v baseline -bf 0" in str(caught.value)
    assert caught.value.final
    assert caught.value.encode


@pytest.mark.parametrize("content", [b"", b"not a video", bytes(10_000)])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"cannot be opened: .*\.$") as caught:
        Source(str(path))
    assert caught.value.final


def test_a_missing_file_is_final_and_an_address_is_not(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be opened: No such file") as caught:
        Source(str(tmp_path / "none.mp4"))
    assert caught.value.final
    with pytest.raises(SourceError, match="cannot be opened") as caught:
        Source("http://user:secret@127.0.0.1:9/camera.ts?key=secret")
    assert not caught.value.final
    assert "secret" not in str(caught.value)
    assert "127.0.0.1:9/camera.ts" in str(caught.value)


def test_a_file_cut_in_the_middle_sends_what_is_whole(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.ts")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4])
    units = _all(Source(str(path)))
    assert 5 < len(units) <= 20
    assert units[0].key


def test_pictures_before_the_first_key_frame_are_passed_over(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "clip.h264", options={"x264-params": "repeat-headers=1"}).read_bytes()
    # cut the first slice away, and keep the parameter sets before it
    second = whole.index(b"\0\0\1\x41")
    first = whole.index(b"\0\0\1\x65")
    (tmp_path / "cut.h264").write_bytes(whole[:first] + whole[second:])
    units = _all(Source(str(tmp_path / "cut.h264")))
    assert units[0].key
    assert len(units) == 10


def test_secrets_of_an_address_are_not_shown() -> None:
    assert shown("rtsp://admin:pass@cam.local:554/stream?token=x#y") == "rtsp://cam.local:554/stream"
    assert shown("a/file@home?.mp4") == "a/file@home?.mp4"
