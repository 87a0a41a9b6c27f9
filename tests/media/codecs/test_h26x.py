"""H.264 and H.265: NAL units come out as they went in, key frames are seen, sizes are read."""

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codecs import h264, h265
from media.codecs.packetisation import (
    CodecError,
    join_annex_b,
    split_annex_b,
    split_avcc,
    split_evenly,
)
from media.codecs.parameter_sets import h264_size, h265_size

#: Sequence parameter sets that x264 and x265 wrote, through PyAV 18.1, and the size of their pictures.
H264_SPS = {
    "6742c033da00f0010fa10000030001000003003c8f1832a0": (3840, 2160),
    "6742c028da01e0089f9610000003001000000303c8f1832a": (1920, 1080),
    "6742c01eda0280f684000003000400000300f23c58ba80": (640, 480),
    "6742c00dda05421e222210000003001000000303c8f142aa": (322, 242),
    "67f4000d91968150878f8f84000003000400000300f23c50aa80": (322, 242),  # 4:4:4
    "67640028acd940780227e5c05a808080a0000003002000000781e30632c0": (1920, 1080),  # High
}
H265_SPS = {
    "420101016000000300900000030000030096a001e020021c596e92930b9a020000030002000003003c10": (3840, 2160),
    "420101016000000300900000030000030078a003c0801107cb96e92930b9a020000003002000000303c1": (1920, 1080),
    "42010101600000030090000003000003003ca00a880407111196e92930b9a020000003002000000303c1": (322, 242),
}


def units_of(header: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes]]:
    body = st.one_of(st.binary(min_size=1, max_size=60), st.integers(100, 4000).map(lambda n: b"\x5a" * n))
    return st.lists(st.tuples(header, body).map(lambda parts: parts[0] + parts[1]), min_size=1, max_size=6)


h264_headers = st.builds(
    lambda importance, kind: bytes([importance << 5 | kind]), st.integers(0, 3), st.integers(1, 23)
)
h265_headers = st.builds(
    lambda kind, layer, temporal: bytes([kind << 1 | layer >> 5, (layer & 31) << 3 | temporal]),
    st.integers(0, 47),
    st.integers(0, 63),
    st.integers(1, 7),
)
CODECS = [(h264, h264_headers), (h265, h265_headers)]


@pytest.mark.parametrize(("codec", "headers"), CODECS)
def test_what_is_packetised_is_depacketised(codec: ModuleType, headers: st.SearchStrategy[bytes]) -> None:
    @given(units_of(headers), st.integers(16, 1400))
    def check(units: list[bytes], limit: int) -> None:
        payloads = codec.packetise(units, limit)
        assert all(0 < len(payload) <= limit for payload in payloads)
        assert codec.depacketise(payloads) == units
        assert codec.starts_frame(payloads[0])

    check()


@pytest.mark.parametrize(("codec", "headers"), CODECS)
def test_a_missing_fragment_is_an_error(codec: ModuleType, headers: st.SearchStrategy[bytes]) -> None:
    @given(headers, st.integers(300, 3000))
    def check(header: bytes, length: int) -> None:
        payloads = codec.packetise([header + bytes(length)], 100)
        for incomplete in (payloads[1:], payloads[:-1], payloads[:-1] + payloads[:1]):
            with pytest.raises(CodecError):
                codec.depacketise(incomplete)

    check()


@pytest.mark.parametrize("codec", [h264, h265])
@given(payloads=st.lists(st.binary(max_size=40), max_size=5))
def test_any_payloads_are_units_or_an_error(codec: ModuleType, payloads: list[bytes]) -> None:
    try:
        units = codec.depacketise(payloads)
        codec.picture_size(units)
    except CodecError:
        pass


def test_fragments_are_of_nearly_equal_length() -> None:
    payloads = h264.packetise([b"\x65" + bytes(5000)], 1200)
    assert len(payloads) == 5
    assert max(map(len, payloads)) - min(map(len, payloads)) <= 1
    assert split_evenly(b"", 5) == [b""]


def test_parameter_sets_travel_together() -> None:
    sps, pps, idr = b"\x67abc", b"\x68de", b"\x65" + b"\x5a" * 3000
    payloads = h264.packetise(join_annex_b([sps, pps, idr]))
    assert payloads[0] == b"\x78\0\4\x67abc\0\3\x68de"
    assert payloads[1][:2] == b"\x7c\x85"
    assert payloads[-1][:2] == b"\x7c\x45"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("65", True),
        ("67", True),
        ("68", False),
        ("41", False),
        ("06", False),
        ("7c85", True),
        ("7c87", True),
        ("7c45", False),
        ("7c05", False),
        ("7c81", False),
        ("7c", False),
        ("7800024109000265ff", True),
        ("78000467aabbcc00026801", True),
        ("7800024109", False),
        ("78", False),
        ("7800", False),
        ("78000065", False),
        ("78ffff41", False),
        ("", False),
    ],
)
def test_key_frames_of_h264(payload: str, expected: bool) -> None:
    assert h264.starts_key_frame(bytes.fromhex(payload)) is expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("2601", True),
        ("2801", True),
        ("2a01", True),
        ("2001", True),
        ("4001", True),
        ("4201", True),
        ("4401", False),
        ("0201", False),
        ("620193", True),
        ("620153", False),
        ("620181", False),
        ("6201a1", True),
        ("6201", False),
        ("6001000202010002260100", True),
        ("60010002020100020201", False),
        ("6001", False),
        ("600100", False),
        ("26", False),
        ("", False),
    ],
)
def test_key_frames_of_h265(payload: str, expected: bool) -> None:
    assert h265.starts_key_frame(bytes.fromhex(payload)) is expected


@pytest.mark.parametrize("text", H264_SPS)
def test_the_size_of_h264_pictures(text: str) -> None:
    unit = bytes.fromhex(text)
    assert h264_size(unit) == H264_SPS[text]
    assert h264.picture_size([b"\x68aa", unit]) == H264_SPS[text]
    assert h264.picture_size([b"\x68aa"]) is None


@pytest.mark.parametrize("text", H265_SPS)
def test_the_size_of_h265_pictures(text: str) -> None:
    unit = bytes.fromhex(text)
    assert h265_size(unit) == H265_SPS[text]
    assert h265.picture_size([b"\x44\1a", unit]) == H265_SPS[text]
    assert h265.picture_size([b"\x44\1a"]) is None


@pytest.mark.parametrize("read", [h264_size, h265_size])
@given(unit=st.binary(max_size=60))
def test_any_parameter_set_has_a_size_or_is_an_error(read: object, unit: bytes) -> None:
    assert callable(read)
    try:
        width, height = read(unit)
    except CodecError:
        return
    assert 0 < width <= 16_384
    assert 0 < height <= 16_384


@given(st.sampled_from([*H264_SPS, *H265_SPS]), st.integers(0, 45), st.integers(0, 255))
def test_a_damaged_parameter_set_has_a_size_or_is_an_error(text: str, position: int, value: int) -> None:
    unit = bytearray(bytes.fromhex(text))
    unit[position % len(unit)] = value
    for read in (h264_size, h265_size):
        try:
            read(bytes(unit))
        except CodecError:
            pass


def test_a_parameter_set_has_a_limit() -> None:
    with pytest.raises(CodecError):
        h264_size(b"\x67" + bytes(5000))


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda u: b"\0" not in u), max_size=5))
def test_units_are_split_at_their_start_codes(units: list[bytes]) -> None:
    assert split_annex_b(join_annex_b(units)) == units
    assert split_annex_b(b"".join(b"\0\0\1" + unit for unit in units)) == units


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=5), st.sampled_from([1, 2, 4]))
def test_units_are_split_by_their_lengths(units: list[bytes], size: int) -> None:
    sample = b"".join(len(unit).to_bytes(size, "big") + unit for unit in units)
    assert split_avcc(sample, size) == units


@given(st.binary(max_size=30), st.integers(0, 5))
def test_any_sample_is_split_or_an_error(sample: bytes, size: int) -> None:
    split_annex_b(sample)
    try:
        split_avcc(sample, size)
    except CodecError:
        pass


@pytest.mark.parametrize("codec", [h264, h265])
@pytest.mark.parametrize("access_unit", [[], b"", b"no start code", [b""], [b"\xff\xff"]])
def test_what_is_no_access_unit_is_an_error(codec: ModuleType, access_unit: object) -> None:
    with pytest.raises(CodecError):
        codec.packetise(access_unit)


@pytest.mark.parametrize("codec", [h264, h265])
def test_a_payload_needs_some_room(codec: ModuleType) -> None:
    with pytest.raises(CodecError):
        codec.packetise([b"\x41\x01\x02"], 10)
