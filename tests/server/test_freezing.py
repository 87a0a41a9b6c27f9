"""A frame is frozen: for whoever asked, then for all; kept exactly, given to nobody else, and drawn on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from loadtests.caller import Caller, Refused, calling
from media.rtp.packet import RtpPacket
from server.demo.clip import SMALL
from tests.helpers.publishing import publishing, small_clip
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until
from tests.helpers.watching_client import WatchingClient
from tests.server.test_marks_over_the_wire import add
from tests.server.watching.test_stills import decode, read_barcode


async def get(server: Served, token: str, name: str, room: str = "ward") -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.get(f"{server.url}/api/stills/{room}/{name}.png") as answer,
    ):
        return answer.status, await answer.read()


async def freeze(caller: Caller, producer: int, timestamp: int, for_all: bool) -> dict[str, Any]:
    # each is decoded in a process of its own, which a busy machine takes its time to start
    asked = {"producer": producer, "rtp_timestamp": timestamp, "for_all": for_all, "label": "Cystic duct"}
    answer: dict[str, Any] = (await caller.request("freeze", patience=60, **asked))["still"]
    return answer


def on_still(producer: int, timestamp: int, mark: str) -> dict[str, Any]:
    operation = add(producer, mark)
    operation["mark"]["anchor"] = {"producer": producer, "rtp_timestamp": timestamp, "still": True}
    return operation


async def test_from_the_glass_to_everybodys_glass(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        tokens = [
            server.token("expert", "Dr. E"),
            server.token("expert", "Dr. F"),
            server.token("trainee", "M. S."),
        ]
        async with (
            calling(server.url, *tokens) as (expert, other, trainee),
            publishing(server, small_clip(), frames=SMALL.frames),
        ):
            client = WatchingClient(expert)
            try:
                await client.answer()
                producer = int(client.offer["consumers"][0]["producer"])
                await until(
                    lambda: len({RtpPacket.parse(data).timestamp for data in client.plane.packets}) > 20, 30
                )
                frames = decode(client.plane.packets)
                timestamp = list(frames)[-3]
                name = f"{producer}-{timestamp}"

                # for oneself: nobody else is told, nobody else gets it
                still = await freeze(expert, producer, timestamp, for_all=False)
                status, png = await get(server, tokens[0], name)
                assert status == 200
                assert (read_barcode(png), still["width"], still["height"]) == frames[timestamp]
                assert still["sm3"] == hashlib.new("sm3", png).hexdigest()
                assert (await get(server, tokens[1], name))[0] == 404
                assert (await get(server, tokens[0], name, room="theatre-2"))[0] == 403
                assert (await get(server, tokens[0], f"{producer}-{timestamp + 1}"))[0] == 404
                with pytest.raises(Refused) as refused:
                    await expert.request("mark", operation=on_still(producer, timestamp, "m-1"))
                assert refused.value.code == "not_found"

                # for all: the same image, by another who names the same frame
                shared = await freeze(other, producer, timestamp, for_all=True)
                assert {**shared, "taken_by": "", "for_all": False} == {**still, "taken_by": ""}
                told = (await trainee.notice("operation"))["operation"]
                assert told == {"kind": "still", "still": shared}
                assert (await get(server, tokens[2], name)) == (200, png)
                await expert.request("mark", operation=on_still(producer, timestamp, "m-1"))

                # who may not draw freezes nothing, and what was never sent cannot be frozen
                for caller, when, code in (
                    (trainee, timestamp, "not_permitted"),
                    (expert, (timestamp + 1) & 0xFFFFFFFF, "no_frame"),
                ):
                    with pytest.raises(Refused) as refused:
                        await freeze(caller, producer, when, for_all=True)
                    assert refused.value.code == code
            finally:
                await client.close()
