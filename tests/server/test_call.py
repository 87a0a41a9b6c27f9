"""A call over real sockets: one aiortc peer publishes, another watches, both by the server's own signalling."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from loadtests.caller import Caller, Refused, calling
from tests.helpers.peer import Publisher, Watcher
from tests.helpers.served import served


async def test_a_picture_and_a_voice_reach_who_watches(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        calling(server.url, server.token("expert", "Dr. A"), server.token("trainee", "B")) as (
            expert,
            trainee,
        ),
    ):
        watcher = Watcher(trainee)
        publisher = Publisher(expert)
        try:
            producers = await publisher.publish()
            assert len(producers) == 2
            announced = await trainee.notice("producer")
            assert announced["producer"]["participant"] == expert.identifier
            await watcher.serve_offers(until=2)
            frames = await asyncio.wait_for(watcher.frames("video", 5), 20)
            assert len({frame.pts for frame in frames}) == 5
            samples = await asyncio.wait_for(watcher.frames("audio", 5), 20)
            assert len(samples) == 5
            clock = await trainee.notice("clock")
            assert abs(clock["time"] - server.service.wall_clock() * 1000) < 60_000
        finally:
            await publisher.close()
            await watcher.close()


async def test_who_leaves_takes_its_pictures_along(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        calling(server.url, server.token("expert"), server.token("observer")) as (expert, observer),
    ):
        publisher = Publisher(expert)
        try:
            producers = await publisher.publish()
            await observer.notice("producer")
            await expert.request("leave")
            for _ in producers:
                await observer.notice("producer_removed")
            assert (await observer.notice("participant_left"))["reason"] == "left"
        finally:
            await publisher.close()


async def test_an_observer_may_not_publish(tmp_path: Path) -> None:
    async with served(tmp_path) as server, Caller(server.url, server.token("observer")) as observer:
        with pytest.raises(Refused) as refused:
            await observer.request("publish", sdp="v=0\r\n", sources=[])
        assert refused.value.code == "not_permitted"
