"""Every page of the product under axe, without a serious or critical finding; and dialogs, tabs and focus by keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.accessibility import grave_findings
from tests.browser.chromium import PATIENCE, browser, join, person, picture, until
from tests.helpers.dicom_files import sample
from tests.helpers.served import Served, served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Findings:
    """Gathers what is found on all pages, so that one run tells everything."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def look(self, page: Page, where: str) -> None:
        """Look at a page as it stands."""
        self.lines += [f"{where}: {line}" for line in await grave_findings(page)]


async def focused(page: Page) -> str:
    """Name what has the focus by its data-testid."""
    return str(
        await page.evaluate("document.activeElement?.dataset.testid ?? document.activeElement?.tagName")
    )


async def test_no_page_has_a_grave_finding(tmp_path: Path) -> None:
    found = Findings()
    async with served(tmp_path) as server, browser() as chromium:
        surgeon = await person(chromium, server.link("surgeon", "Dr. Anna Keller"))
        await surgeon.get_by_test_id("join").wait_for()
        await found.look(surgeon, "join")
        await join(surgeon, media=True)
        chair = await person(chromium, server.link("chair", "Prof. Li Wei"), (1180, 820))
        await join(chair, media=False)
        await until(chair, "Object.values(k.frames).some(f => f.frames > 5)")
        await found.look(chair, "room")
        await in_the_room(found, chair)
        await at_the_tools(found, surgeon)
        await with_images(found, surgeon)
        await surgeon.get_by_test_id("record").click()
        await until(chair, "k.recording?.state === 'recording'")
        await found.look(surgeon, "room, recorded")
        await chair.keyboard.press("t")
        await chair.get_by_test_id("chat-text").fill("Look at the second image.")
        await chair.get_by_test_id("chat-text").press("Enter")
        await expect(chair.get_by_test_id("chat-lines")).to_contain_text("second image", timeout=PATIENCE)
        await found.look(chair, "chat with a line")
        await draw_on_the_board(chair)
        await found.look(chair, "board with a mark")
        await surgeon.get_by_test_id("record").click()
        await until(chair, "k.recording === null")
        await recordings(
            found, await person(chromium, server.link("trainee", "Maria", page="replay"), (1180, 820))
        )
        await line_test(found, server, await person(chromium, server.link("expert", page="linetest")))
        looking = await person(chromium, server.link("trainee", "Looks on", page="watch"))
        await looking.get_by_test_id("watch-start").wait_for()
        await found.look(looking, "looking on, before")
        assert await focused(looking) == "watch-start"
        await looking.keyboard.press("Enter")
        await looking.get_by_test_id("watch-stage").wait_for()
        await found.look(looking, "looking on")
    assert not found.lines, "\n".join(found.lines)


async def in_the_room(found: Findings, page: Page) -> None:
    """Open what can be opened by keys, and see that the focus comes back."""
    for tab in ("people", "chat", "files"):
        await page.get_by_test_id(f"{'participants' if tab == 'people' else tab}-button").click()
        await page.get_by_test_id(f"panel-{tab}").wait_for()
        await found.look(page, f"panel, {tab}")
    # through the tabs of the panel by arrows, and out of it
    await page.get_by_test_id("panel-files").focus()
    await page.keyboard.press("ArrowRight")
    assert await focused(page) == "panel-people"
    await page.locator('[data-testid^="menu-"]').first.click()
    await found.look(page, "panel, one person")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("panel")).to_have_count(0)
    # a dialog gives the focus back to what opened it
    await page.get_by_test_id("help-button").focus()
    await page.keyboard.press("Enter")
    await page.get_by_test_id("help").wait_for()
    await found.look(page, "help")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("help")).to_have_count(0)
    assert await focused(page) == "help-button"
    # the stage's tabs, by arrows too, with a focus that is seen
    await page.get_by_test_id("stage-field").focus()
    await page.keyboard.press("ArrowRight")
    assert await focused(page) == "stage-images"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert await page.evaluate(outline) != "none"
    await found.look(page, "images")
    await page.keyboard.press("ArrowRight")
    await page.get_by_test_id("board").wait_for()
    await found.look(page, "board")
    await page.get_by_test_id("board-white").click()
    await found.look(page, "board, white")
    await page.get_by_test_id("board-rename").click()
    await page.get_by_test_id("board-title").wait_for()
    await found.look(page, "board, naming")
    await page.keyboard.press("Escape")
    assert await focused(page) == "board-rename"


async def at_the_tools(found: Findings, page: Page) -> None:
    """Open what the tools and the pen's layers hold."""
    await page.keyboard.press("Escape")
    await page.get_by_test_id("stage-field").click()
    for name in ("tool-arrow", "tool-length"):
        await page.get_by_test_id(name).first.click()
        await page.get_by_role("menu").wait_for()
        await found.look(page, f"tools at {name}")
        await page.get_by_role("menu").get_by_role("menuitemradio").first.focus()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("menu")).to_have_count(0)
        assert await focused(page) == name
    await page.keyboard.press("1")
    await page.keyboard.press("l")
    await page.get_by_test_id("layers-panel").wait_for()
    await found.look(page, "layers")
    # Space presses a button also for who draws
    await page.get_by_test_id("layers-close").focus()
    await page.keyboard.press("Space")
    await expect(page.get_by_test_id("layers-panel")).to_have_count(0)


async def with_images(found: Findings, page: Page) -> None:
    """Bring images in, a good one and a bad one, and look at the viewer in both languages."""
    await page.get_by_test_id("stage-images").click()
    await page.get_by_test_id("upload-files").set_input_files(
        [sample("CT_small.dcm"), sample("MR_truncated.dcm")]
    )
    await until(page, "k.studies.length === 1")
    await page.get_by_test_id("upload-reasons").click()
    await page.get_by_test_id("upload-list").wait_for()
    await found.look(page, "what was not taken")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("upload-list")).to_have_count(0)
    await page.get_by_test_id("series-1").wait_for()
    await found.look(page, "viewer")
    await page.get_by_test_id("language").click()
    await found.look(page, "viewer in Chinese")
    await page.get_by_test_id("stage-field").click()


async def draw_on_the_board(page: Page) -> None:
    """Draw a line with the mouse."""
    await page.keyboard.press("Escape")
    overlay = page.locator('[data-testid^="overlay-board"]').last
    await expect(overlay).to_be_visible(timeout=PATIENCE)
    box = await overlay.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.4)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.6, steps=6)
    await page.mouse.up()
    await until(page, "k.marks.some(m => m.anchor.board === 1 && m.sequence)")


async def recordings(found: Findings, page: Page) -> None:
    """Look at the list, then at a recording, its chat and its whiteboard."""
    entry = page.locator('button[data-testid^="recording-"]').first
    await entry.wait_for()
    await found.look(page, "recordings")
    await entry.filter(has=page.locator(".state.complete")).click()
    await until(page, "k.state === 'replay'")
    await found.look(page, "replay")
    await page.get_by_test_id("seek").evaluate(
        "bar => { bar.value = bar.max; bar.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    await page.get_by_test_id("side-chat").click()
    await expect(page.get_by_test_id("replay-chat")).to_contain_text(
        "Look at the second image.", timeout=PATIENCE
    )
    await found.look(page, "replay, chat")
    await picture(page, "talk-replay-chat")
    await page.get_by_test_id("replay-board-button").click()
    await page.get_by_test_id("replay-board").wait_for()
    await until(page, "k.marksDrawnOn('board/1').length === 1")
    await expect(page.get_by_test_id("mode-board")).to_have_attribute("data-mode", "replay")
    await found.look(page, "replay, board")
    await picture(page, "talk-replay-board")


async def line_test(found: Findings, server: Served, page: Page) -> None:
    """Look at the page of the line test, before it is run."""
    assert server.url
    await page.locator("h1").first.wait_for()
    await found.look(page, "line test")
