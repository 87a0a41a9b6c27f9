"""Chat, files and the whiteboard between two pages of real Chromium, and what a later page and a trainee see of it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from server.conductor import Conductor
from tests.browser.chromium import PATIENCE, browser, join, person, picture, probe, until
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until as happens

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Markup that would be seen, or run, if anything took it for more than letters.
MARKUP = "<img src=x onerror=\"document.title='run'\"><b>bold</b>\nhttps://example.org/ & <script>1</script>"

#: A page's line to the server as a test has it: "whole"; "deaf": what comes is lost; "cut": nothing comes or goes.
LINE = """
    window.line = "whole";
    window.sockets = [];
    window.WebSocket = class extends WebSocket {
        constructor(...given) {
            super(...given);
            window.sockets.push(this);
            if (window.line === "cut") this.close();
            this.addEventListener("message", event => {
                if (window.line !== "whole") event.stopImmediatePropagation();
            });
        }
        send(data) { if (window.line !== "cut") super.send(data); }
    };
"""

#: The browser notices that the line is dead; the page itself would after some seconds.
BROKEN = "window.sockets.forEach(socket => socket.close())"


async def agree(server: Served, *pages: Page) -> None:
    """Hold the pages' hashes of the room's log against the server's own."""
    (conductor,) = server.service.rooms.values()
    digest = conductor.document.digest()
    for page in pages:
        assert await probe(page, "k.digest()") == digest


def words_of(conductor: Conductor) -> list[str]:
    """List what was written in the room."""
    return [entry.operation.to_json()["text"] for entry in conductor.document.notes("chat")]


async def draw(page: Page, at: float) -> None:
    """Draw a line on the page of the whiteboard that one looks at."""
    box = await page.locator('[data-testid^="overlay-board"]').last.bounding_box()
    assert box is not None
    x, y, width, height = box["x"], box["y"], box["width"], box["height"]
    await page.mouse.move(x + width * at, y + height * 0.3)
    await page.mouse.down()
    await page.mouse.move(x + width * (at + 0.2), y + height * 0.7, steps=8)
    await page.mouse.up()


async def the_line_breaks(server: Served, expert: Page, surgeon: Page) -> None:
    """What is drawn and written over a dead line is said to be unsent, comes once, or is said to be lost."""
    (conductor,) = server.service.rooms.values()
    text, unsent = expert.get_by_test_id("chat-text"), expert.get_by_test_id("unsent")
    await expert.keyboard.press("t")
    marks = len(conductor.document.visible())
    # the server hears of the first mark and of the message, and its answers are lost
    await expert.evaluate("window.line = 'deaf'")
    await draw(expert, 0.1)
    await text.fill("over the dead line")
    await text.press("Enter")
    await happens(
        lambda: len(conductor.document.visible()) == marks + 1 and "over the dead line" in words_of(conductor)
    )
    # of the second mark it hears nothing
    await expert.evaluate("window.line = 'cut'")
    await draw(expert, 0.2)
    await expect(unsent).to_contain_text("2 of your marks, your message", timeout=PATIENCE)
    await picture(expert, "talk-unsent-1180")
    await expert.evaluate(BROKEN)
    await until(expert, "k.state === 'reconnecting'")
    await expert.evaluate("window.line = 'whole'")
    await until(expert, "k.state === 'connected' && k.unsent.marks + k.unsent.messages === 0")
    await expect(unsent).to_have_count(0, timeout=PATIENCE)
    await expect(text).to_have_value("", timeout=PATIENCE)
    assert len(conductor.document.visible()) == marks + 2
    assert words_of(conductor).count("over the dead line") == 1
    sequence = conductor.document.sequence
    await until(surgeon, f"k.marks.filter(mark => mark.sequence).length === {marks + 2}")
    await agree(server, expert, surgeon)

    # who was away for too long comes back as somebody new, and hears what is lost
    await expert.evaluate("window.line = 'cut'")
    await draw(expert, 0.5)
    await text.fill("said to nobody")
    await text.press("Enter")
    await expect(unsent).to_contain_text("1 of your marks, your message", timeout=PATIENCE)
    await expert.evaluate(BROKEN)
    gone = await probe(expert, "k.self")
    await happens(lambda: conductor.members[gone].socket is None)
    conductor.room.handle_timer(server.service.now() + 60)
    conductor.pump()
    await expert.evaluate("window.line = 'whole'")
    await until(expert, f"k.state === 'connected' && k.self !== {gone!r}")
    for words in ("1 of your marks did not arrive", "Your message did not arrive: “said to nobody”"):
        await expect(expert.get_by_text(words)).to_be_visible(timeout=PATIENCE)
    await expect(unsent).to_have_count(0)
    await expect(text).to_have_value("said to nobody")
    assert conductor.document.sequence == sequence
    await agree(server, expert, surgeon)


async def test_two_pages_write_send_and_draw(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        surgeon = await person(chromium, server.link("surgeon", "Dr. Anna Keller"), (1920, 1080))
        expert = await person(chromium, server.link("expert", "Dr. Li Wei"), (1180, 820), before=LINE)
        for page in (surgeon, expert):
            await join(page, media=False)

        # a message with markup and a line break, by keys alone
        await expert.keyboard.press("t")
        text = expert.get_by_test_id("chat-text")
        await expect(text).to_be_focused(timeout=PATIENCE)
        await text.fill(MARKUP)
        await text.press("Enter")
        await expect(text).to_have_value("", timeout=PATIENCE)
        await expect(surgeon.get_by_test_id("bubble-chat")).to_have_text("1", timeout=PATIENCE)
        await expect(surgeon.get_by_test_id("chat-spoken")).to_contain_text(
            "Dr. Li Wei writes", timeout=PATIENCE
        )
        await surgeon.get_by_test_id("chat-button").click()
        said = surgeon.locator('[data-testid="chat-lines"] p')
        assert await said.inner_text() == MARKUP
        assert await surgeon.locator('[data-testid="chat-lines"] :is(img, b, script, a)').count() == 0
        assert await surgeon.title() != "run"
        await expect(surgeon.get_by_test_id("bubble-chat")).to_have_count(0)
        await text.press("Escape")
        await expect(expert.get_by_test_id("panel")).to_have_count(0)

        # a file goes out and comes in
        data = os.urandom(3_000_000)
        (tmp_path / "CT Schädel.dcm").write_bytes(data)
        await expert.get_by_test_id("files-button").click()
        await expert.get_by_test_id("file-input").set_input_files(tmp_path / "CT Schädel.dcm")
        await expect(expert.get_by_test_id("transfer")).to_have_attribute(
            "data-state", "done", timeout=PATIENCE
        )
        await expect(surgeon.get_by_test_id("bubble-files")).to_have_text("1", timeout=PATIENCE)
        await surgeon.get_by_test_id("panel-files").click()
        async with surgeon.expect_download(timeout=PATIENCE) as coming:
            await surgeon.get_by_test_id("file-save").click()
        download = await coming.value
        assert download.suggested_filename == "CT Schädel.dcm"
        saved = await asyncio.to_thread((await download.path()).read_bytes)
        assert saved == data
        await picture(surgeon, "talk-files-1920")
        await picture(expert, "talk-files-1180")
        await surgeon.get_by_test_id("panel-chat").click()
        await expect(surgeon.get_by_test_id("chat-lines")).to_contain_text("sent a file: CT Schädel.dcm")
        await picture(surgeon, "talk-chat-1920")

        # a page of the whiteboard that one opens and names is there for the other, who looks at it when he likes
        await expert.get_by_test_id("panel-close").click()
        await expert.keyboard.press("b")
        await expert.get_by_test_id("board-add").click()
        await expert.get_by_test_id("board-page-2").wait_for()
        await expert.get_by_test_id("board-rename").click()
        await expert.get_by_test_id("board-title").fill("Plan")
        await expert.get_by_test_id("board-title-apply").click()
        await surgeon.get_by_test_id("panel-close").click()
        await surgeon.get_by_test_id("stage-board").click()
        await expect(surgeon.get_by_test_id("board-page-2")).to_have_text("Plan", timeout=PATIENCE)
        assert await surgeon.get_by_test_id("board-paper").get_attribute("data-page") == "1"
        for page, tool in ((expert, "Digit1"), (surgeon, "Digit2")):
            await page.get_by_test_id("board-page-2").click()
            await page.keyboard.press(tool)
            overlay = page.locator('[data-testid^="overlay-board"]').last
            await expect(overlay).to_be_visible(timeout=PATIENCE)
            await draw(page, 0.25 if page is expert else 0.55)
            for each in (surgeon, expert):
                marks = 1 if page is expert else 2
                await until(
                    each, f"k.marks.filter(m => m.anchor.board === 2 && m.sequence).length === {marks}"
                )
        await until(expert, "k.marksDrawnOn('board/2').length === 2")
        await picture(expert, "talk-board-1180")
        await surgeon.get_by_test_id("board-white").click()
        await until(surgeon, "k.marksDrawnOn('board/2').length === 2")
        await picture(surgeon, "talk-board-1920")

        # who presents leads the others through the pages too; who turns a page himself looks on his own, and comes back
        await expert.get_by_test_id("board-present").click()
        await expect(expert.get_by_test_id("board-present-stop")).to_be_visible(timeout=PATIENCE)
        paper = surgeon.get_by_test_id("board-paper")
        await expert.get_by_test_id("board-page-1").click()
        await expect(paper).to_have_attribute("data-page", "1", timeout=PATIENCE)
        await surgeon.get_by_test_id("board-page-2").click()
        await expert.get_by_test_id("board-page-2").click()
        await expert.get_by_test_id("board-page-1").click()
        await expert.get_by_test_id("board-page-2").click()
        await surgeon.get_by_test_id("board-page-1").click()
        await picture(surgeon, "talk-board-away-1920")
        await surgeon.get_by_test_id("board-come-back").click()
        await expect(paper).to_have_attribute("data-page", "2", timeout=PATIENCE)

        # who comes later finds all of it; a trainee reads, and fetches no files
        trainee = await person(chromium, server.link("trainee", "Maria Santos"), (1180, 820))
        await join(trainee, media=True)
        await trainee.keyboard.press("t")
        await expect(trainee.get_by_test_id("chat-lines")).to_contain_text("CT Schädel.dcm", timeout=PATIENCE)
        await expect(trainee.get_by_test_id("chat-text")).to_have_count(0)
        await picture(trainee, "talk-chat-1180")
        await trainee.get_by_test_id("panel-files").click()
        await expect(trainee.get_by_test_id("files-reader")).to_be_visible()
        await expect(trainee.get_by_test_id("file-save")).to_have_count(0)
        await trainee.get_by_test_id("panel-close").click()
        await trainee.get_by_test_id("stage-board").click()
        await expect(trainee.get_by_test_id("board-paper")).to_have_attribute(
            "data-page", "2", timeout=PATIENCE
        )
        await until(trainee, "k.participants.length === 3")
        await agree(server, surgeon, expert, trainee)
        await the_line_breaks(server, expert, surgeon)
