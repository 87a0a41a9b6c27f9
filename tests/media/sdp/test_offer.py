"""Offering to a subscriber, and reading what it accepts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.ids import Mid, Ssrc
from media.plane import Codec, Extension
from media.sdp import (
    DATA_MID,
    Direction,
    PayloadTypes,
    PublishedTrack,
    SdpError,
    Setup,
    SubscribedTrack,
    TransportParameters,
    answer_publisher,
    answer_subscriber,
    canonical_fmtp,
    offer_publisher,
    offer_subscriber,
    parse,
    read_answer,
)

from .conftest import vector

H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"


def slot(codec: Codec, fmtp: str = "", *, number: int = 1, active: bool = True) -> SubscribedTrack:
    kind = "audio" if codec is Codec.OPUS else "video"
    rtx = Ssrc(2000 + number) if kind == "video" else Ssrc(0)
    return SubscribedTrack(kind, codec, fmtp, Ssrc(1000 + number), rtx, "c", "pt-1", "field", active)


def test_slots_become_sections_in_their_order(local: TransportParameters) -> None:
    slots = [slot(Codec.H264, H264), slot(Codec.OPUS, number=2), slot(Codec.VP8, number=3, active=False)]
    offer = offer_subscriber(slots, local, 3, PayloadTypes())
    assert [section.mid for section in offer.media] == [DATA_MID, "0", "1", "2"]
    assert offer.version == 3
    assert offer.ice_lite
    video, audio, unused = offer.media[1:]
    assert video.formats == ("102", "103")
    assert audio.formats == ("111",)
    assert (video.direction, unused.direction) == (Direction.SENDONLY, Direction.INACTIVE)
    assert video.groups[0].ssrcs == (1001, 2001)
    assert video.msid == "pt-1 field"
    assert not unused.sources
    assert {section.setup for section in offer.media} == {Setup.ACTPASS}
    assert {mapping.id for mapping in video.extensions} == {1, 2, 3, 5, 6, 9, 10}
    assert {mapping.id for mapping in audio.extensions} == {1, 2, 3, 4, 5}
    text = str(offer)
    assert "a=end-of-candidates" in text
    assert "a=rtcp-fb:102 nack pli" in text
    assert "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host" in text
    assert parse(text) == offer


def test_sound_with_redundancy_is_offered_beside_sound_alone(local: TransportParameters) -> None:
    numbers = PayloadTypes()
    first = replace(slot(Codec.OPUS, "useinbandfec=1"), redundant=True)
    second = replace(slot(Codec.OPUS, "stereo=1", number=2), redundant=True)
    offer = offer_subscriber([first, second, slot(Codec.OPUS, number=3)], local, 1, numbers)
    sections = offer.media[1:]
    assert sections[0].formats == ("111", "63")
    assert [codec.fmtp for codec in sections[0].codecs] == ["useinbandfec=1", "111/111"]
    plain, red = sections[1].formats
    assert sections[1].codecs[1].fmtp == f"{plain}/{plain}"
    assert len({"111", "63", plain, red, *sections[2].formats}) == 5
    # the numbers stay
    assert offer_subscriber([first], local, 2, numbers).media[1].formats == ("111", "63")


def test_who_takes_redundancy_says_so_in_its_answer(local: TransportParameters) -> None:
    offer = offer_subscriber([replace(slot(Codec.OPUS), redundant=True)], local, 1, PayloadTypes())
    answer = str(offer).replace("a=setup:actpass", "a=setup:active").replace("a=sendonly", "a=recvonly")
    assert read_answer(answer).tracks[Mid("0")].red_payload_type == 63
    without = "".join(line + "\r\n" for line in answer.split("\r\n") if line and ":63 " not in line)
    without = without.replace("SAVPF 111 63", "SAVPF 111")
    taken = read_answer(without).tracks[Mid("0")]
    assert taken.accepted
    assert (taken.payload_type, taken.red_payload_type) == (111, 0)


def test_our_own_clients_take_sound_alone(local: TransportParameters) -> None:
    offer = offer_subscriber([replace(slot(Codec.OPUS), redundant=True)], local, 1, PayloadTypes())
    answer, (track,) = answer_subscriber(offer, replace(local, ice_lite=False))
    assert track.payload_type == 111
    assert answer.media[1].formats == ("111",)
    assert read_answer(str(answer)).tracks[Mid("0")].red_payload_type == 0


def test_a_connection_keeps_its_session_id_and_payload_types(local: TransportParameters) -> None:
    numbers = PayloadTypes()
    first = offer_subscriber([slot(Codec.H264, H264)], local, 1, numbers)
    other = H264.replace("42e01f", "42001f")
    second = offer_subscriber([slot(Codec.H264, other), slot(Codec.H264, H264)], local, 2, numbers)
    assert first.session_id == second.session_id
    assert second.media[2].formats == first.media[1].formats == ("102", "103")
    assert not set(second.media[1].formats) & {"102", "103"}


def test_high_profile_is_offered_as_constrained_baseline_too(local: TransportParameters) -> None:
    numbers = PayloadTypes()
    high = slot(Codec.H264, H264.replace("42e01f", "640033"))
    section = offer_subscriber([high], local, 1, numbers).media[1]
    names = [codec.parameters.get("profile-level-id") for codec in section.codecs if codec.name == "H264"]
    assert names == ["640033", "42e01f"]


def test_payload_types_never_collide_and_end_in_an_error(local: TransportParameters) -> None:
    numbers = PayloadTypes()
    given_: list[int] = []
    for profile in range(25):
        given_ += numbers.of(Codec.H264, f"profile-level-id=42{profile:04x}")
    with pytest.raises(SdpError, match="No payload type is left"):
        numbers.of(Codec.H264, "profile-level-id=4d0000")
    assert len(set(given_)) == len(given_)
    # RTCP is told from RTP by these (RFC 5761)
    assert not set(given_) & set(range(64, 96))


def test_without_transport_wide_feedback_its_extension_stays_out(local: TransportParameters) -> None:
    text = str(offer_subscriber([slot(Codec.VP8)], local, 1, PayloadTypes(), transport_wide=False))
    assert "transport-cc" not in text
    assert "transport-wide" not in text


def test_chromiums_answer_is_read() -> None:
    answer = read_answer(vector("chromium_answer.sdp"))
    assert answer.remote.setup is Setup.ACTIVE
    assert answer.remote.sctp_port == 5000
    h264, opus, vp8, vp9, av1, h265, high, inactive = answer.tracks.values()
    assert (h264.codec, h264.payload_type, h264.rtx_payload_type) == (Codec.H264, 102, 103)
    assert (opus.codec, opus.payload_type, opus.rtx_payload_type) == (Codec.OPUS, 111, 0)
    assert [track.codec for track in (vp8, vp9, av1)] == [Codec.VP8, Codec.VP9, Codec.AV1]
    # this Chromium decodes neither, and says so a section
    assert not h265.accepted
    assert not high.accepted
    assert not inactive.accepted
    # its page asked for abs-capture-time, which is off by default
    assert h264.extensions[Extension.ABS_CAPTURE_TIME] == 3
    assert opus.extensions[Extension.AUDIO_LEVEL] == 4


def test_an_answer_without_an_extension_or_rtx_says_0() -> None:
    text = "\r\n".join(
        line
        for line in vector("chromium_answer.sdp").splitlines()
        if "abs-capture-time" not in line and "apt=" not in line
    )
    track = read_answer(text).tracks[Mid("0")]
    assert track.accepted
    assert track.extensions[Extension.ABS_CAPTURE_TIME] == 0
    assert track.rtx_payload_type == 0


def test_our_client_takes_what_is_offered(local: TransportParameters) -> None:
    slots = [slot(Codec.H264, H264), slot(Codec.OPUS, number=2), slot(Codec.VP8, number=3, active=False)]
    offer = offer_subscriber(slots, local, 1, PayloadTypes())
    answer, tracks = answer_subscriber(parse(str(offer)), local)
    read = read_answer(str(answer))
    assert [track.accepted for track in read.tracks.values()] == [True, True, False]
    assert read.tracks[Mid("0")].payload_type == tracks[0].payload_type == 102
    assert (tracks[0].ssrc, tracks[0].rtx_ssrc) == (1001, 2001)
    assert [track.active for track in tracks] == [True, True, False]
    assert read.remote.setup is Setup.ACTIVE


def test_our_publisher_is_answered_as_it_offers(local: TransportParameters) -> None:
    video = PublishedTrack(
        Mid("v"), "video", Codec.H264, H264, 102, Ssrc(7), "cname", "field", "demo", 103, Ssrc(8)
    )
    audio = PublishedTrack(Mid("a"), "audio", Codec.OPUS, "", 111, Ssrc(9), "cname", "field", "sound")
    offer = offer_publisher([video, audio], local)
    _, tracks = answer_publisher(parse(str(offer)), local)
    assert [(t.mid, t.codec, t.payload_type, t.ssrc) for t in tracks] == [
        ("v", Codec.H264, 102, 7),
        ("a", Codec.OPUS, 111, 9),
    ]
    assert (tracks[0].rtx_payload_type, tracks[0].rtx_ssrc) == (103, 8)
    assert tracks[0].extensions == (1, 2, 3, 0, 5, 6, 0, 0, 0, 0)
    assert tracks[1].extensions[Extension.TRANSPORT_WIDE] == 0


@given(stream=st.text(), label=st.text(), fmtp=st.text())
def test_names_from_outside_write_no_lines(stream: str, label: str, fmtp: str) -> None:
    local = TransportParameters("abcd", "p" * 22, ())
    track = SubscribedTrack("video", Codec.H264, fmtp, Ssrc(1), Ssrc(2), label, stream, label)
    clean = SubscribedTrack("video", Codec.H264, "", Ssrc(1), Ssrc(2), "c", "s", "l")
    text = str(offer_subscriber([track], local, 1, PayloadTypes()))
    expected = str(offer_subscriber([clean], local, 1, PayloadTypes()))
    assert [line[:6] for line in text.splitlines()] == [line[:6] for line in expected.splitlines()]


def test_fmtps_that_mean_the_same_are_the_same() -> None:
    messy = (
        "Profile-Level-Id=42E01F; packetization-mode=1;x-google-start-bitrate=6000;level-asymmetry-allowed=1"
    )
    assert canonical_fmtp(Codec.H264, messy) == H264
    assert canonical_fmtp(Codec.VP8, "max-fr=30") == ""


def test_protection_is_offered_where_it_is_wished(local: TransportParameters) -> None:
    field = replace(slot(Codec.H264, H264), fec_ssrc=Ssrc(3001))
    offer = offer_subscriber([field, slot(Codec.VP8, number=2)], local, 1, PayloadTypes())
    video, other = offer.media[1:]
    assert video.formats == ("102", "103", "119")
    assert other.flexfec is None
    text = str(offer)
    assert "a=rtpmap:119 flexfec-03/90000\r\na=fmtp:119 repair-window=10000000\r\n" in text
    assert "a=ssrc-group:FID 1001 2001\r\na=ssrc-group:FEC-FR 1001 3001\r\n" in text
    assert "a=ssrc:3001 cname:c" in text
    assert parse(text) == offer


@pytest.mark.parametrize(("formats", "agreed"), [("102 103 119", 119), ("102 103", 0)])
def test_protection_is_agreed_on_if_the_answer_takes_it(
    local: TransportParameters, formats: str, agreed: int
) -> None:
    field = replace(slot(Codec.H264, H264), fec_ssrc=Ssrc(3001))
    offer = offer_subscriber([field], local, 1, PayloadTypes())
    answer, tracks = answer_subscriber(offer, local)
    assert tracks[0].rtx_ssrc == 2001
    lines = [
        line
        for line in str(answer).replace("102 103 119", formats).split("\r\n")
        if agreed or ":119 " not in line
    ]
    accepted = read_answer("\r\n".join(lines)).tracks[Mid("0")]
    assert (accepted.payload_type, accepted.rtx_payload_type, accepted.fec_payload_type) == (102, 103, agreed)


def test_no_codec_gets_the_number_of_protection() -> None:
    types = PayloadTypes()
    given = [number for i in range(12) for number in types.of(Codec.H264, f"profile-level-id=64{i:02x}33")]
    assert 119 not in given
