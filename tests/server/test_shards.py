"""A server with two packet threads: each room is in one, and everything goes on as with one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from loadtests.caller import calling
from tests.helpers.peer import Publisher, Watcher
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until


async def watch_a_call(server: Served, room: str) -> None:
    """Publish and watch until frames have come, then leave."""
    tokens = server.token("expert", "Dr. A", room), server.token("trainee", "B", room)
    async with calling(server.url, *tokens) as (expert, trainee):
        publisher, watcher = Publisher(expert), Watcher(trainee)
        try:
            await publisher.publish()
            await watcher.serve_offers(until=2)
            assert len(await asyncio.wait_for(watcher.frames("video", 3), 30)) == 3
            assert len(await asyncio.wait_for(watcher.frames("audio", 3), 30)) == 3
        finally:
            await publisher.close()
            await watcher.close()


async def test_rooms_are_dealt_to_the_threads_and_both_do_their_work(tmp_path: Path) -> None:
    async with served(tmp_path, threads=2) as server:
        rooms = [server.service.room(name) for name in ("ward", "theatre")]
        assert [room.shard for room in rooms] == [0, 1]
        await asyncio.gather(watch_a_call(server, "ward"), watch_a_call(server, "theatre"))
        for shard in ("0", "1"):
            assert await server.metric("konsil_packets_in_total", shard=shard) > 0
            assert await server.metric("konsil_packets_out_total", shard=shard) > 0
        total = await server.metric("konsil_packets_out_total")
        assert total == server.service.plane.statistics().packets_out
        assert (await server.ask("GET", "/healthz")).json()["threads"] == 2
        # who leaves is gone from its thread
        await until(lambda: not server.service.rooms, 30)
        await until(lambda: server.service.plane.live_objects()[:3] == (0, 0, 0), 30)
