"""A recording in the room, in real browsers: all see the same frame after each seek, and none takes it for live."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from loadtests import line_pages
from loadtests.impaired_line import impaired
from tests.browser.barcodes import READ_PICTURE
from tests.browser.chromium import TABLET, browser, join, person, picture
from tests.helpers.journals import RECORDING
from tests.helpers.numbered import numbered_recording
from tests.helpers.served import served

pytestmark = [pytest.mark.browser]

BEGIN, STEP = 0.1, 1 / 30
VIDEO = '[data-testid="main-picture"] video'


def number_at(position: float) -> int:
    return int((position - BEGIN) / STEP + 1e-6)


#: A line that loses a packet of twenty and takes its time, each way.
BAD = {"loss": 0.05, "delay": 0.1}

#: Waits until the large picture bears a number, or, `since`, one that comes later.
SHOWS = f"""(number, since = false) => new Promise(done => {{
    const read = {READ_PICTURE};
    const timer = setInterval(() => {{
        const video = document.querySelector('{VIDEO}');
        if (video === null || video.videoWidth === 0) return;
        createImageBitmap(video).then(read).then(found => {{
            if (found !== number && !(since && found > number)) return;
            clearInterval(timer);
            done();
        }}, () => undefined);
    }}, 100);
}})"""


async def shows(page: Page, number: int) -> None:
    """Wait until a frame is on the glass, and said to be the wanted one."""
    plate = page.get_by_test_id("main-picture").locator('[data-testid^="recorded-"]')
    await expect(plate).to_have_attribute("data-seeking", "false", timeout=30_000)
    async with asyncio.timeout(30):
        await page.evaluate(SHOWS, number)


async def standing(page: Page) -> float:
    bar = page.get_by_test_id("theatre-bar")
    await expect(bar).to_have_attribute("data-state", "paused", timeout=30_000)
    return float(await bar.get_attribute("data-position") or "nan")


async def test_all_see_the_same_frame_of_a_recording_and_that_it_is_one(tmp_path: Path) -> None:
    numbered_recording(tmp_path / "recordings" / RECORDING, count=240, height=480)
    async with (
        served(tmp_path, tcp_port=-1) as server,
        browser() as chromium,
        impaired(("127.0.0.1", server.service.plane.address.port)) as line,
    ):
        surgeon = await person(chromium, server.link("surgeon", "Dr. Weber", room="demo"))
        expert = await person(chromium, server.link("expert", "Dr. Li", room="demo"), TABLET, "zh-CN")
        await join(surgeon, media=False)
        await join(expert, media=False)
        await expect(expert.get_by_test_id("theatre-button")).to_have_count(0)
        await surgeon.get_by_test_id("theatre-button").click()
        await surgeon.get_by_test_id(f"show-{RECORDING}").click()
        await expect(surgeon.get_by_test_id("theatre-list")).to_have_count(0)
        await standing(expert)
        # who seeks seeks for all
        await surgeon.get_by_test_id("theatre-seek").fill("1.55")
        await shows(surgeon, number_at(1.55))
        await shows(expert, number_at(1.55))
        await expect(expert.get_by_test_id("theatre-by")).to_contain_text("Dr. Weber")
        await picture(surgeon, "theatre")
        await picture(expert, "theatre-tablet")
        # it is said to be a recording, has no age, and stands still without alarm
        for page in (surgeon, expert):
            main = page.get_by_test_id("main-picture")
            await expect(main.locator('[data-testid^="mode-"]')).to_have_attribute("data-mode", "replay")
            await expect(main.locator('[data-testid^="age-"]')).to_have_count(0)
            await expect(main.locator('[data-testid^="frozen-"]')).to_have_count(0)
        # as a tile and large again it is still there, though nothing is sent
        await expert.get_by_test_id("stage-board").click()
        await expect(expert.get_by_test_id("main-picture")).to_have_count(0)
        await expert.get_by_test_id("stage-field").click()
        await shows(expert, number_at(1.55))
        # played by the keyboard, paused by another
        await surgeon.get_by_test_id("theatre-seek").press("ArrowLeft")
        await shows(expert, number_at(0.55))
        await surgeon.keyboard.press("Space")
        await expect(expert.get_by_test_id("theatre-bar")).to_have_attribute("data-state", "playing")
        await expert.get_by_test_id("theatre-play").click()
        number = number_at(await standing(surgeon))
        assert number > number_at(0.55)
        await shows(surgeon, number)
        await shows(expert, number)
        # who comes later sees the very frame, over a bad line too, and may not move it
        await line.change(BAD, BAD)
        link = server.link("trainee", "Ms. Ito", room="demo")
        trainee = await person(chromium, link, before=line_pages.detour(line.port))
        await join(trainee, media=True)
        await shows(trainee, number)
        await shows(surgeon, number)
        await expect(trainee.get_by_test_id("theatre-play")).to_have_count(0)
        # each seek brings all to the frame, and so does a pause after playing
        for wanted in ("4.45", "0.85", "2.25"):
            await surgeon.get_by_test_id("theatre-seek").fill(wanted)
            for page in (trainee, surgeon, expert):
                await shows(page, number_at(float(wanted)))
        await expert.get_by_test_id("theatre-play").click()
        await expect(trainee.get_by_test_id("theatre-bar")).to_have_attribute("data-state", "playing")
        await asyncio.wait_for(trainee.evaluate(f"({SHOWS})({number_at(2.25) + 40}, true)"), 30)
        await expert.get_by_test_id("theatre-play").click()
        number = number_at(await standing(surgeon))
        for page in (trainee, surgeon, expert):
            await shows(page, number)
        counted = await line.change()
        assert counted["down"]["lost"] > 0
        assert counted["up"]["lost"] > 0
        await surgeon.get_by_test_id("theatre-close").click()
        await expect(trainee.get_by_test_id("theatre-bar")).to_have_count(0)
        await expect(trainee.get_by_test_id("no-field")).to_have_count(1)
