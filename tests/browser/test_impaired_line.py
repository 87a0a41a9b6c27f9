"""An expert in Chromium at the end of a line that loses 2 % both ways: the picture goes on, by repeats."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests import line_pages
from loadtests.impaired_line import impaired
from tests.browser.chromium import browser, join, person, until
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LOSS = {"loss": 0.02, "delay": 0.01}

#: Frames that must come.
FRAMES = 150


async def test_the_picture_goes_on_at_two_percent_loss(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        browser() as chromium,
        impaired(("127.0.0.1", server.service.plane.address.port)) as line,
    ):
        surgeon = await person(chromium, server.link("surgeon", "Dr. Zhang Wei"), (800, 600))
        await join(surgeon, media=True)
        await line.change(LOSS, LOSS)
        expert = await line_pages.watch(chromium, server.link("expert", "Prof. Keller"), line.port)
        first = await line_pages.first_picture(expert)
        reading = await line_pages.picture_until(
            expert, lambda now: now.decoded >= first.decoded + FRAMES and now.repeated > 0
        )
        # the line did lose, the browser asked, and what it asked for came
        assert (await line.change())["down"]["lost"] > 0
        assert reading.nacks > 0
        producer = await until(expert, "k.producers.find(p => p.kind === 'video').producer")
        assert await until(expert, f"k.frames[{producer}].frozen === false")
