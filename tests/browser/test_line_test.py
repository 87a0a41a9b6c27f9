"""The line test in a real browser: all is open, or the relay refuses; in both languages, on a desktop and a tablet."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.chromium import DESKTOP, PATIENCE, TABLET, browser, executable, person, picture
from tests.helpers.namespaces import two_lines
from tests.helpers.served import served
from tests.helpers.turn_server import keep_secret, turn_server

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def grade(page: Page, name: str) -> str:
    """Read what the page made of a row, once it is known."""
    row = page.get_by_test_id(f"linetest-{name}")
    await expect(row).not_to_have_attribute("data-grade", "waiting", timeout=PATIENCE)
    return str(await row.get_attribute("data-grade"))


async def carry_out(page: Page) -> dict[str, str]:
    """Start the test by the keyboard, and read all rows."""
    await expect(page.get_by_test_id("linetest-start")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("linetest-verdict")).to_be_visible(timeout=PATIENCE)
    names = ("udp", "tcp", "turn", "delay", "loss", "jitter", "down", "up")
    return {name: await grade(page, name) for name in names}


async def test_a_line_is_tested_and_the_result_said_in_both_languages(tmp_path: Path) -> None:
    async with two_lines() as lines, turn_server(tmp_path, lines.server, lines.server) as coturn:
        program = str(lines.wrap(tmp_path, executable() or "chromium"))
        wrong = keep_secret(tmp_path, "other-secret", "the-secret-of-some-other-relay")
        async with browser(program=program) as chromium:
            async with served(tmp_path, host=lines.server, turn=coturn.config()) as server:
                # from the page before the room
                page = await person(chromium, server.link("expert", "Dr. E"))
                await page.get_by_test_id("linetest-link").click()
                await picture(page, "linetest-before-desktop")
                grades = await carry_out(page)
                assert (grades["udp"], grades["turn"]) == ("good", "good")
                # the server's own budget and this machine's load decide about the others: they are known, that is all
                assert "unknown" not in {grades[name] for name in ("delay", "loss", "jitter", "down", "up")}
                await picture(page, "linetest-desktop-en")
                await page.set_viewport_size({"width": TABLET[0], "height": TABLET[1]})
                await page.get_by_test_id("language").click()
                await picture(page, "linetest-tablet-zh")
                # without a secure context the text stands on the page
                await page.get_by_test_id("linetest-copy").click()
                text = await page.get_by_role("textbox").input_value()
                assert "网络连接测试" in text
                assert "Test of the connection" in text
                assert f"{lines.server}:{server.service.plane.address.port}" in text
                await page.get_by_test_id("linetest-back").click()
                await expect(page.get_by_test_id("join")).to_be_visible(timeout=PATIENCE)

            async with served(tmp_path, host=lines.server, turn=coturn.config(wrong)) as server:
                page = await person(
                    chromium, server.link("expert", "Dr. E", page="linetest"), DESKTOP, "zh-CN"
                )
                grades = await carry_out(page)
                assert (grades["udp"], grades["turn"]) == ("good", "bad")
                await expect(page.get_by_test_id("linetest-turn")).to_contain_text("凭据被拒绝")
                await picture(page, "linetest-desktop-zh")
                await page.set_viewport_size({"width": TABLET[0], "height": TABLET[1]})
                await page.get_by_test_id("language").click()
                await expect(page.get_by_text("the secrets of server and relay differ")).to_be_visible()
                await picture(page, "linetest-tablet-en")
