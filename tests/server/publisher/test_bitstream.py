"""NAL units pass untouched; a key frame never comes without its parameter sets."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codecs import CodecError, h264, h265
from media.codecs.packetisation import join_annex_b, split_annex_b, split_avcc
from media.plane import Codec
from server.publisher.bitstream import Bitstream
from tests.helpers.clips import packets_of, write_clip

SPS, PPS = bytes.fromhex("6742c01eda0281"), bytes.fromhex("68ce3c80")
IDR, SLICE, SEI, DELIMITER = b"\x65key", b"\x41slice", b"\x06info", b"\x09\xf0"
HEADER = join_annex_b([SPS, PPS])


def _avcc(length_size: int) -> bytes:
    sets = b"\xe1" + len(SPS).to_bytes(2, "big") + SPS + b"\x01" + len(PPS).to_bytes(2, "big") + PPS
    return b"\x01" + SPS[1:4] + bytes([0xFC | length_size - 1]) + sets


def _sample(units: list[bytes], length_size: int) -> bytes:
    return b"".join(len(unit).to_bytes(length_size, "big") + unit for unit in units)


@pytest.mark.parametrize("length_size", [1, 2, 4])
def test_samples_of_every_length_size(length_size: int) -> None:
    bitstream = Bitstream(Codec.H264, _avcc(length_size))
    assert bitstream.split(_sample([SEI, IDR], length_size)) == ([SPS, PPS, SEI, IDR], True)
    assert bitstream.split(_sample([SLICE], length_size)) == ([SLICE], False)


def test_annex_b_is_told_by_its_header() -> None:
    bitstream = Bitstream(Codec.H264, HEADER)
    assert bitstream.split(join_annex_b([IDR])) == ([SPS, PPS, IDR], True)
    assert bitstream.split(join_annex_b([SLICE, SLICE])) == ([SLICE, SLICE], False)


def test_parameter_sets_stand_behind_the_delimiter_and_are_not_doubled() -> None:
    bitstream = Bitstream(Codec.H264, HEADER)
    assert bitstream.split(join_annex_b([DELIMITER, IDR]))[0] == [DELIMITER, SPS, PPS, IDR]
    own = [DELIMITER, SPS, PPS, IDR]
    assert bitstream.split(join_annex_b(own))[0] == own


def test_newer_parameter_sets_replace_the_older() -> None:
    bitstream = Bitstream(Codec.H264, HEADER)
    newer = bytes.fromhex("67640033ac"), bytes.fromhex("68ee01")
    bitstream.split(join_annex_b([*newer, IDR]))
    assert bitstream.split(join_annex_b([IDR]))[0] == [*newer, IDR]
    assert "profile-level-id=640033" in bitstream.fmtp


def test_parameter_sets_alone_are_remembered_and_no_picture() -> None:
    bitstream = Bitstream(Codec.H264, b"")
    with pytest.raises(CodecError, match="no sequence parameter set"):
        _ = bitstream.fmtp
    assert bitstream.split(HEADER) == ([], False)
    assert bitstream.split(join_annex_b([IDR]))[0] == [SPS, PPS, IDR]


def test_profile_and_level_of_h264() -> None:
    assert Bitstream(Codec.H264, HEADER).fmtp == (
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42c01e"
    )


@given(cut=st.integers(1, len(_avcc(4)) - 1))
def test_a_cut_header_is_refused_in_words(cut: int) -> None:
    with pytest.raises(CodecError, match=r"\.$"):
        Bitstream(Codec.H264, _avcc(4)[:cut])


@given(data=st.binary(max_size=200), codec=st.sampled_from([Codec.H264, Codec.H265]))
def test_rubbish_never_raises_anything_else(data: bytes, codec: Codec) -> None:
    for header in (data, b"\x01" + data):
        try:
            bitstream = Bitstream(codec, header)
            _ = bitstream.fmtp
            units, _ = bitstream.split(data)
            if units:
                bitstream.packetise(units)
        except CodecError:
            pass
    # and a sound header before rubbish
    try:
        Bitstream(Codec.H264, _avcc(4)).split(data)
    except CodecError as error:
        assert str(error).endswith(".")  # noqa: PT017


@pytest.mark.parametrize(("codec", "encoder"), [(Codec.H264, "libx264"), (Codec.H265, "libx265")])
@pytest.mark.parametrize("container", ["mp4", "ts"])
def test_the_receiver_gets_the_files_own_units(
    tmp_path: Path, codec: Codec, encoder: str, container: str
) -> None:
    path = write_clip(tmp_path / f"clip.{container}", codec=encoder)
    with av.open(str(path)) as file:
        header = bytes(file.streams.video[0].codec_context.extradata or b"")
    bitstream = Bitstream(codec, header)
    join = h264.depacketise if codec is Codec.H264 else h265.depacketise
    keys = []
    sequence = 7 if codec is Codec.H264 else 33
    for number, packet in enumerate(packets_of(path)):
        units, key = bitstream.split(packet)
        received = join(bitstream.packetise(units))
        assert received == units
        in_file = split_avcc(packet) if container == "mp4" else split_annex_b(packet)
        kinds = [unit[0] & 0x1F if codec is Codec.H264 else unit[0] >> 1 & 0x3F for unit in received]
        # nothing is changed; only parameter sets may be added, and only to key frames
        assert received[-len(in_file) :] == in_file
        assert len(received) == len(in_file) or key
        assert (sequence in kinds) == key
        if key:
            keys.append(number)
    assert keys == [0, 10]


def test_profile_and_level_of_h265(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", codec="libx265", frames=2)
    with av.open(str(path)) as file:
        header = bytes(file.streams.video[0].codec_context.extradata or b"")
    # Main profile; 160 × 120 at 30 fps is level 2 (60)
    assert Bitstream(Codec.H265, header).fmtp == "profile-id=1;tier-flag=0;level-id=60;tx-mode=SRST"
