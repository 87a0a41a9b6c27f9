"""The line test's side of the server: a real echo over the media port, and bounds that cannot be talked away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

from server.line_test import ALL_BURST, ALL_RATE, LINK_BURST, MOST_ECHOED, MOST_OF_LINK, PATH, PIECE
from signalling.rate import TokenBucket
from tests.helpers.peer import connection
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


async def offer_of(peer: RTCPeerConnection) -> bytes:
    await peer.setLocalDescription(await peer.createOffer())
    return json.dumps({"sdp": peer.localDescription.sdp}).encode()


async def test_what_is_said_on_the_channel_comes_back(running: Served) -> None:
    peer = connection()
    channel = peer.createDataChannel("echo", ordered=False, maxRetransmits=0)
    heard: list[object] = []
    channel.on("message", heard.append)
    try:
        answered = await running.ask("POST", PATH, running.bearer("trainee"), await offer_of(peer))
        assert answered.status == 200
        answer = RTCSessionDescription(answered.json()["sdp"], "answer")
        assert "a=ice-lite" in answer.sdp
        await peer.setRemoteDescription(answer)
        await until(lambda: channel.readyState == "open", 20)
        # too much is dropped and not answered
        channel.send("x" * (MOST_ECHOED + 1))
        channel.send("17")
        await until(lambda: heard, 20)
        assert heard == ["17"]
    finally:
        await peer.close()


async def test_nobody_tests_without_a_link(running: Served) -> None:
    for method, target in (
        ("GET", PATH),
        ("POST", PATH),
        ("GET", PATH + "/bytes"),
        ("POST", PATH + "/bytes"),
    ):
        assert (await running.ask(method, target)).status == 401


async def test_a_line_test_is_a_data_channel_and_nothing_else(running: Served) -> None:
    peer = connection()
    peer.addTransceiver("audio", direction="sendonly")
    try:
        offer = await offer_of(peer)
    finally:
        await peer.close()
    for body in (offer, b"{", b"[]", b'{"sdp":7}', b'{"sdp":"v=0"}', b'{"sdp":"' + b"x" * 200_000 + b'"}'):
        answered = await running.ask("POST", PATH, running.bearer("expert"), body)
        assert answered.status == 400
        assert answered.json()["message"].endswith(".")
    await until(lambda: not running.service.endpoint._transports)


async def test_one_link_opens_few_sessions(running: Served) -> None:
    bearer = running.bearer("expert")
    peers = [connection() for _ in range(MOST_OF_LINK + 1)]
    try:
        statuses = []
        for peer in peers:
            peer.createDataChannel("echo")
            statuses.append((await running.ask("POST", PATH, bearer, await offer_of(peer))).status)
        assert statuses == [200] * MOST_OF_LINK + [429]
        # another link is not to blame
        other = connection()
        peers.append(other)
        other.createDataChannel("echo")
        again = await running.ask("POST", PATH, running.bearer("trainee"), await offer_of(other))
        assert again.status == 200
    finally:
        await asyncio.gather(*(peer.close() for peer in peers))


async def test_a_session_ends_by_itself(running: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.line_test.LIFETIME", 0.5)
    peer = connection()
    peer.createDataChannel("echo")
    try:
        answered = await running.ask("POST", PATH, running.bearer("trainee"), await offer_of(peer))
        assert answered.status == 200
        assert len(running.service.endpoint._transports) == 1
        await until(lambda: not running.service.endpoint._transports, 20)
    finally:
        await peer.close()


async def test_bytes_go_both_ways_within_a_budget(running: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.line_test.LINK_BURST", 2.0 * PIECE)
    monkeypatch.setattr("server.line_test.LINK_RATE", 1.0)
    bearer = running.bearer("expert")
    down = await running.ask("GET", PATH + "/bytes", bearer)
    assert (down.status, len(down.body)) == (200, PIECE)
    assert down.headers["cache-control"] == "no-store"
    assert (await running.ask("POST", PATH + "/bytes", bearer, bytes(PIECE))).status == 204
    assert (await running.ask("POST", PATH + "/bytes", bearer, bytes(PIECE + 1))).status == 413
    # each direction has its own
    assert (await running.ask("GET", PATH + "/bytes", bearer)).status == 200
    spent = await running.ask("GET", PATH + "/bytes", bearer)
    assert (await running.ask("POST", PATH + "/bytes", bearer, bytes(PIECE))).status == 429
    assert spent.status == 429
    assert spent.headers["retry-after"] == "60"
    assert (await running.ask("GET", PATH + "/bytes", running.bearer("trainee"))).status == 200


def test_the_budget_of_all_bounds_many_links() -> None:
    # a link's burst fits five times into that of all, so the sixth waits whatever its own budget says

    bucket = TokenBucket(ALL_RATE, ALL_BURST, 0.0)
    assert [bucket.take(0.0, LINK_BURST) for _ in range(6)] == [True] * 5 + [False]
