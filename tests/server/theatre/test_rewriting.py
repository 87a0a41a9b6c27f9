"""Recorded packets under new numbers: one stream whose names of pictures go on, whatever was left out between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from media.codecs import vp8, vp9
from media.plane import Codec
from media.rtp.packet import RtpPacket
from server.theatre.rewriting import MOST, Rewriter


def recorded(payload: bytes, *, marker: bool = False, **more: object) -> RtpPacket:
    return RtpPacket(100, 7, 8, 9, marker=marker, payload=payload, **more)  # type: ignore[arg-type]


def of_vp8(picture: int, tl0: int, *, bits: int = 15) -> RtpPacket:
    """X, I and L: a picture's number and that of its lowest layer (RFC 7741, section 4.2)."""
    name = (0x8000 | picture).to_bytes(2, "big") if bits == 15 else bytes([picture])
    return recorded(b"\x90\xc0" + name + bytes([tl0]) + b"\x00data", marker=True)


def of_vp9(picture: int, tl0: int) -> RtpPacket:
    """I and L, not flexible (RFC 9628, section 4.2)."""
    return recorded(
        b"\xac" + (0x8000 | picture).to_bytes(2, "big") + b"\x00" + bytes([tl0]) + b"data", marker=True
    )


def rewriter(codec: Codec) -> Rewriter:
    return Rewriter(codec, ssrc=0xABCD, payload_type=96, sequence=65_535)


def test_the_header_is_new_and_the_payload_is_not() -> None:
    first = recorded(b"one", extensions={1: b"x"}, padding=4)
    written = rewriter(Codec.H264).rewrite([first, recorded(b"two", marker=True)], (1 << 32) + 5)
    packets = [RtpPacket.parse(data) for data in written]
    assert packets == [
        RtpPacket(96, 65_535, 5, 0xABCD, payload=b"one"),
        RtpPacket(96, 0, 5, 0xABCD, marker=True, payload=b"two"),
    ]


def test_a_picture_that_does_not_fit_is_not_sent_and_takes_no_number() -> None:
    one = rewriter(Codec.AV1)
    assert one.rewrite([recorded(b"fits"), recorded(bytes(MOST))], 0) == []
    assert RtpPacket.parse(one.rewrite([recorded(b"next")], 1)[0]).sequence_number == 65_535


def test_names_of_vp8_and_vp9_go_on_over_a_seek() -> None:
    for codec, make, parse in (
        (Codec.VP8, of_vp8, vp8.parse_descriptor),
        (Codec.VP9, of_vp9, vp9.parse_descriptor),
    ):
        one = rewriter(codec)
        told = []
        for jump, number, tl0 in ((0, 32_766, 254), (0, 32_767, 255), (1, 5, 9), (0, 6, 9), (1, 5, 9)):
            if jump:
                one.begin()
            (data,) = one.rewrite([make(number, tl0)], 0)
            found = parse(RtpPacket.parse(data).payload)
            told.append((found.picture, found.tl0))
        assert told == [(32_766, 254), (32_767, 255), (0, 0), (1, 0), (2, 1)]


def test_short_names_stay_short() -> None:
    one = rewriter(Codec.VP8)
    one.rewrite([of_vp8(127, 0, bits=7)], 0)
    one.begin()
    (data,) = one.rewrite([of_vp8(3, 0, bits=7)], 0)
    found = vp8.parse_descriptor(RtpPacket.parse(data).payload)
    assert (found.picture, found.picture_bits) == (0, 7)


@given(
    st.sampled_from([Codec.VP8, Codec.VP9]),
    st.lists(st.tuples(st.booleans(), st.binary(max_size=20)), max_size=20),
)
def test_whatever_was_recorded_is_written_and_as_long(
    codec: Codec, payloads: list[tuple[bool, bytes]]
) -> None:
    one = rewriter(codec)
    for begins, payload in payloads:
        if begins:
            one.begin()
        (data,) = one.rewrite([recorded(payload)], 0)
        assert len(RtpPacket.parse(data).payload) == len(payload)
