"""Reading descriptions: everything is bounded, and nothing but SdpError comes out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.sdp import (
    Direction,
    Fingerprint,
    SdpError,
    Setup,
    TransportParameters,
    answer_publisher,
    answer_subscriber,
    parse,
    read_answer,
    remote_parameters,
)
from media.sdp.parser import MAX_ATTRIBUTES, MAX_FEEDBACK, MAX_LINE, MAX_SECTIONS, MAX_TEXT

from .conftest import vector

NAMES = ["chromium_offer.sdp", "chromium_simulcast_offer.sdp", "chromium_answer.sdp"]
LOCAL = TransportParameters("abcd1234", "a" * 32, (Fingerprint("sha-256", ":".join(["AB"] * 32)),))


def use(text: str) -> bool:
    """Do all that a server or a client does with a description; SdpError is the only way out."""
    try:
        description = parse(text)
        str(description)
        remote_parameters(description)
        answer, _ = answer_publisher(description, LOCAL)
        parse(str(answer))
        answer_subscriber(description, LOCAL)
        read_answer(text)
    except SdpError:
        return False
    return True


def test_chromium_offer_is_read(chromium_offer: str) -> None:
    offer = parse(chromium_offer)
    audio, video, data = offer.media
    assert offer.bundle == ("0", "1", "2")
    assert (audio.kind, video.kind, data.kind) == ("audio", "video", "application")
    assert audio.direction is Direction.SENDONLY
    assert audio.setup is Setup.ACTPASS
    assert audio.rtcp_mux
    assert video.groups[0].semantics == "FID"
    assert {source.ssrc for source in video.sources} == set(video.groups[0].ssrcs)
    opus = audio.codec(111)
    assert opus is not None
    assert (opus.name, opus.clock_rate, opus.channels) == ("opus", 48000, 2)
    assert opus.parameters == {"minptime": "10", "useinbandfec": "1"}
    assert data.sctp_port == 5000
    assert data.max_message_size == 262144
    assert remote_parameters(offer).fingerprints[0].algorithm == "sha-256"


@pytest.mark.parametrize("name", NAMES)
def test_writing_and_reading_again_gives_the_same_values(name: str) -> None:
    description = parse(vector(name))
    assert parse(str(description)) == description


@pytest.mark.parametrize(
    "lines",
    [
        "m=audio 9 X 0\r\na=ice-ufrag:abcd",
        "m=audio 9 X 0\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa",
        "a=sendonly\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=inactive",
        "m=audio 9 RTP 96 096\r\na=rtpmap:96 opus/48000/1\r\na=rtcp-fb:* nack\r\na=rtcp-fb:96  ccm   fir",
        "a=setup:active\r\na=end-of-candidates\r\nm=audio 9/2 X 0\r\nm=video 0 X 0",
        "m=audio 9 X 0\r\na=ssrc:1 x:y\r\na=ssrc:01 msid: a b\r\na=ssrc-group:FID\r\na=rid:",
    ],
)
def test_what_is_half_said_is_written_as_it_was_read(lines: str) -> None:
    """The fuzz target `sdp` holds this for any text, as long as what is written keeps to the limits."""
    description = parse(f"v=0\r\n{lines}\r\n")
    assert parse(str(description)) == description


@pytest.mark.parametrize("name", NAMES)
def test_any_missing_line_is_survived(name: str) -> None:
    lines = vector(name).splitlines()
    assert use("\r\n".join(lines))
    usable = [use("\r\n".join(lines[:at] + lines[at + 1 :])) for at in range(len(lines))]
    assert not usable[0]
    # most lines are not needed
    assert sum(usable) > len(lines) // 2


@pytest.mark.parametrize("name", NAMES)
def test_any_cut_is_survived(name: str) -> None:
    text = vector(name)
    for end in range(0, len(text), 41):
        use(text[:end])


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_arbitrary_text_raises_only_sdp_errors(text: str) -> None:
    use(text)
    use("v=0\r\n" + text)
    use("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=" + text)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(NAMES), st.data())
def test_mutated_descriptions_raise_only_sdp_errors(name: str, data: st.DataObject) -> None:
    lines = vector(name).splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        start = data.draw(st.integers(0, len(line)))
        end = data.draw(st.integers(start, len(line)))
        junk = data.draw(st.text(alphabet="0123456789 :/=;*-a\x00\u0661\ud800", max_size=8))
        lines[at] = line[:start] + junk + line[end:]
        if data.draw(st.booleans()):
            lines.insert(data.draw(st.integers(0, len(lines))), lines[at])
    use("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("hello", "does not begin with v=0"),
        ("v=0\r\nnonsense", "letter=value"),
        ("v=0\r\ns=" + "x" * MAX_LINE, "longer than 8192 characters"),
        ("v=0\r\n" + "s=x\r\n" * (MAX_TEXT // 5), "longer than 131072 bytes"),
        ("v=0\r\ns=" + "\u4e2d" * (MAX_TEXT // 3), "longer than 131072 bytes"),
        ("v=0\r\n" + "m=audio 9 X 0\r\n" * (MAX_SECTIONS + 1), "more than 64 media sections"),
        ("v=0\r\n" + "a=x\r\n" * (MAX_ATTRIBUTES + 1), "more than 1024 attributes"),
        ("v=0\r\nm=audio 65536 X 0", "port"),
        ("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 128", "payload type"),
        ("v=0\r\nm=audio 9", "fewer than 4 parts"),
        ("v=0\r\nm=au(dio 9 X 0", "characters that are not allowed"),
        ("v=0\r\nm=audio 9 X 0\r\na=mid:0\r\nm=audio 9 X 0\r\na=mid:0", "same mid"),
        ("v=0\r\na=mid:" + "x" * 17, "mid"),
        ("v=0\r\na=rtpmap:96 VP8", "name/clock rate"),
        ("v=0\r\na=rtpmap:96 VP8/0", "clock rate"),
        ("v=0\r\na=rtpmap:96 opus/48000/0", "number of channels"),
        (
            "v=0\r\nm=video 9 RTP 96\r\na=rtpmap:96 VP8/9\r\n"
            + "".join(f"a=rtcp-fb:* {number}\r\n" for number in range(MAX_FEEDBACK + 1)),
            "more than 32 kinds of feedback",
        ),
        ("v=0\r\na=ssrc:4294967296 cname:x", "ssrc"),
        ("v=0\r\na=extmap:x uri", "extmap"),
        ("v=0\r\na=setup:holdconn", "actpass, active or passive"),
        ("v=0\r\na=fingerprint:sha-256 AB:CD", "32 bytes"),
        ("v=0\r\na=fingerprint:sha-256 ABCD", "hex pairs"),
        ("v=0\r\na=ice-ufrag:abc", "ice-ufrag"),
        ("v=0\r\na=ice-pwd:short", "ice-pwd"),
        ("v=0\r\na=candidate:1 1 udp 1 192.0.2.1 70000 typ host", "port"),
        ("v=0\r\na=candidate:1 1 udp 1 192.0.2.1 7000 host host", "names no type"),
        ("v=0\r\na=max-message-size:" + "9" * 21, "max-message-size"),
    ],
)
def test_what_is_wrong_is_said(text: str, sentence: str) -> None:
    with pytest.raises(SdpError, match=sentence) as raised:
        parse(text)
    assert str(raised.value).endswith(".")


def test_a_payload_type_written_in_many_ways_is_one() -> None:
    written = " ".join("0" * zeros + "96" for zeros in range(19))
    section = parse(f"v=0\r\nm=video 9 RTP {written}\r\na=rtpmap:96 VP8/90000\r\n").media[0]
    assert [codec.payload_type for codec in section.codecs] == [96]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("a=fingerprint:", "a=x-fingerprint:", "no certificate fingerprint"),
        ("a=fingerprint:sha-256 ", "a=fingerprint:md5 ", "none of SHA-256"),
        ("a=ice-ufrag:", "a=x:", "no ICE credentials"),
        ("a=ice-pwd:", "a=x:", "no ICE credentials"),
        ("a=group:BUNDLE", "a=group:LS", "does not bundle"),
        ("UDP/TLS/RTP/SAVPF", "RTP/AVP", "not DTLS"),
        ("UDP/TLS/RTP/SAVPF", "RTP/SAVPF", "not DTLS"),
    ],
)
def test_an_unsafe_transport_is_refused(chromium_offer: str, old: str, new: str, sentence: str) -> None:
    assert old in chromium_offer
    with pytest.raises(SdpError, match=sentence):
        remote_parameters(parse(chromium_offer.replace(old, new)))


def test_the_session_level_counts_for_sections_without_their_own(chromium_offer: str) -> None:
    lines = chromium_offer.splitlines()
    shared = [line for line in lines if line.startswith(("a=ice-", "a=fingerprint", "a=setup"))]
    first_section = next(at for at, line in enumerate(lines) if line.startswith("m="))
    rest = [line for line in lines[first_section:] if line not in shared]
    moved = "\r\n".join([*lines[:first_section], *dict.fromkeys(shared), *rest])
    assert remote_parameters(parse(moved)) == remote_parameters(parse(chromium_offer))
