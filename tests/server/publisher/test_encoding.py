"""What is not H.264, H.265 or Opus is encoded: in time, in order, decodable, with key frames on demand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from media.codecs import h264
from media.plane import Codec
from server.publisher import devices
from server.publisher.address import Address
from server.publisher.command import main
from server.publisher.encoder import Encoder, Format, NoEncoderError, choose
from server.publisher.picture import MOST_BEHIND, EncodedPicture
from server.publisher.source import AccessUnit, Encoding, Source, SourceError
from tests.helpers.clips import write_clip

MOVING = "lavfi:testsrc2=size=320x180:rate=25"


def units_of(source: Source, count: int = 10_000) -> list[AccessUnit]:
    """Read so many units, or all, and close."""
    try:
        return [unit for unit, _ in zip(source.units(), range(count), strict=False)]
    finally:
        source.close()


def decoded(units: list[AccessUnit]) -> list[Any]:
    """Decode pictures as a receiver does."""
    decoder: Any = av.CodecContext.create("h264", "r")
    frames = []
    for unit in units:
        annex_b = b"".join(b"\0\0\0\1" + nal for nal in h264.depacketise(unit.payloads))
        frames += decoder.decode(av.Packet(annex_b))
    return [*frames, *decoder.decode(None)]


@pytest.mark.parametrize("codec", ["mpeg4", "mjpeg"])
def test_another_codec_is_encoded_in_exact_time(tmp_path: Path, codec: str) -> None:
    options = {"strict": "unofficial"} if codec == "mjpeg" else {}
    source = Source(str(write_clip(tmp_path / "clip.mkv", codec=codec, options=options)))
    (track,) = source.tracks
    assert (track.codec, source.encodes) == (Codec.H264, True)
    assert track.encoder
    assert "profile-level-id=42" in track.fmtp
    units = units_of(source)
    assert [unit.number for unit in units] == list(range(20))
    assert [unit.key for unit in units] == [True] + 19 * [False]
    # Matroska counts milliseconds
    assert all(abs(unit.time - Fraction(unit.number, 30)) <= Fraction(1, 1000) for unit in units)
    assert [(frame.width, frame.height) for frame in decoded(units)] == 20 * [(160, 120)]


def test_an_encoded_file_loops_without_a_seam(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", codec="mpeg4", frames=10)
    units = units_of(Source(str(path), loop=True), 25)
    assert [unit.time for unit in units] == [Fraction(n, 30) for n in range(25)]
    assert [number for number, unit in enumerate(units) if unit.key] == [0, 10, 20]


@pytest.mark.parametrize("sound", ["pcm_s16le", "aac"])
def test_other_sound_becomes_opus_in_step_with_the_picture(tmp_path: Path, sound: str) -> None:
    source = Source(str(write_clip(tmp_path / "clip.mkv", sound=sound, frames=60)))
    assert [(track.codec, bool(track.encoder)) for track in source.tracks] == [
        (Codec.H264, False),
        (Codec.OPUS, True),
    ]
    sounds = [unit for unit in units_of(source) if unit.kind == "audio"]
    # two seconds in packets of 20 ms, one after the other
    assert 90 <= len(sounds) <= 102
    steps = {after.time - before.time for before, after in itertools.pairwise(sounds)}
    assert steps == {Fraction(1, 50)}
    assert abs(sounds[0].time) < Fraction(1, 20)
    decoder: Any = av.CodecContext.create("libopus", "r")
    frames = [frame for unit in sounds for frame in decoder.decode(av.Packet(unit.payloads[0]))]
    assert {frame.samples for frame in frames[1:]} == {960}


def test_a_key_frame_comes_when_it_is_asked_for_and_not_otherwise() -> None:
    source = Source(MOVING)
    units = source.units()
    before = [next(units).key for _ in range(60)]
    assert before == [True] + 59 * [False]
    source.want_key_frame()
    source.want_key_frame()
    after = [next(units) for _ in range(60)]
    assert [unit.key for unit in after] == [True] + 59 * [False]
    source.close()
    # a receiver begins with it
    assert len(decoded(after)) == 60


def test_the_last_unit_is_as_new_as_the_last_picture() -> None:
    """Nothing is kept back in the encoder: one picture in, one out."""
    format_ = Format(320, 180, Fraction(25))
    encoder = Encoder(choose(format_)[0], format_)
    grey = av.VideoFrame(320, 180, "yuv420p")
    for number in range(10):
        time = Fraction(number, 25)
        assert [at for at, _ in encoder.encode(grey, time, key=False)] == [time]
    assert encoder.finish() == []


def test_what_passes_is_encoded_only_if_it_is_wished(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", b_frames=2, options={"b-adapt": "0"})
    source = Source(str(path), encoding=Encoding(always=True))
    assert source.encodes
    assert len(decoded(units_of(source))) == 20


def test_an_encoder_that_does_not_open_is_passed_over() -> None:
    format_ = Format(320, 180, Fraction(25))
    name, first = choose(format_, ("no_such_encoder", "libx264"))
    assert name == "libx264"
    assert first.startswith(b"\0\0")
    with pytest.raises(NoEncoderError, match="no_such_encoder is not in this FFmpeg; nor_this"):
        choose(format_, ("no_such_encoder", "nor_this"))


@pytest.mark.parametrize(
    ("size", "bits"), [((320, 180), 500_000), ((1920, 1080), 6_220_800), ((7680, 4320), 60_000_000)]
)
def test_bits_follow_the_size_unless_they_are_given(size: tuple[int, int], bits: int) -> None:
    assert Format(*size, Fraction(30)).bits_per_second == bits
    assert Format(*size, Fraction(30), 1_000_000).bits_per_second == 1_000_000


def packets(description: str, count: int) -> Iterator[Any]:
    """Read packets of a computed picture."""
    with av.open(description, format="lavfi") as container:
        for packet, _ in zip(container.demux(video=0), range(count), strict=False):
            yield packet


def test_pictures_are_left_out_where_the_encoder_does_not_keep_up() -> None:
    format_ = Format(320, 180, Fraction(25))
    name, first = choose(format_)
    clock = [0.0]
    picture = EncodedPicture(name, format_, first, live=True, now=lambda: clock[0])
    sent = []
    for packet in packets("testsrc2=size=320x180:rate=25", 50):
        sent += [at.raw for at in picture.take(packet)]
        # a second's pictures take a second and a half, then half a second
        clock[0] += 0.06 if packet.pts < 25 else 0.02
    assert picture.left_out > 0
    assert len(sent) + picture.left_out == 50
    # what is sent is never older than it may be, and in the end nothing is left out
    assert sent[-5:] == [Fraction(n, 25) for n in range(45, 50)]
    assert MOST_BEHIND < 0.5


def test_an_interlaced_picture_is_made_whole() -> None:
    """Fields of two moments in one picture are combed wherever something moves; what is sent is not."""
    # the upper lines of a picture, and the lower ones of the next
    fields = r"separatefields,select=not(mod(n\,4))+not(mod(n-3\,4)),weave=first_field=top"
    combed = f"testsrc2=size=320x180:rate=50,{fields}"
    raw = [packet.decode()[0] for packet in packets(combed, 10)]
    sent = decoded(units_of(Source(f"lavfi:{combed}"), 10))
    assert raw[5].interlaced_frame
    assert _combing(sent[5]) < _combing(raw[5]) / 1.5


def _combing(frame: Any) -> float:
    luma = frame.to_ndarray(format="gray").astype(int)
    return float(abs(luma[1:-1] * 2 - luma[:-2] - luma[2:]).mean())


@pytest.mark.parametrize(
    ("url", "sentence", "final"),
    [
        ("v4l2:/dev/video99", "cannot be opened: No such file or directory", False),
        ("x11grab::99", "cannot be opened: ", False),
        ("lavfi:no_such_filter", "cannot be opened: ", True),
        ("dshow:video=Cam", "this FFmpeg has no dshow", True),
    ],
)
def test_a_device_that_is_not_there_is_a_sentence(url: str, sentence: str, final: bool) -> None:
    with pytest.raises(SourceError, match=sentence) as caught:
        Source(url)
    # a camera may be plugged in again
    assert caught.value.final is final
    assert str(caught.value).startswith(url)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("url", "device", "target"),
    [
        ("v4l2:/dev/video0", "v4l2", "/dev/video0"),
        ("decklink:DeckLink Mini Recorder (1)", "decklink", "DeckLink Mini Recorder (1)"),
        ("x11grab::0.0+10,20", "x11grab", ":0.0+10,20"),
        ("lavfi:testsrc2=size=320x180", "lavfi", "testsrc2=size=320x180"),
        ("rtsp://camera/1", "", "rtsp://camera/1"),
        ("v4l2://host/x", "", "v4l2://host/x"),
        ("operation:1.mp4", "", "operation:1.mp4"),
        ("v4l2:", "", "v4l2:"),
    ],
)
def test_devices_are_told_from_files_and_addresses(url: str, device: str, target: str) -> None:
    address = Address(url)
    assert (address.device, address.target) == (device, target)


def test_options_reach_the_device() -> None:
    source = Source(Address("lavfi:anullsrc", {"graph": "testsrc2=size=64x48:rate=5"}))
    units = units_of(source, 3)
    assert [unit.time for unit in units] == [Fraction(n, 5) for n in range(3)]


def test_devices_and_encoders_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list-devices"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == list(devices.report())
    assert shown[0] == "Devices:"
    assert "  libx264" in shown
    assert any(line.startswith("  lavfi:testsrc2") for line in shown)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--bitrate", "fast"],
        ["--bitrate", "1"],
        ["--bitrate", "1e400"],
        ["--option", "size"],
        ["--option", "=1"],
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["x.mp4", "--room", "ward", *arguments])


def test_a_source_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--room", "ward"]) == 2
    assert "--list-devices" in capsys.readouterr().err
