"""A description that is wrong is refused in a sentence; what lies in a right one harms only its sender."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiortc import RTCSessionDescription
from aiortc.mediastreams import VideoStreamTrack

from loadtests.caller import Caller, Refused, calling
from media.transport.transport import TransportState
from tests.helpers.peer import Publisher, Watcher, connection
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until

from .changed_sdp import changed
from .offers import good_offer


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


def without(sdp: str, pattern: str) -> str:
    return re.sub(rf"(?m)^{pattern}.*\r?\n", "", sdp)


async def refused_with(caller: Caller, sdp: str) -> str:
    with pytest.raises(Refused) as refused:
        await caller.request("publish", sdp=sdp, sources=[])
    assert (await caller.request("ping", time=1.0))["type"] == "pong"
    return str(refused.value.code)


@pytest.mark.parametrize(
    "what",
    [
        "garbage",
        "v=0\r\n",
        "\r\n" * 1000,
        "v=0\r\no=- 1 1 IN IP4 0\r\ns=-\r\nt=0 0\r\n",
        "m=" * 60_000,
        "a" * 131_072,
        "v=0\r\n" + "a=x\r\n" * 20_000,
    ],
)
async def test_what_is_no_offer_is_refused(running: Served, what: str) -> None:
    async with Caller(running.url, running.token("expert")) as caller:
        assert await refused_with(caller, what) == "bad_sdp"


@pytest.mark.parametrize("length", [0, 131_073])
async def test_an_offer_beyond_the_limits_is_refused_as_a_message(running: Served, length: int) -> None:
    async with Caller(running.url, running.token("expert")) as caller:
        assert await refused_with(caller, "x" * length) == "bad_message"


@pytest.mark.parametrize("missing", ["a=fingerprint", "a=ice-ufrag", "a=ice-pwd", "m="])
async def test_an_offer_without_what_it_needs_is_refused(running: Served, missing: str) -> None:
    offer = without(await good_offer(), missing)
    async with Caller(running.url, running.token("expert")) as caller:
        assert await refused_with(caller, offer) == "bad_sdp"
        (conductor,) = running.service.rooms.values()
        assert conductor.room.producers == ()
        assert conductor.router.producers == {}


async def test_one_ssrc_for_two_streams_is_refused(running: Served) -> None:
    offer = re.sub(r"(?m)^a=ssrc:\d+", "a=ssrc:4711", without(await good_offer(), "a=ssrc-group"))
    async with Caller(running.url, running.token("expert")) as caller:
        assert await refused_with(caller, offer) == "bad_sdp"
        (conductor,) = running.service.rooms.values()
        assert conductor.room.producers == ()
        assert conductor.router.producers == {}
        # and the next offer is as good as the first
        publisher = Publisher(caller)
        assert len(await publisher.publish()) == 2
        await publisher.close()


async def test_offers_with_lines_changed_at_random_never_end_the_connection(running: Served) -> None:
    chance = random.Random(1795)
    lines = (await good_offer()).splitlines()
    async with Caller(running.url, running.token("expert")) as caller:
        for _ in range(150):
            try:
                await caller.request("publish", sdp=changed(lines, chance), sources=[])
            except Refused as refused:
                if refused.code == "connection_gone":
                    # the streams of the one before could not be received together: that ended its connection
                    lines = (await good_offer()).splitlines()
                elif refused.code != "bad_sdp":
                    raise
        assert (await caller.request("ping", time=1.0))["type"] == "pong"
        (conductor,) = running.service.rooms.values()
        assert {p.producer for p in conductor.room.producers} == set(conductor.router.producers)


async def test_answers_that_are_wrong_leave_the_offer_open(running: Served) -> None:
    async with calling(running.url, running.token("expert"), running.token("trainee")) as (expert, trainee):
        publisher, watcher = Publisher(expert), Watcher(trainee)
        try:
            await publisher.publish()
            offer = await trainee.notice("offer")
            for answer in (
                "garbage",
                "v=0\r\n",
                "m=" * 1000,
                offer["sdp"].replace("a=fingerprint", "a=nothing"),
            ):
                with pytest.raises(Refused) as refused:
                    await trainee.request("answer", revision=offer["revision"], sdp=answer)
                assert refused.value.code == "bad_sdp"
            await watcher.peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
            await watcher.peer.setLocalDescription(await watcher.peer.createAnswer())
            await trainee.request("answer", revision=offer["revision"], sdp=watcher.peer.localDescription.sdp)
            await asyncio.wait_for(watcher.frames("video", 3), 20)
        finally:
            await publisher.close()
            await watcher.close()


async def test_a_certificate_that_was_not_announced_sends_nothing(running: Served) -> None:
    """Pion's CVE-2021-28681: usable after the fingerprint did not match."""
    tokens = running.token("expert"), running.token("expert", "Dr. B"), running.token("trainee")
    async with calling(running.url, *tokens) as (liar, honest, trainee):
        publisher, watcher = Publisher(honest), Watcher(trainee)
        lying = connection()
        try:
            await publisher.publish()
            await watcher.serve_offers(until=2)
            await asyncio.wait_for(watcher.frames("video", 2), 20)
            lying.addTrack(VideoStreamTrack())
            await lying.setLocalDescription(await lying.createOffer())
            forged = re.sub(
                r"(?m)(a=fingerprint:sha-\d+ )[0-9A-F]{2}", r"\g<1>00", lying.localDescription.sdp
            )
            forged = re.sub(r"(?m)(a=fingerprint:sha-\d+ 00:)[0-9A-F]{2}", r"\g<1>00", forged)
            assert forged != lying.localDescription.sdp
            reply = await liar.request("publish", sdp=forged, sources=[])
            (producer,) = [p["producer"] for p in reply["producers"]]
            await trainee.notice("producer")
            (conductor,) = running.service.rooms.values()
            transport = conductor.members[liar.identifier].publication._transport  # type: ignore[index]
            assert transport is not None
            await lying.setRemoteDescription(RTCSessionDescription(reply["sdp"], "answer"))
            while not (told := (await trainee.notice("producer"))["producer"])["interrupted"]:
                pass
            assert told["producer"] == producer
            assert transport.state is TransportState.FAILED
            assert transport.srtp_profile == ""
            await asyncio.wait_for(watcher.frames("video", 3), 20)
            # its owner stays, and may publish anew
            again = Publisher(liar)
            assert len(await again.publish()) == 2
            await again.close()
        finally:
            await lying.close()
            await publisher.close()
            await watcher.close()


async def test_a_publishing_connection_is_replaced_by_new_credentials(running: Served) -> None:
    async with Caller(running.url, running.token("expert")) as caller:
        first, second = Publisher(caller), Publisher(caller)
        try:
            before = await first.publish()
            await until(lambda: first.peer.connectionState == "connected")
            after = await second.publish()
            assert [p["producer"] for p in before] == [p["producer"] for p in after]
            (conductor,) = running.service.rooms.values()
            assert [(p.producer, p.interrupted) for p in conductor.room.producers] == [
                (p["producer"], False) for p in after
            ]
            await until(lambda: first.peer.connectionState in ("closed", "failed"))
        finally:
            await first.close()
            await second.close()
