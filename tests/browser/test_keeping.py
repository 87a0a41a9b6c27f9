"""The archive's page in Chromium: two people delete a recording, a third is under hold; by keys, in both languages."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from server.config import CopiesConfig
from tests.browser.accessibility import grave_findings
from tests.browser.chromium import browser, person
from tests.helpers.kept import keep_recording
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def _picture(page: Page, name: str, width: int = 1180, height: int = 820) -> None:
    """Keep a picture of the page where somebody asked for one."""
    if folder := os.environ.get("SHOTS"):
        await page.set_viewport_size({"width": width, "height": height})
        await page.screenshot(path=f"{folder}/keeping-{name}.png")


async def test_two_people_keep_and_delete(tmp_path: Path) -> None:
    config = CopiesConfig(place=str(tmp_path / "second"), rate_mb=1000)
    async with served(tmp_path, copies=config) as server, browser() as chromium:
        held, gone = [await asyncio.to_thread(keep_recording, tmp_path, "ward") for _ in range(2)]
        await server.service.keeper.take_in()
        await server.service.keeper.copy_round()
        anna, bo = [
            await person(chromium, server.link("chair", name, page="replay"), (1180, 820))
            for name in ("Anna", "Bo")
        ]
        await anna.get_by_test_id("keeping-open").click()

        # a hold, with a reason, and consent, as the paper form has them; all by keys
        line = anna.get_by_test_id(f"kept-{held}")
        await line.get_by_test_id("hold-ask").focus()
        await anna.keyboard.press("Enter")
        await anna.keyboard.type("claim 17")
        await _picture(anna, "hold")
        await anna.keyboard.press("Enter")
        await expect(line.get_by_test_id("hold")).to_contain_text("claim 17")
        await expect(line.get_by_test_id("deletion-ask")).to_be_disabled()
        await line.get_by_test_id("consent").click()
        await anna.get_by_test_id("purpose-teaching").check()
        await anna.get_by_test_id("reference").fill("Li Wei")
        await anna.get_by_test_id("confirm").click()
        await expect(anna.get_by_test_id("consent-dialog")).to_be_visible()  # a name is no form's number
        await anna.get_by_test_id("reference").fill("F-2026/118")
        await _picture(anna, "consent")
        await anna.get_by_test_id("confirm").click()
        await expect(line.get_by_text(re.compile("Teaching: consent given"))).to_be_visible()
        await line.get_by_test_id("class").select_option("teaching")
        await expect(line.get_by_test_id("until")).to_have_text("as long as consent lasts")

        # one asks, and cannot agree; the other does
        await anna.get_by_test_id(f"kept-{gone}").get_by_test_id("deletion-ask").click()
        await anna.get_by_test_id("reason").fill("recorded by mistake")
        await anna.get_by_test_id("confirm").click()
        mine = anna.get_by_test_id(f"kept-{gone}").get_by_test_id("deletion")
        await expect(mine).to_contain_text("Another person must agree")
        await expect(mine.get_by_test_id("deletion-agree")).to_have_count(0)
        await bo.get_by_test_id("keeping-open").click()
        theirs = bo.get_by_test_id(f"kept-{gone}").get_by_test_id("deletion")
        await expect(theirs).to_contain_text("Anna asks for its deletion: recorded by mistake")
        await _picture(bo, "recordings")
        await _picture(bo, "recordings-wide", 1920, 1080)
        assert await grave_findings(bo) == []
        await theirs.get_by_test_id("deletion-agree").click()
        await bo.get_by_test_id("agree-dialog").get_by_test_id("confirm").click()
        await expect(theirs).to_have_attribute("data-state", re.compile("agreed|done"))
        await server.service.keeper.round()
        assert not (tmp_path / "recordings" / gone / "journal.kjr").exists()

        # the disk and the book, in Chinese too
        await bo.get_by_test_id("keeping-recordings").focus()
        await bo.keyboard.press("ArrowRight")
        await expect(bo.get_by_test_id("disk-chart")).to_be_visible()
        assert await grave_findings(bo) == []
        await _picture(bo, "disk")
        await bo.keyboard.press("ArrowRight")
        await expect(bo.get_by_test_id("book")).to_contain_text("agreed to deletion")
        await _picture(bo, "book")
        await bo.get_by_test_id("language").click()
        await expect(bo.get_by_test_id("book")).to_contain_text("同意删除")
        await bo.get_by_test_id("keeping-recordings").click()
        await _picture(bo, "recordings-zh")
        await bo.get_by_test_id("keeping-back").click()
        await expect(bo.get_by_test_id(f"recording-{held}")).to_be_visible()
        await expect(bo.get_by_test_id(f"recording-{gone}")).to_have_count(0)
