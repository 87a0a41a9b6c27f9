"""Sixteen people in one room: four in real Chromium, twelve native clients (two cores paint for no more browsers).

All are sent the picture, and all see one mark on one frame.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from loadtests.probe_endpoint import ProbePump
from loadtests.room import Expert, add_expert
from loadtests.server_process import ServerUnderLoad
from tests.browser.chromium import DESKTOP, TABLET, browser, join, person, picture, until
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOM = "loadtest"
NATIVE = 12


async def test_sixteen_people_see_one_mark(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        surgeon = await person(chromium, server.link("surgeon", "Dr. Zhang Wei", ROOM), DESKTOP)
        await join(surgeon, media=True)
        pages = [surgeon]
        for name, size, language in (
            ("Prof. Keller", DESKTOP, "en-GB"),
            ("李娜医生", TABLET, "zh-CN"),
            ("Dr. Okafor", TABLET, "en-GB"),
        ):
            page = await person(chromium, server.link("expert", name, ROOM), size, language)
            await join(page, media=False)
            pages.append(page)
        pump = ProbePump()
        try:
            experts = await _fill(ServerUnderLoad(server.url, server.service.secret, None), pump)
            producer = await until(pages[1], "k.producers.find(p => p.kind === 'video')?.producer")
            for page in pages[1:]:
                await until(page, f"k.frames[{producer}]?.frames > 5")
            assert await until(surgeon, "k.participants.length === 16 && 16") == 16
            marks: list[asyncio.Future[dict[str, Any]]] = [_next_mark(expert) for expert in experts]

            box = await pages[1].get_by_test_id(f"overlay-{producer}").first.bounding_box()
            assert box is not None
            await pages[1].keyboard.press("3")
            await pages[1].mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
            await pages[1].mouse.down()
            await pages[1].mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.6, steps=6)
            await pages[1].mouse.up()
            drawn = [await until(page, f"k.marksDrawnOn({producer})[0]?.rtp_timestamp") for page in pages]
            told = [await asyncio.wait_for(mark, 10) for mark in marks]
            assert {mark["anchor"]["rtp_timestamp"] for mark in told} == set(drawn)
            assert len(set(drawn)) == 1
            # everybody's packets came, and none was missing
            for expert in experts:
                streams = pump.probe.statistics(expert.socket.index).streams
                assert sum(stream.packets for stream in streams) > 0
            await pages[2].get_by_test_id("participants-button").click()
            await picture(pages[2], "sixteen-tablet-zh")
            await picture(surgeon, "sixteen-surgeon-desktop")
        finally:
            await pump.close()


async def _fill(server: ServerUnderLoad, pump: ProbePump) -> list[Expert]:
    # a picture and a voice each
    return [await add_expert(server, pump, number, 2) for number in range(NATIVE)]


def _next_mark(expert: Expert) -> asyncio.Future[dict[str, Any]]:
    future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def on_notice(message: dict[str, Any]) -> None:
        if message["type"] == "operation" and not future.done():
            future.set_result(message["operation"]["mark"])

    expert.caller.on_notice = on_notice
    return future
