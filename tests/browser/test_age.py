"""How old the picture on the glass is, where its sender says that it was captured after it came."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from loadtests.caller import Caller
from tests.browser import barcodes
from tests.browser.chromium import PATIENCE, TABLET, browser, join, person, picture, until
from tests.helpers.served import served
from tests.helpers.udp_peers import until as until_there
from tests.helpers.whip_encoder import TURN
from tests.server.test_whip import encoding

pytestmark = [pytest.mark.browser]

#: What the page says; and of each frame that it showed in the three seconds before, until when, and its barcode.
#: What is said is a median of a second, up to a quarter of one old.
_AGES = """(producer) => {
    const said = document.querySelector(`[data-testid=age-${producer}]`);
    const now = performance.now();
    const shown = window.seen.main.map(({number}, at, all) => [all[at + 1]?.now ?? now, number])
        .filter(([left, number]) => number !== null && now - left < 3000);
    return [said.dataset.source, Number(said.dataset.milliseconds), said.textContent,
        shown.map(([left, number]) => [(performance.timeOrigin + left) / 10, number])];
}"""


async def said_and_read(page: Page, producer: int) -> tuple[str, float, str, float]:
    """Give what the page says of the age (ms), and how old any picture was on its glass, by their barcodes."""
    async with asyncio.timeout(PATIENCE / 1000):
        while True:
            source, said, text, shown = await page.evaluate(_AGES, producer)
            if len(shown) > 5:
                return source, said, text, max((left - number) % TURN * 10 for left, number in shown)
            await asyncio.sleep(0.2)


async def test_a_picture_is_at_least_as_old_as_since_it_came_and_never_less(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        Caller(server.url, server.token("trainee")),
        encoding(f"{server.url}/whip/ward", server.token("surgeon", "Endoscope"), tmp_path, "clock", "early"),
        browser() as chromium,
    ):
        (conductor,) = server.service.rooms.values()
        await until_there(lambda: len(conductor.room.producers) == 2, 60)
        expert = await person(chromium, server.link("expert", "Prof. Keller"))
        await join(expert, media=False)
        field = await until(expert, "k.producers.find(p => p.kind === 'video')?.producer")
        await barcodes.watch(expert, "[data-testid=main-picture] video")
        await until(expert, f"k.frames[{field}].frames > 50")
        # the page says it a moment after it knows it
        await expect(expert.get_by_test_id(f"age-{field}")).to_have_attribute(
            "data-source", "least", timeout=PATIENCE
        )
        source, said, text, oldest = await said_and_read(expert, field)
        # "at least": never more than the oldest was, where a busy machine stood still, too; barcodes count hundredths
        assert (source, 0 < said < oldest + 20) == ("least", True), (said, oldest)
        assert "sender’s clock not trusted" in text
        await picture(expert, "age-at-least")
        await expert.set_viewport_size({"width": TABLET[0], "height": TABLET[1]})
        await picture(expert, "age-at-least-tablet")
