"""Somebody comes late to a consultation and sees what the others see: people, picture, marks, recording."""

from __future__ import annotations

import asyncio
from pathlib import Path

from loadtests.caller import Caller, calling
from tests.helpers.peer import Publisher, Watcher, frame_sent
from tests.helpers.served import served


async def test_a_late_joiner_sees_what_the_others_see(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        calling(server.url, server.token("surgeon", "Dr. S"), server.token("expert", "Dr. E")) as (
            surgeon,
            expert,
        ),
    ):
        publisher = Publisher(surgeon)
        watcher: Watcher | None = None
        try:
            field = (await publisher.publish("field"))[0]["producer"]
            mark = {
                "mark": "m-1",
                "shape": "arrow",
                "anchor": {"producer": field, "rtp_timestamp": await frame_sent(server.service, field)},
                "points": [[0.1, 0.1], [0.2, 0.2]],
                "width": 0.004,
                "text": "",
            }
            await expert.request("mark", operation={"kind": "add", "mark": mark})
            await surgeon.request("record", action="start")
            async with Caller(server.url, server.token("trainee", "Mr. T")) as late:
                welcome = late.welcome
                assert [p["name"] for p in welcome["participants"]] == ["Dr. S", "Dr. E", "Mr. T"]
                assert welcome["producers"][0]["producer"] == field
                assert welcome["marks"]["operations"][0]["author"] == expert.identifier
                assert welcome["recording"]["by"] == "Dr. S"
                watcher = Watcher(late)
                await watcher.serve_offers(until=2)
                frames = await asyncio.wait_for(watcher.frames("video", 3), 20)
                assert len({frame.pts for frame in frames}) == 3
                # the clock that was told before it came is told to it, so that it knows the picture's age
                assert (await late.notice("clock"))["producer"] == field
        finally:
            await publisher.close()
            if watcher is not None:
                await watcher.close()
