"""What WHIP and WHEP sessions answer over HTTP: PATCH, entity tags, CORS, GET, too many requests."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from media.ids import Mid, Ssrc
from media.native import NativePlane
from media.plane import Address, Codec
from media.sdp import PublishedTrack, offer_publisher, parse, parse_fragment, remote_parameters
from media.transport import Endpoint, TransportState
from server.config import TurnConfig
from server.wish import POST_BURST
from tests.helpers.served import Answered, Served, served
from tests.helpers.udp_peers import until

from .offers import good_offer, viewing_offer

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
CANDIDATE = "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host generation 0\r\n"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


def credentials(offer: str) -> str:
    """Take the ICE credentials out of an offer, as lines."""
    lines = offer.splitlines()
    first = [next(line for line in lines if line.startswith(name)) for name in ("a=ice-ufrag", "a=ice-pwd")]
    return "".join(line + "\r\n" for line in first)


def fragment(credentials: str, more: str = CANDIDATE) -> bytes:
    """Write a fragment for the first section."""
    return f"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n{credentials}{more}".encode()


async def create(server: Served, prefix: str = "/whip") -> tuple[Answered, str]:
    """Begin a session; returns the answer and the offer's credentials."""
    offer = await (good_offer() if prefix == "/whip" else viewing_offer())
    headers = server.bearer("surgeon") | SDP
    answer = await server.ask("POST", f"{prefix}/ward", headers, offer.encode())
    assert answer.status == 201
    return answer, credentials(offer)


@pytest.mark.parametrize("prefix", ["/whip", "/whep"])
async def test_candidates_come_by_patch(running: Served, prefix: str) -> None:
    answer, ours = await create(running, prefix)
    location, tag = answer.headers["location"], answer.headers["etag"]
    assert answer.headers["accept-patch"] == FRAGMENT["Content-Type"]
    assert tag.startswith('"')
    assert tag.endswith('"')
    headers = running.bearer("surgeon") | FRAGMENT
    for condition in (tag, "*", '"*"', f'"older", {tag}'):
        taken = await running.ask("PATCH", location, headers | {"If-Match": condition}, fragment(ours))
        assert (taken.status, taken.body) == (204, b"")
        assert "etag" not in taken.headers
    end = fragment(ours, "a=end-of-candidates\r\n")
    assert (await running.ask("PATCH", location, headers | {"If-Match": tag}, end)).status == 204
    # candidates that nobody here can use: a name, TCP
    odd = fragment(ours, "a=candidate:2 1 tcp 1 x.local 9 typ host tcptype active\r\n")
    assert (await running.ask("PATCH", location, headers | {"If-Match": tag}, odd)).status == 204


@pytest.mark.parametrize(
    ("changes", "body", "status"),
    [
        ({"If-Match": ""}, None, 412),
        ({"If-Match": '"another"'}, None, 412),
        ({"Content-Type": "application/sdp"}, None, 415),
        ({"Content-Type": "application/json"}, b"{}", 415),
        ({}, b"", 400),
        ({}, b"\xff\xfe\x00" * 100, 400),
        ({}, b"v=0\r\ns=-\r\n", 400),
        ({}, b"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n", 400),
        ({}, b"a=ice-ufrag:abcdef\r\na=candidate:x\r\n", 400),
        ({}, b"a=ice-ufrag:abcdef\r\n", 400),
        ({}, b"a=ice-ufrag:\r\na=ice-pwd:\r\n", 400),
        ({}, CANDIDATE.encode() * 3000, 400),
        ({"Authorization": ""}, None, 401),
        ({"Authorization": "Bearer x.y.z"}, None, 401),
    ],
)
async def test_a_fragment_that_is_refused_changes_nothing(
    running: Served, changes: dict[str, str], body: bytes | None, status: int
) -> None:
    answer, ours = await create(running)
    location, tag = answer.headers["location"], answer.headers["etag"]
    good = running.bearer("surgeon") | FRAGMENT | {"If-Match": tag}
    refused = await running.ask("PATCH", location, good | changes, fragment(ours) if body is None else body)
    assert refused.status == status
    assert refused.json()["message"].endswith(".")
    assert (await running.ask("PATCH", location, good, fragment(ours))).status == 204


async def test_a_fragment_without_a_condition_is_asked_for_one(running: Served) -> None:
    answer, ours = await create(running)
    headers = running.bearer("surgeon") | FRAGMENT
    assert (await running.ask("PATCH", answer.headers["location"], headers, fragment(ours))).status == 428


async def test_a_session_is_looked_at_and_ended_whatever_the_tag(running: Served) -> None:
    answer, _ = await create(running)
    location, tag = answer.headers["location"], answer.headers["etag"]
    looked = await running.ask("GET", location, running.bearer("observer"))
    assert (looked.status, looked.body, looked.headers["etag"]) == (204, b"", tag)
    assert (await running.ask("HEAD", location, running.bearer("observer"))).status == 204
    assert (await running.ask("GET", location)).status == 401
    assert (await running.ask("GET", location, running.bearer("observer", "other"))).status == 403
    for method in ("PUT", "POST"):
        refused = await running.ask(method, location, running.bearer("surgeon"))
        assert refused.status == 405
        assert "PATCH" in refused.headers["allow"]
    ended = await running.ask("DELETE", location, running.bearer("surgeon") | {"If-Match": '"older"'})
    assert ended.status == 200
    for method in ("GET", "PATCH", "DELETE"):
        gone = await running.ask(method, location, running.bearer("surgeon") | FRAGMENT)
        assert gone.status == 404


@pytest.mark.parametrize("prefix", ["/whip", "/whep"])
async def test_pages_of_other_origins_may_call(running: Served, prefix: str) -> None:
    preflight = {
        "Origin": "https://elsewhere.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = await running.ask("OPTIONS", f"{prefix}/ward", preflight)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["accept-post"] == "application/sdp"
    assert "access-control-allow-credentials" not in answer.headers
    session = await running.ask("OPTIONS", f"{prefix}/ward/{'x' * 32}", preflight)
    assert session.status == 200
    assert {"PATCH", "DELETE"} <= set(session.headers["access-control-allow-methods"].split(", "))
    assert session.headers["accept-patch"] == FRAGMENT["Content-Type"]
    assert "If-Match" in session.headers["access-control-allow-headers"]
    # what is refused can be read too
    refused = await running.ask("POST", f"{prefix}/ward", {"Origin": "https://elsewhere.example"})
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, "*")
    assert "Location" in refused.headers["access-control-expose-headers"]
    # nothing else can be
    assert "access-control-allow-origin" not in (await running.ask("GET", "/api/recordings")).headers


@pytest.mark.parametrize("prefix", ["/whip", "/whep"])
async def test_an_endpoint_is_recognised_without_being_used(running: Served, prefix: str) -> None:
    for method in ("GET", "HEAD"):
        answer = await running.ask(method, f"{prefix}/ward")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["content-type"] == "application/sdp"
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await running.ask(method, f"{prefix}/ward", running.bearer("surgeon"))).status == 405
    assert not running.service.rooms


async def test_who_asks_too_often_is_told_when_to_come_again(running: Served) -> None:
    headers = running.bearer("surgeon") | SDP
    asked = [await running.ask("POST", "/whip/ward", headers, b"x") for _ in range(POST_BURST + 20)]
    refused = [answer for answer in asked if answer.status == 429]
    assert asked[0].status == 400
    assert refused
    assert refused[0].headers["retry-after"] == "2"
    # another room is not held up
    elsewhere = running.bearer("surgeon", "other") | SDP
    assert (await running.ask("POST", "/whip/other", elsewhere, b"x")).status == 400


@pytest.mark.parametrize("prefix", ["/whip", "/whep"])
@pytest.mark.parametrize(
    "name", ["ward%0d%0aX-Evil:1", "ward%20", "%2e%2e", "ward%2f..", "wa%00rd", "ward;x", "ward.", "*"]
)
async def test_hostile_names_lead_nowhere(running: Served, prefix: str, name: str) -> None:
    """Names with line ends, dots and slashes in them (Galene 0.96, Janus PR #3637) open no room and write no header."""
    headers = running.bearer("surgeon") | SDP
    answer = await running.ask("POST", f"{prefix}/{name}", headers, (await good_offer()).encode())
    assert answer.status in {400, 401, 403, 404, 405}
    assert "x-evil" not in answer.headers
    assert not running.service.rooms


@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "write",
    ["/{0}", "{0}/", "{0}//", "{0}/.", "/x/..{0}", "/.{0}", "{0}%2e", "{0}.", "{0}%00", "{0}%0d%0aX-Evil:1"],
)
async def test_a_session_has_one_address_only(running: Served, method: str, write: str) -> None:
    answer, ours = await create(running)
    headers = running.bearer("surgeon") | FRAGMENT | {"If-Match": "*"}
    odd = await running.ask(method, write.format(answer.headers["location"]), headers, fragment(ours))
    assert odd.status in {400, 404, 405}
    assert "x-evil" not in odd.headers
    assert (await running.ask("GET", answer.headers["location"], running.bearer("surgeon"))).status == 204


async def test_what_the_client_names_writes_no_header(running: Served) -> None:
    """A label, a condition and a token with line ends stand in no answer's headers."""
    offer = (await good_offer()).encode()
    for target in ("/whip/ward?label=a%0d%0aX-Evil:1", "/whip/ward?source=field%0d%0aX-Evil:1"):
        answer = await running.ask("POST", target, running.bearer("surgeon") | SDP, offer)
        assert answer.status == 400
        assert "x-evil" not in answer.headers
    assert not running.service.rooms


@pytest.mark.parametrize("prefix", ["/whip", "/whep"])
async def test_ice_restarts_by_patch_while_media_go_on(running: Served, prefix: str) -> None:
    endpoint = Endpoint(NativePlane(Address("127.0.0.1", 0)))
    try:
        transport = endpoint.create(role="client")
        track = PublishedTrack(Mid("0"), "video", Codec.VP8, "", 96, Ssrc(77), "c", "s", "l")
        text = str(offer_publisher([track], transport.parameters))
        if prefix == "/whep":
            text = text.replace("a=sendonly", "a=recvonly")
        answer = await running.ask("POST", f"{prefix}/ward", running.bearer("surgeon") | SDP, text.encode())
        assert answer.status == 201
        transport.start(remote_parameters(parse(answer.body.decode())))
        await until(lambda: transport.state is TransportState.CONNECTED, 30)
        (conductor,) = running.service.rooms.values()
        (member,) = conductor.members.values()
        connection = member.watching if prefix == "/whep" else member.publication
        assert connection is not None
        assert connection.transport is not None
        keys = connection.transport.srtp_profile
        location, first = answer.headers["location"], answer.headers["etag"]
        headers = running.bearer("surgeon") | FRAGMENT

        endpoint.restart_ice(transport)
        ours = transport.parameters
        body = fragment(f"a=ice-ufrag:{ours.ufrag}\r\na=ice-pwd:{ours.pwd}\r\n")
        # a restart that was overtaken by another one does no harm
        late = await running.ask("PATCH", location, headers | {"If-Match": '"older"'}, body)
        assert late.status == 412
        restarted = await running.ask("PATCH", location, headers | {"If-Match": "*"}, body)
        assert restarted.status == 200
        assert restarted.headers["content-type"].startswith(FRAGMENT["Content-Type"])
        assert restarted.headers["etag"] != first
        theirs = parse_fragment(restarted.body.decode())
        assert theirs.candidates
        before = remote_parameters(parse(answer.body.decode()))
        assert theirs.ufrag != before.ufrag
        transport.start(replace(before, ufrag=theirs.ufrag, pwd=theirs.pwd, candidates=theirs.candidates))
        # the new path is taken: the asking side lets go of the old one
        await until(lambda: transport.ufrags == (ours.ufrag,), 30)
        assert connection.transport.state is TransportState.CONNECTED
        assert connection.transport.srtp_profile == keys
        assert (await running.ask("PATCH", location, headers | {"If-Match": first}, body)).status == 412
        again = await running.ask("PATCH", location, headers | {"If-Match": restarted.headers["etag"]}, body)
        assert again.status == 204
    finally:
        await endpoint.close()


async def test_ice_servers_are_named_to_who_may_come(tmp_path: Path) -> None:
    secret = tmp_path / "turn"
    secret.write_text("a secret of coturn's and ours\n")
    secret.chmod(0o600)
    url = "turns:turn.example.org:443?transport=tcp"
    async with served(tmp_path, turn=TurnConfig(urls=(url,), secret_file=str(secret))) as server:
        answer, _ = await create(server)
        expected = rf'<{re.escape(url)}>; rel="ice-server"; username="\d+:[\w-]+"; credential="[^"]+"; .*'
        assert re.fullmatch(expected, answer.headers["link"])
        asked = await server.ask("OPTIONS", "/whip/ward", server.bearer("surgeon"))
        assert re.fullmatch(expected, asked.headers["link"])
        # a preflight bears no token, and strangers have none
        assert "link" not in (await server.ask("OPTIONS", "/whip/ward")).headers
        refused = await server.ask("OPTIONS", "/whip/ward", server.bearer("surgeon", "other"))
        assert (refused.status, "link" in refused.headers) == (403, False)
