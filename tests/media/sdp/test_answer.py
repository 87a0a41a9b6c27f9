"""Answering what a publisher offers."""

from __future__ import annotations

import re

import pytest

from media.ids import Ssrc
from media.plane import Codec, Extension
from media.sdp import (
    Bitrates,
    Direction,
    MediaSection,
    SdpError,
    Setup,
    TransportParameters,
    answer_publisher,
    parse,
    remote_parameters,
)
from media.sdp.session import SourceGroup
from media.sdp.simulcast import offered_encodings

from .conftest import vector


def test_each_section_is_answered_with_one_codec(chromium_offer: str, local: TransportParameters) -> None:
    offer = parse(chromium_offer)
    answer, tracks = answer_publisher(offer, local)
    audio, video = tracks
    assert (audio.codec, audio.payload_type, audio.rtx_payload_type) == (Codec.OPUS, 111, 0)
    # Chromium's first codec is VP8
    assert (video.codec, video.payload_type, video.rtx_payload_type) == (Codec.VP8, 96, 97)
    fid = offer.media[1].groups[0].ssrcs
    assert (video.ssrc, video.rtx_ssrc) == fid
    assert audio.ssrc == offer.media[0].sources[0].ssrc
    assert audio.cname == video.cname == offer.media[0].sources[0].cname
    assert video.feedback == ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")
    assert [section.formats for section in answer.media[:2]] == [("63", "111"), ("96", "97")]
    assert [section.direction for section in answer.media[:2]] == [Direction.RECVONLY] * 2
    assert all(section.setup is Setup.PASSIVE and section.port == 9 for section in answer.media)
    assert all(section.ufrag == local.ufrag and section.candidates for section in answer.media)
    assert all(section.rtcp_mux for section in answer.media[:2])
    assert answer.media[2].sctp_port == 5000
    assert answer.bundle == offer.bundle
    assert answer.ice_lite
    assert parse(str(answer)) == answer


def test_known_extensions_keep_the_offers_ids(chromium_offer: str, local: TransportParameters) -> None:
    answer, (audio, video) = answer_publisher(parse(chromium_offer), local)
    assert audio.extensions[Extension.AUDIO_LEVEL] == 1
    assert video.extensions[Extension.MID] == 4
    # the page of the vector asked for it for video only
    assert video.extensions[Extension.ABS_CAPTURE_TIME] == 12
    assert audio.extensions[Extension.ABS_CAPTURE_TIME] == 0
    assert video.extensions[Extension.TRANSPORT_WIDE] == 3
    # of no use without the feedback
    without = parse(chromium_offer.replace(" transport-cc", " goog-remb"))
    assert answer_publisher(without, local)[1][1].extensions[Extension.TRANSPORT_WIDE] == 0
    assert {mapping.id for mapping in answer.media[1].extensions} == set(video.extensions) - {0}


def test_a_preferred_codec_is_taken_before_the_offers_first(
    chromium_offer: str, local: TransportParameters
) -> None:
    _, tracks = answer_publisher(parse(chromium_offer), local, prefer=[Codec.H265, Codec.H264])
    assert tracks[1].codec is Codec.H264
    assert "packetization-mode=1" in tracks[1].fmtp


def test_the_encoder_is_seeded(chromium_offer: str, local: TransportParameters) -> None:
    answer, _ = answer_publisher(
        parse(chromium_offer), local, bitrates={"1": Bitrates(20000, 4000, 60000)}, prefer=[Codec.H264]
    )
    fmtp = answer.media[1].codecs[0].fmtp
    assert fmtp.startswith("level-asymmetry-allowed=1;")
    assert fmtp.endswith("x-google-start-bitrate=20000;x-google-min-bitrate=4000;x-google-max-bitrate=60000")
    assert not any("x-google" in codec.fmtp for codec in answer.media[0].codecs)
    default, _ = answer_publisher(parse(chromium_offer), local)
    assert default.media[1].codecs[0].parameters["x-google-start-bitrate"] == "6000"


def test_sound_with_redundancy_is_preferred(chromium_offer: str, local: TransportParameters) -> None:
    answer, (audio, _) = answer_publisher(parse(chromium_offer), local)
    assert (audio.payload_type, audio.red_payload_type) == (111, 63)
    red, opus = answer.media[0].codecs
    # what stands first is what a browser sends
    assert (red.payload_type, red.name, red.fmtp) == (63, "red", "111/111")
    assert (opus.payload_type, opus.fmtp) == (111, "minptime=10;useinbandfec=1")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=rtpmap:63 red/48000/2", "a=rtpmap:63 red/8000"),  # of another clock
        ("a=fmtp:63 111/111", "a=fmtp:63 111/0"),  # not all of one kind
        ("a=fmtp:63 111/111\r\n", ""),  # nobody knows of what
        ("a=fmtp:63 111/111", "a=fmtp:63 0/0"),  # of something that is not taken
        ("a=rtpmap:63 red/48000/2\r\n", ""),
    ],
)
def test_redundancy_of_something_else_is_not_taken(
    chromium_offer: str, local: TransportParameters, old: str, new: str
) -> None:
    assert old in chromium_offer
    answer, (audio, _) = answer_publisher(parse(chromium_offer.replace(old, new)), local)
    assert audio.red_payload_type == 0
    assert answer.media[0].formats == ("111",)


def test_redundancy_can_be_switched_off(chromium_offer: str, local: TransportParameters) -> None:
    answer, (audio, _) = answer_publisher(parse(chromium_offer), local, redundancy=False)
    assert audio.red_payload_type == 0
    assert answer.media[0].formats == ("111",)


def test_h264_without_packetization_mode_1_is_not_taken(
    chromium_offer: str, local: TransportParameters
) -> None:
    offer = chromium_offer.replace("packetization-mode=1", "packetization-mode=0")
    _, tracks = answer_publisher(parse(offer), local, prefer=[Codec.H264])
    assert tracks[1].codec is Codec.VP8


def test_h264_that_says_nothing_of_its_packetization_is_better_than_nothing(
    local: TransportParameters,
) -> None:
    """GStreamer's webrtcbin offers so when it has not seen a picture of its encoder yet."""
    text = (
        "v=0\r\na=group:BUNDLE video0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:video0\r\na=sendonly\r\n"
        "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=setup:actpass\r\na=rtpmap:96 H264/90000\r\n"
    )
    answer, (track,) = answer_publisher(parse(text), local)
    assert (track.codec, track.payload_type) == (Codec.H264, 96)
    assert not answer.media[0].rejected
    # what says that it is something else is not taken for it
    with pytest.raises(SdpError):
        answer_publisher(parse(text + "a=fmtp:96 packetization-mode=2\r\n"), local)


def test_simulcast_is_answered_with_all_its_encodings(local: TransportParameters) -> None:
    offer = parse(vector("chromium_simulcast_offer.sdp"))
    assert offer.media[1].rids
    assert offer.media[1].simulcast.startswith("send ")
    answer, tracks = answer_publisher(offer, local)
    # the lowest first, whatever the order of the offer
    assert answer.media[1].simulcast == "recv l;h"
    assert answer.media[1].rids == ("l recv", "h recv")
    assert [encoding.rid for encoding in tracks[1].encodings] == ["l", "h"]
    # a simulcast offer announces no SSRC: the plane finds it
    assert {encoding.ssrc for encoding in tracks[1].encodings} == {0}


@pytest.mark.parametrize(
    ("rids", "simulcast", "expected"),
    [
        (["f send", "h send", "q send"], "send f;h;q", ["q", "h", "f"]),
        (["1 send", "2 send"], "send 1;2", ["1", "2"]),
        # alternatives: the first; a stream that begins paused counts
        (["a send", "b send", "c send"], "send a,b;~c", ["a", "c"]),
        # what is not declared, twice named, received, or no name at all, is no encoding
        (["q send"], "send q;h", []),
        (["q send", "h send"], "send q;q", []),
        (["q recv", "h recv"], "recv q;h", []),
        (["q send", "h send"], "send", []),
        (["q send", "h send"], "", []),
        (["q send", "../.. send"], "send q;../..", []),
        # five: the lowest four
        ([f"{n} send" for n in range(5)], "send 0;1;2;3;4", ["0", "1", "2", "3"]),
    ],
)
def test_encodings_by_rid(rids: list[str], simulcast: str, expected: list[str]) -> None:
    section = MediaSection("video", 9, "", (), rids=tuple(rids), simulcast=simulcast)
    assert [encoding.rid for encoding in offered_encodings(section)] == expected


def test_encodings_by_ssrc() -> None:
    groups = (
        SourceGroup("SIM", (Ssrc(1), Ssrc(2))),
        SourceGroup("FID", (Ssrc(1), Ssrc(11))),
        SourceGroup("FID", (Ssrc(2), Ssrc(12))),
    )
    encodings = offered_encodings(MediaSection("video", 9, "", (), groups=groups))
    assert [(e.rid, e.ssrc, e.rtx_ssrc) for e in encodings] == [("", 1, 11), ("", 2, 12)]
    assert offered_encodings(MediaSection("video", 9, "", (), groups=groups[1:])) == ()


def test_a_section_without_a_codec_of_ours_is_rejected(
    chromium_offer: str, local: TransportParameters
) -> None:
    offer = re.sub(r"a=rtpmap:(\d+) opus/48000/2", r"a=rtpmap:\1 speex/16000", chromium_offer)
    answer, tracks = answer_publisher(parse(offer), local)
    assert [track.kind for track in tracks] == ["video"]
    assert answer.media[0].rejected
    assert answer.bundle == ("1", "2")
    assert len(answer.media) == 3


def test_a_stopped_section_stays_rejected(chromium_offer: str, local: TransportParameters) -> None:
    offer = chromium_offer.replace("m=video 9", "m=video 0").replace("BUNDLE 0 1 2", "BUNDLE 0 2")
    answer, tracks = answer_publisher(parse(offer), local)
    assert [track.mid for track in tracks] == ["0"]
    assert answer.media[1].rejected
    assert answer.media[1].mid == "1"


def test_a_bundle_only_section_is_used_in_spite_of_port_0(
    chromium_offer: str, local: TransportParameters
) -> None:
    offer = chromium_offer.replace("m=video 9", "m=video 0").replace("a=mid:1", "a=mid:1\r\na=bundle-only")
    _, tracks = answer_publisher(parse(offer), local)
    assert [track.mid for track in tracks] == ["0", "1"]


@pytest.mark.parametrize("direction", ["recvonly", "inactive"])
def test_what_is_not_sent_is_no_track(
    chromium_offer: str, local: TransportParameters, direction: str
) -> None:
    answer, tracks = answer_publisher(parse(chromium_offer.replace("a=sendonly", f"a={direction}")), local)
    assert tracks == []
    assert [section.direction for section in answer.media[:2]] == [Direction.INACTIVE] * 2
    assert not answer.media[0].rejected


def test_a_passive_offer_is_answered_active(chromium_offer: str, local: TransportParameters) -> None:
    offer = parse(chromium_offer.replace("setup:actpass", "setup:passive"))
    answer, _ = answer_publisher(offer, local)
    assert {section.setup for section in answer.media} == {Setup.ACTIVE}
    assert remote_parameters(offer).setup is Setup.PASSIVE


def test_a_section_outside_the_bundle_is_rejected(chromium_offer: str, local: TransportParameters) -> None:
    offer = parse(chromium_offer.replace("BUNDLE 0 1 2", "BUNDLE 1 2"))
    answer, tracks = answer_publisher(offer, local)
    assert [track.mid for track in tracks] == ["1"]
    assert answer.media[0].rejected


def test_an_offer_of_nothing_usable_is_an_error(local: TransportParameters) -> None:
    with pytest.raises(SdpError, match="no section that can be used"):
        answer_publisher(parse("v=0\r\nm=audio 0 UDP/TLS/RTP/SAVPF 0\r\n"), local)
