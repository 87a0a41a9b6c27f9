"""A view-only player's one offer is answered for whatever may come."""

from __future__ import annotations

from dataclasses import replace

import pytest

from media.plane import Codec, Extension
from media.sdp import Direction, SdpError, TransportParameters, answer_viewer, parse


def receiving(text: str) -> str:
    """Turn a browser's sending offer into a receiving one."""
    return text.replace("a=sendonly", "a=recvonly").replace("a=sendrecv", "a=recvonly")


def test_every_codec_of_the_offer_stays(chromium_offer: str, local: TransportParameters) -> None:
    offer = parse(receiving(chromium_offer))
    answer, sections = answer_viewer(offer, local, "wall")
    again = parse(str(answer))
    video = next(section for section in again.media if section.kind == "video" and not section.rejected)
    assert video.direction is Direction.SENDONLY
    names = {codec.name.upper() for codec in video.codecs}
    assert {"VP8", "VP9", "AV1", "H264", "RTX"} <= names
    assert not names & {"RED", "ULPFEC"}
    assert not video.sources
    assert video.rtcp_mux_only
    (picture,) = [section for section in sections if section.video]
    assert picture.extensions[Extension.MID]
    # a line is measured by transport-wide feedback, or not at all
    assert picture.extensions[Extension.TRANSPORT_WIDE]
    assert not picture.extensions[Extension.ABS_SEND_TIME]
    assert "goog-remb" not in str(answer)
    assert "transport-cc" in video.codecs[0].feedback
    for accepted in picture.formats:
        rtx = video.rtx_of(accepted.payload_type)
        assert accepted.rtx_payload_type == (rtx.payload_type if rtx else 0)


def test_one_picture_and_one_sound_are_taken(chromium_offer: str, local: TransportParameters) -> None:
    offer = parse(receiving(chromium_offer))
    doubled = replace(
        offer,
        media=(*offer.media, *(replace(s, mid=type(s.mid)(f"{s.mid}x")) for s in offer.media)),
        bundle=(*offer.bundle, *(type(m)(f"{m}x") for m in offer.bundle)),
    )
    answer, sections = answer_viewer(doubled, local, "wall")
    assert sorted(section.video for section in sections) == [False, True]
    assert len(answer.media) == len(doubled.media)
    assert sum(not section.rejected for section in answer.media) == 2
    assert len(answer.bundle) == 2


@pytest.mark.parametrize(
    ("codec", "fmtp", "profile"),
    [
        (Codec.H264, "profile-level-id=42e033;packetization-mode=1", "42e0"),
        (Codec.H264, "profile-level-id=4d0033;packetization-mode=1", "4d00"),
        (Codec.VP9, "profile-id=2", "profile-id=2"),
        (Codec.VP8, "", ""),
    ],
)
def test_a_stream_is_sent_as_the_format_of_its_profile(
    chromium_offer: str, local: TransportParameters, codec: Codec, fmtp: str, profile: str
) -> None:
    _, sections = answer_viewer(parse(receiving(chromium_offer)), local, "wall")
    (picture,) = [section for section in sections if section.video]
    chosen = picture.format_for(codec, fmtp)
    assert chosen is not None
    assert chosen.codec is codec
    assert profile in chosen.fmtp


def test_high_profile_is_sent_as_any_h264_but_no_codec_as_another(
    chromium_offer: str, local: TransportParameters
) -> None:
    _, sections = answer_viewer(parse(receiving(chromium_offer)), local, "wall")
    (picture,) = [section for section in sections if section.video]
    high = picture.format_for(Codec.H264, "profile-level-id=640033;packetization-mode=1")
    assert high is not None
    assert high.codec is Codec.H264
    assert picture.format_for(Codec.H265, "profile-id=1") is None
    assert picture.format_for(Codec.VP9, "profile-id=7") is None


def test_who_only_sends_is_no_viewer(chromium_offer: str, local: TransportParameters) -> None:
    sending = chromium_offer.replace("a=sendrecv", "a=sendonly").replace("a=recvonly", "a=sendonly")
    with pytest.raises(SdpError, match="no picture and no sound"):
        answer_viewer(parse(sending), local, "wall")
