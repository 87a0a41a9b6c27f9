"""The room's picture over HTTP, with sound: in Chromium's own player of HLS, and on the page of who looks on."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from loadtests.caller import Caller
from server.conductor import Conductor
from tests.browser import barcodes
from tests.browser.chromium import PATIENCE, browser, person
from tests.helpers.served import served
from tests.helpers.udp_peers import until
from tests.helpers.whip_encoder import TURN, clock_now
from tests.server.test_whip import encoding

pytestmark = [pytest.mark.browser]

_OWN = """async ([token, address]) => {
    await fetch("/api/live", { method: "POST", headers: { Authorization: token } });
    const video = document.createElement("video");
    document.body.replaceChildren(video);
    video.muted = true;
    video.src = address;
    window.failed = null;
    video.addEventListener("error", () => { window.failed = video.error.message; });
    video.play().catch(() => undefined);
}"""

_LATE = """() => [
    Number(document.querySelector("[data-testid=watch-late]").dataset.seconds),
    window.seen.page.findLast(({ number }) => number !== null).number,
]"""


async def field_of(conductor: Conductor) -> int:
    """Wait until the encoder sends its picture and its sound; the picture's number."""
    await until(lambda: len(conductor.room.producers) == 2, 60)
    return int(next(one.producer for one in conductor.room.producers if one.source == "field"))


async def numbers(page: Page, name: str, seconds: float) -> list[int]:
    """Wait until a picture was seen for so long; the numbers that were read off it."""
    async with asyncio.timeout(PATIENCE / 1000):
        while True:
            assert await page.evaluate("window.failed ?? null") is None
            found = [note["number"] for note in await barcodes.seen(page, name)]
            read = [number for number in found if number is not None]
            if read and (read[-1] - read[0]) % TURN >= seconds * 100:
                return read
            await asyncio.sleep(0.2)


async def test_a_live_picture_goes_on_in_chromiums_own_player_and_on_the_page_for_looking_on(
    tmp_path: Path,
) -> None:
    async with (
        served(tmp_path) as server,
        Caller(server.url, server.token("trainee")),
        encoding(f"{server.url}/whip/ward", server.token("surgeon", "Endoscope"), tmp_path, "clock"),
        browser() as chromium,
    ):
        (conductor,) = server.service.rooms.values()
        field = await field_of(conductor)
        page = await chromium.new_page()
        page.set_default_timeout(PATIENCE)
        # any page of this origin will do
        await page.goto(server.url.replace("127.0.0.1", "localhost") + "/healthz")
        token = server.bearer("trainee")["Authorization"]
        await page.evaluate(_OWN, [token, f"/api/live/ward/{field}/index.m3u8"])
        await barcodes.watch(page, "video", "own")
        # longer than what the first playlist lists: it came for more
        read = await numbers(page, "own", 7.0)
        # pictures follow each other: never one from before
        assert all((after - before) % TURN < TURN // 2 for before, after in pairwise(read))
        assert len(read) > 20

        # a trainee opens his link, and looks on; how late that is the page says of what the camera saw
        looking = await person(chromium, server.link("trainee", "Trainee", page="watch"))
        await looking.get_by_test_id("watch-start").click()
        await looking.get_by_test_id("watch-video").wait_for(state="attached")
        await barcodes.watch(looking, "video", "page")
        read = await numbers(looking, "page", 3.0)
        assert all((after - before) % TURN < TURN // 2 for before, after in pairwise(read))
        said = looking.get_by_test_id("watch-late")
        await expect(said).to_have_attribute("data-seconds", re.compile(r"\d"), timeout=PATIENCE)
        # within the second at which it is told anew, and what a barcode is noted later than it is shown
        told, shown = await looking.evaluate(_LATE)
        assert abs(told - ((clock_now() - shown) % TURN) / 100) < 1.5, (told, shown, clock_now())
        # sound is on: the link was opened by a touch
        assert await looking.get_by_test_id("watch-sound").get_attribute("aria-pressed") == "true"
        # whoever leaves is not in the room, and has no picture any more
        members = len(conductor.room.participants)
        await looking.get_by_test_id("watch-leave").click()
        await until(lambda: len(conductor.room.participants) == members - 1, 30)
