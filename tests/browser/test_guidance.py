"""Guidance in Chromium: marks on the very frame for everybody, an instruction and its answer, a frozen frame, the pen.

The camera bears a barcode: each picture says itself which captured frame it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.accessibility import grave_findings
from tests.browser.barcodes import LOOP, READ_PICTURE, seen, watch, write_camera
from tests.browser.chromium import PATIENCE, browser, join, person, picture, probe, until
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: RTP ticks from one captured frame to the next: 20 a second.
PERIOD = 4500
MAIN = "[data-testid=main-picture] video"
#: Notes which frame was on the glass when the pen went down.
_NOTE_PEN = """producer => {
    window.pens = [];
    document.querySelector(`[data-testid=overlay-${producer}]`).addEventListener('pointerdown', () => {
        window.pens.push(window.seen.main.at(-1));
    }, true);
}"""


@dataclass(slots=True)
class Theatre:
    """A surgeon who shows a field, and two experts who watch it."""

    surgeon: Page
    expert: Page
    other: Page
    field: int


@pytest.fixture
async def theatre(tmp_path: Path) -> AsyncIterator[Theatre]:
    camera = write_camera(tmp_path / "camera.y4m", width=1024, height=576)
    async with (
        served(tmp_path) as server,
        browser(f"--use-file-for-fake-video-capture={camera}") as chromium,
    ):
        surgeon = await person(chromium, server.link("surgeon", "Dr. Zhang Wei"), (1180, 820))
        await join(surgeon, media=False)
        await surgeon.get_by_test_id("share-field").click()
        await surgeon.get_by_test_id("field-device-0").click()
        experts = []
        for name in ("Prof. Keller", "Dr. Okafor"):
            page = await person(chromium, server.link("expert", name), (1024, 700))
            await join(page, media=False)
            experts.append(page)
        field = await until(experts[0], "k.producers.find(p => p.source === 'field')?.producer")
        for page in experts:
            await until(page, f"k.frames[{field}]?.frames > 5")
            await watch(page, MAIN)
        yield Theatre(surgeon, experts[0], experts[1], field)


async def numbers(page: Page) -> dict[int, int]:
    """Which captured frame each RTP timestamp showed at this page."""
    return {f["rtpTimestamp"]: f["number"] for f in await seen(page) if f["number"] is not None}


async def draw(page: Page, overlay: str) -> None:
    box = await page.get_by_test_id(f"overlay-{overlay}").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.4
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + box["width"] * 0.2, y + 40, steps=4)
    await page.mouse.up()


async def number_at(page: Page, timestamp: int) -> tuple[int, bool]:
    """Say which captured frame a timestamp names by what a page's pictures bear; False: by those around it."""
    async with asyncio.timeout(PATIENCE / 1000):
        while True:
            known = await numbers(page)
            if timestamp in known:
                return known[timestamp], True
            # a busy page leaves frames out: those within 5 s say which it was, since the camera counts evenly
            before = [t for t in known if 0 < (timestamp - t) % (1 << 32) < 450_000]
            after = [t for t in known if 0 < (t - timestamp) % (1 << 32) < 450_000]
            if before and after:
                near = min(before, key=lambda t: (timestamp - t) % (1 << 32))
                return (known[near] + round((timestamp - near) % (1 << 32) / PERIOD)) % LOOP, False
            await asyncio.sleep(0.1)


def apart(one: int, other: int) -> int:
    """Count the frames between two numbers of the camera's loop."""
    return min((one - other) % LOOP, (other - one) % LOOP)


async def test_from_a_mark_to_a_frozen_frame(theatre: Theatre) -> None:
    surgeon, expert, other, field = theatre.surgeon, theatre.expert, theatre.other, theatre.field

    # a mark: the frame that was under the pen, for both, by what the picture itself says
    await expert.evaluate(_NOTE_PEN, field)
    for count in range(1, 4):
        await draw(expert, str(field))
        await until(expert, f"k.marks.length === {count} && k.marks.every(m => m.sequence !== null)")
    await until(other, f"k.marksDrawnOn({field}).length === 3")
    drawn = await probe(expert, f"k.marksDrawnOn({field})")
    assert {m["mark"]: m["rtp_timestamp"] for m in drawn} == {
        m["mark"]: m["rtp_timestamp"] for m in await probe(other, f"k.marksDrawnOn({field})")
    }
    pens = await expert.evaluate("window.pens")
    for mark, under in zip(drawn, pens, strict=True):
        (here, shown_here), (there, shown_there) = [
            await number_at(page, mark["rtp_timestamp"]) for page in (expert, other)
        ]
        # the very frame where both had time to show it; else within one, since its place is reckoned
        assert apart(here, there) <= (0 if shown_here and shown_there else 1)
        if under["number"] is not None:
            assert apart(here, under["number"]) <= 1

    # an instruction with that mark, seen and done by one key each; it is selected, since before a camera that pans as
    # fast as this one none that was only drawn is certain enough to be meant
    await expert.keyboard.press("s")
    box = await expert.get_by_test_id(f"overlay-{field}").bounding_box()
    assert box is not None
    await expert.mouse.click(box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.4)
    await expert.get_by_test_id("mark-menu").wait_for()
    await expert.keyboard.press("i")
    await expert.get_by_test_id("instruction-composer").wait_for()
    assert await grave_findings(expert) == []
    await expert.locator("[data-testid=instruction-meant]:not([data-mark=''])").wait_for()
    await expert.get_by_test_id("phrase_clip").click()
    await surgeon.get_by_text("Clip here").wait_for()
    await surgeon.locator("[data-testid^=ring-]").wait_for()
    assert await grave_findings(surgeon) == []
    await picture(surgeon, "instruction-surgeon")
    for key, state in (("y", "seen"), ("d", "done")):
        await surgeon.keyboard.press(key)
        (told,) = await until(expert, f"k.instructions[0].state === '{state}' && k.instructions")
    assert 0 < told["seenAfter"] < told["closedAfter"]
    await other.locator("[data-state=done]").wait_for()

    await expert.keyboard.press("1")
    await freezing(theatre)

    # the pen is taken: the tools rest, and say why
    name = await probe(expert, "k.self")
    await surgeon.keyboard.press("u")
    await surgeon.get_by_test_id(f"menu-{name}").click()
    await surgeon.get_by_test_id("permit-drawing").click()
    await expect(expert.get_by_test_id("freeze")).to_be_disabled(timeout=PATIENCE)
    await expert.get_by_test_id("pen-taken").wait_for()
    await surgeon.get_by_test_id("permit-drawing").click()
    await expect(expert.get_by_test_id("freeze")).to_be_enabled(timeout=PATIENCE)


async def freezing(theatre: Theatre) -> None:
    expert, other, field = theatre.expert, theatre.other, theatre.field
    held: asyncio.Future[Route] = asyncio.get_running_loop().create_future()

    def hold(route: Route) -> None:
        held.set_result(route)

    await expert.route("**/api/stills/**", hold, times=1)
    await expert.keyboard.press("g")
    key: str = await until(expert, "k.stills.open")
    timestamp = int(key.partition("-")[2])

    # from one's own glass at once; the live picture stays beside it, and stays the larger one
    glass = await expert.get_by_test_id("still-glass").evaluate(READ_PICTURE)
    number, shown = await number_at(expert, timestamp)
    assert apart(glass, number) <= (0 if shown else 1)
    live, still = await main_size(expert), await size(expert, "still")
    assert live > still
    assert await expert.get_by_test_id("mode-still").get_attribute("data-mode") == "still"
    assert await expert.get_by_test_id(f"mode-{field}").get_attribute("data-mode") in (
        "live",
        "late",
        "frozen",
    )
    await expert.get_by_test_id(f"age-{field}").wait_for()

    # what the server kept is the same frame
    route = await asyncio.wait_for(held, PATIENCE / 1000)
    await route.continue_()
    await until(expert, f"k.stills.fromServer.includes('{key}')")
    assert await expert.get_by_test_id("still-image").evaluate(READ_PICTURE) == glass
    assert await probe(other, "k.stills.all.length") == 0

    # for all: it opens beside the other's live picture, too, and is drawn on there
    await expert.get_by_test_id("still-share").click()
    await until(other, f"k.stills.open === '{key}' && k.stills.fromServer.includes('{key}')")
    assert await other.get_by_test_id("still-image").evaluate(READ_PICTURE) == glass
    await until(expert, "k.stills.all[0].forAll")
    sheet = f"still/{field}/{timestamp}"
    before = await probe(expert, f"k.marksDrawnOn({field}).length")
    await draw(expert, sheet)
    (mark,) = await until(other, f"k.marksDrawnOn('{sheet}').length === 1 && k.marksDrawnOn('{sheet}')")
    assert mark["rtp_timestamp"] == timestamp
    # never on the live picture
    assert await probe(other, f"k.marksDrawnOn({field}).some(m => m.mark === '{mark['mark']}')") is False
    assert await probe(expert, f"k.marksDrawnOn({field}).length") == before
    assert await grave_findings(expert) == []
    await picture(expert, "still-expert")
    await picture(theatre.surgeon, "still-surgeon")
    await expert.get_by_test_id("still-close").click()
    await until(expert, "k.stills.open === null")
    # it is found again
    await theatre.surgeon.get_by_test_id("stills").click()
    await theatre.surgeon.get_by_test_id(f"still-{key}").click()
    await until(theatre.surgeon, f"k.stills.open === '{key}'")
    # and nothing of the bar below stands outside of the window
    assert await theatre.surgeon.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = await theatre.surgeon.get_by_test_id("full-screen").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 1180
    await picture(theatre.surgeon, "still-surgeon-open")
    await theatre.surgeon.get_by_test_id("still-close").click()


async def size(page: Page, name: str) -> float:
    box: Any = await page.get_by_test_id(name).locator(".picture").bounding_box()
    return float(box["width"] * box["height"])


async def main_size(page: Page) -> float:
    box: Any = await page.get_by_test_id("main-picture").bounding_box()
    return float(box["width"] * box["height"])
