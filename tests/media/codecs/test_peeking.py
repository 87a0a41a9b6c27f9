"""VP8, VP9, AV1 and Opus: what their payloads tell, and that any bytes only tell nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from media.codecs import BY_CODEC, av1, opus, vp8, vp9
from media.codecs.packetisation import CodecError
from media.plane import Codec

VP8_KEY = bytes.fromhex("9d012a") + (640).to_bytes(2, "little") + (480 | 1 << 14).to_bytes(2, "little")


@pytest.mark.parametrize("codec", Codec)
@given(payload=st.binary(max_size=30))
@example(payload=b"")
@example(payload=b"\x90")
@example(payload=b"\xff")
@example(payload=b"\xff" * 20)
def test_peeking_never_fails(codec: Codec, payload: bytes) -> None:
    begins = BY_CODEC[codec].starts_frame(payload)
    assert begins in (True, False)
    assert BY_CODEC[codec].starts_key_frame(payload) in (True, False)


@pytest.mark.parametrize(
    ("payload", "frame", "key"),
    [
        ("1000", True, True),
        ("1001", True, False),
        ("0000", False, False),
        ("1100", False, False),  # a later partition
        ("10", True, False),  # nothing behind the descriptor
        ("90800500", True, True),  # 7 bits of picture id
        ("9080850100", True, True),  # 15 bits
        ("90e005078000", True, True),  # picture id, TL0PICIDX, TID
        ("90f00507c001", True, False),
        ("9080", False, False),
        ("908085", False, False),
        ("90", False, False),
        ("", False, False),
    ],
)
def test_vp8(payload: str, frame: bool, key: bool) -> None:
    data = bytes.fromhex(payload)
    assert (vp8.starts_frame(data), vp8.starts_key_frame(data)) == (frame, key)


def test_the_vp8_descriptor() -> None:
    descriptor = vp8.parse_descriptor(bytes.fromhex("90f0812a07c0ff"))
    assert descriptor == vp8.Descriptor(6, True, 0, 0x12A, 3, tl0=7, picture_at=2, picture_bits=15, tl0_at=4)


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5))
def test_a_vp8_frame_is_put_together(pieces: list[bytes]) -> None:
    payloads = [(b"\x90\x80\x05" if n == 0 else b"\x80\x80\x05") + piece for n, piece in enumerate(pieces)]
    assert vp8.depacketise(payloads) == b"".join(pieces)
    if len(payloads) > 1:
        with pytest.raises(CodecError):
            vp8.depacketise(payloads[1:])


def test_the_size_of_vp8_pictures() -> None:
    assert vp8.picture_size(b"\x10\x00\x00" + VP8_KEY) == (640, 480)
    assert vp8.picture_size(b"\x11\x00\x00" + VP8_KEY) is None
    assert vp8.picture_size(b"\x10\x00\x00" + VP8_KEY[:-1]) is None


@pytest.mark.parametrize(
    ("payload", "frame", "key"),
    [
        ("0882", True, True),
        ("4886", True, False),
        ("8c0582", True, True),
        ("8c850582", True, True),
        ("ac05000082", True, True),  # layer 0, non-flexible
        ("ac05020082", False, False),  # spatial layer 1
        ("0082", False, False),
        ("58030282", True, False),  # flexible: references
        ("5803030382", False, False),  # four references
        ("0a30" + "05000280" + "01680000" + "82", True, True),  # two layers' sizes
        ("0a1805000280" + "0108" + "0182", True, True),  # size, and one picture with two references
        ("0a18", False, False),
        ("8c", False, False),
        ("ac05", False, False),
        ("", False, False),
    ],
)
def test_vp9(payload: str, frame: bool, key: bool) -> None:
    data = bytes.fromhex(payload)
    assert (vp9.starts_frame(data), vp9.starts_key_frame(data)) == (frame, key)


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5))
def test_a_vp9_frame_is_put_together(pieces: list[bytes]) -> None:
    payloads = [(b"\x88\x05" if n == 0 else b"\x80\x05") + piece for n, piece in enumerate(pieces)]
    assert vp9.depacketise(payloads) == b"".join(pieces)
    if len(payloads) > 1:
        with pytest.raises(CodecError):
            vp9.depacketise(payloads[1:])


def test_the_size_of_vp9_pictures() -> None:
    # frame marker 2, profile 0, key frame shown, sync code, BT.709, then both sizes less one
    bits = f"10{0:02b}0010" + f"{0x498342:024b}" + "0100" + f"{3839:016b}" + f"{2159:016b}"
    frame = int(bits.ljust(96, "0"), 2).to_bytes(12, "big")
    assert vp9.picture_size(frame) == (3840, 2160)
    assert vp9.picture_size(b"\x86" + frame[1:]) is None
    assert vp9.picture_size(frame[:5]) is None


@pytest.mark.parametrize("codec", [vp8, vp9])
@given(payloads=st.lists(st.binary(max_size=12), max_size=4))
def test_any_payloads_are_a_frame_or_an_error(codec: object, payloads: list[bytes]) -> None:
    module = vp8 if codec is vp8 else vp9
    try:
        module.picture_size(module.depacketise(payloads))
    except CodecError:
        pass


@pytest.mark.parametrize(
    ("payload", "frame", "key"),
    [
        ("180a", True, True),
        ("100a", True, False),
        ("980a", False, False),
        ("18", False, False),
        ("", False, False),
    ],
)
def test_av1(payload: str, frame: bool, key: bool) -> None:
    data = bytes.fromhex(payload)
    assert (av1.starts_frame(data), av1.starts_key_frame(data)) == (frame, key)


@pytest.mark.parametrize(
    ("payload", "samples"),
    [
        ("78", 960),
        ("08", 960),
        ("18", 2880),
        ("60", 480),
        ("e0", 120),
        ("79", 1920),
        ("7b03", 2880),
        ("e301", 120),
    ],
)
def test_how_long_a_packet_of_opus_sounds(payload: str, samples: int) -> None:
    assert opus.duration(bytes.fromhex(payload)) == samples


@pytest.mark.parametrize("payload", ["", "7b", "7b00", "1b3f"])
def test_a_packet_of_opus_that_cannot_be(payload: str) -> None:
    with pytest.raises(CodecError):
        opus.duration(bytes.fromhex(payload))
