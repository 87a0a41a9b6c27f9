"""TURN credentials: what coturn would check, and what a page and a WHIP client are handed."""

from __future__ import annotations

import pytest

from media.turn_credentials import IceServer, TurnError, check_turn_url, ice_servers, turn_password

URLS = ("turn:turn.example.org:3478", "turns:turn.example.org:443?transport=tcp")


def test_a_password_is_the_hmac_of_the_username_under_the_secret() -> None:
    # printf '1795320000:pt-5f0c2a9e' | openssl dgst -sha1 -hmac north -binary | base64
    assert turn_password(b"north", "1795320000:pt-5f0c2a9e") == "KCdH0sjTEVsNmXRQEoKkvVaUf0Y="


def test_a_username_begins_with_its_end() -> None:
    (server,) = ice_servers(URLS, b"secret", "pt-1", now=1000.9, lifetime=600.0)
    assert server.username == "1600:pt-1"
    assert server.expires == 1600
    assert server.credential == turn_password(b"secret", "1600:pt-1")
    assert server.to_json() == {
        "urls": list(URLS),
        "username": "1600:pt-1",
        "credential": server.credential,
    }


def test_without_a_server_there_are_no_credentials() -> None:
    assert ice_servers((), b"", "pt-1", 0.0, 600.0) == ()


def test_a_link_header_bears_the_credentials_of_each_url() -> None:
    server = IceServer(URLS, "1600:pt-1", "abc=", 1600)
    assert server.links() == [
        f'<{url}>; rel="ice-server"; username="1600:pt-1"; credential="abc="; credential-type="password"'
        for url in URLS
    ]


@pytest.mark.parametrize("name", ["", "a:b", "Dr. Li", 'x"', "a\r\nb", "x" * 65])
def test_a_name_that_a_header_would_have_to_quote_is_refused(name: str) -> None:
    with pytest.raises(TurnError):
        ice_servers(URLS, b"secret", name, 0.0, 600.0)


@pytest.mark.parametrize("url", [*URLS, "turn:192.0.2.1", "turn:[2001:db8::1]:3478?transport=udp"])
def test_turn_urls_are_taken(url: str) -> None:
    assert check_turn_url(url) == url


@pytest.mark.parametrize(
    "url",
    ["", "stun:a", "turn:", "turn:a:0", "turn:a:70000", "turn:a?transport=sctp", "turn:a>; x", "turn:a\n"],
)
def test_what_is_no_turn_url_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(TurnError, match=r"is not a TURN URL"):
        check_turn_url(url)
