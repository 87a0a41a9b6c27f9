"""How old the picture on the glass is, where its sender says that it was captured after it came."""

from __future__ import annotations

import asyncio
import statistics
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

#: What the page says, and the ages of the frames that it showed in the second before, read off their barcodes.
_AGES = """(producer) => {
    const said = document.querySelector(`[data-testid=age-${producer}]`);
    const now = performance.now();
    const shown = window.seen.main.filter(note => note.number !== null && now - note.now < 1000);
    return [said.dataset.source, Number(said.dataset.milliseconds), said.textContent,
        shown.map(note => [(performance.timeOrigin + note.now) / 10, note.number])];
}"""


async def agreed(page: Page, producer: int) -> tuple[str, str]:
    """Give whence the page knows the age, and how it says it, as soon as that agrees with the barcode.

    What is said is of the second before it was said: where a busy machine stood still meanwhile they are of two times.
    """
    said, read = -1.0, -1.0
    try:
        async with asyncio.timeout(PATIENCE / 1000):
            while True:
                source, said, text, shown = await page.evaluate(_AGES, producer)
                if len(shown) > 5:
                    read = statistics.median((at - number) % TURN * 10 for at, number in shown)
                    # the barcode counts hundredths of a second
                    if 0 < said < read + 100:
                        return source, text
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{said} ms are said, {read} ms are read") from None


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
        source, text = await agreed(expert, field)
        assert source == "least"
        assert "sender’s clock not trusted" in text
        await picture(expert, "age-at-least")
        await expert.set_viewport_size({"width": TABLET[0], "height": TABLET[1]})
        await picture(expert, "age-at-least-tablet")
