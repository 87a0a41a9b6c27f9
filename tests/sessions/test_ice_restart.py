"""Somebody's network changes and ICE is restarted: nothing is built anew, nothing is missed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from loadtests.caller import calling
from media.rtp.packet import RtpPacket
from media.sdp import parse, remote_parameters
from tests.helpers.peer import Publisher
from tests.helpers.served import Served, served
from tests.helpers.watching_client import WatchingClient


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[tuple[Served, WatchingClient]]:
    """Show an expert, over our own transports, what a surgeon sends."""
    async with (
        served(folder) as server,
        calling(server.url, server.token("surgeon"), server.token("expert", "Dr. E")) as (surgeon, expert),
    ):
        publisher, client = Publisher(surgeon), WatchingClient(expert)
        try:
            await publisher.publish("field")
            await client.answer(consumers=2)
            await client.receive(30)
            yield server, client
        finally:
            await publisher.close()
            await client.close()


def video_numbers(client: WatchingClient) -> list[int]:
    """Give the sequence numbers of the stream that had most packets, sorted, without repeats."""
    packets = [RtpPacket.parse(packet) for packet in client.plane.packets]
    busiest = max(client.ssrcs, key=lambda ssrc: sum(p.ssrc == ssrc for p in packets))
    return sorted({p.sequence_number for p in packets if p.ssrc == busiest})


async def test_a_restart_keeps_streams_keys_and_every_packet(tmp_path: Path) -> None:
    async with watching(tmp_path) as (_, client):
        first = client.offer
        ssrcs, transport = client.ssrcs, client.transport
        offer = await client.restart_ice()
        # the same connection with other credentials
        assert offer["connection"] == first["connection"]
        before, after = (remote_parameters(parse(each["sdp"])) for each in (first, offer))
        assert (before.ufrag, before.pwd) != (after.ufrag, after.pwd)
        assert before.fingerprints == after.fingerprints
        assert before.connection == after.connection
        assert [c["consumer"] for c in offer["consumers"]] == [c["consumer"] for c in first["consumers"]]
        await client.receive(30)
        # the client has changed over, and nothing was built anew or lost
        assert client.transport is transport
        assert len(transport.ufrags) == 1
        assert client.ssrcs == ssrcs
        numbers = video_numbers(client)
        assert numbers == list(range(numbers[0], numbers[-1] + 1))


async def test_an_unanswered_restart_gives_way_to_the_next_and_media_never_stop(tmp_path: Path) -> None:
    async with watching(tmp_path) as (_, client):
        for _ in range(3):
            await client.caller.request("restart_ice")
            await client.caller.notice("offer")
            await client.receive(10)
        await client.restart_ice()
        await client.receive(20)
        assert len(client.transport.ufrags) == 1


async def test_many_restarts_leave_nothing_behind(tmp_path: Path) -> None:
    async with watching(tmp_path) as (server, client):
        for _ in range(20):
            await client.restart_ice()
        await client.receive(10)
        names = server.service.endpoint._by_ufrag
        assert len(names) <= 2 * len(server.service.endpoint._transports)
