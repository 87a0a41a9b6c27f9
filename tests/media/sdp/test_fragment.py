"""ICE fragments as clients send them, and as nobody should."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.sdp import MAX_FRAGMENT, SdpError, TransportParameters, parse, parse_fragment, write_fragment

#: RFC 9725, section 4.3.2 (example 3).
TRICKLE = """a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=mid:0
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1
a=candidate:2154773085 1 tcp 1518214911 198.51.100.2 9 typ host tcptype active generation 0 ufrag EsAw
a=end-of-candidates
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_standards_own_example_is_read(end: str) -> None:
    fragment = parse_fragment(TRICKLE.replace("\n", end))
    assert (fragment.ufrag, fragment.pwd) == ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
    assert [(c.host, c.port, c.protocol) for c in fragment.candidates] == [
        ("192.0.2.1", 61764, "udp"),
        ("198.51.100.2", 9, "tcp"),
    ]
    assert fragment.end_of_candidates


def test_a_fragment_without_sections_speaks_of_the_one_transport() -> None:
    fragment = parse_fragment("a=ice-ufrag:abcd\r\na=ice-pwd:" + "p" * 24 + "\r\n")
    assert (fragment.ufrag, fragment.pwd, fragment.candidates) == ("abcd", "p" * 24, ())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        (" \r\n", "is empty"),
        ("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", "whole session description"),
        ("a=ice-ufrag:abcd\r\n", "only one of"),
        ("a=ice-pwd:" + "p" * 24 + "\r\n", "only one of"),
        ("a=mid:0\r\n", "says nothing of ICE"),
        ("a=candidate:1 1 udp\r\n", "fewer than 8 parts"),
        ("a" * (MAX_FRAGMENT + 1), "longer than"),
        (
            "".join(f"a=candidate:{n} 1 udp 1 192.0.2.1 9 typ host\r\n" for n in range(65)),
            "more than 64 candidates",
        ),
        (
            TRICKLE + TRICKLE.replace("EsAw", "EsAx").replace("mid:0", "mid:1"),
            "different ICE sessions",
        ),
    ],
)
def test_what_is_wrong_is_said(text: str, sentence: str) -> None:
    with pytest.raises(SdpError, match=sentence):
        parse_fragment(text)


@given(st.text(alphabet=st.sampled_from("a=:icecandidatemufrpgwd019 \r\n/v-"), max_size=400))
def test_arbitrary_text_raises_only_sdp_errors(text: str) -> None:
    with contextlib.suppress(SdpError):
        parse_fragment(text)


def test_what_we_write_is_read_again(local: TransportParameters) -> None:
    section = parse("v=0\r\n" + TRICKLE).media[0]
    text = write_fragment(local, section)
    fragment = parse_fragment(text)
    assert (fragment.ufrag, fragment.pwd) == (local.ufrag, local.pwd)
    assert fragment.candidates == local.candidates
    assert fragment.end_of_candidates
    assert text.startswith("a=ice-lite\r\na=ice-options:trickle ice2\r\na=group:BUNDLE 0\r\nm=audio 9 ")
