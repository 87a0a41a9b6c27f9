"""The network changes while a page is on its way to Chromium: what was lost comes again, what never comes is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Request, expect

from tests.browser.accessibility import grave_findings
from tests.browser.chromium import (
    DESKTOP,
    PATIENCE,
    TABLET,
    browser,
    empty,
    executable,
    join,
    person,
    picture,
    probe,
    until,
)
from tests.browser.losing import Losing
from tests.helpers.namespaces import ip, two_lines
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: The pages by their path, and what each shows to a surgeon once it has begun.
PAGES = {"": "join", "replay": "keeping-open", "watch": "watch-start", "linetest": "linetest-start"}

#: Does each style sheet have rules (nobody may read one that did not come), and is the theme's ground painted?
STYLED = """() => {
    try {
        return [...document.querySelectorAll('link[rel=stylesheet]')].every(link => link.sheet?.cssRules.length > 0)
            && getComputedStyle(document.body).backgroundColor === 'rgb(5, 8, 11)';
    } catch { return false; }
}"""


async def comes_true(condition: str, page: Page) -> None:
    """Wait until this holds in the page."""
    async with asyncio.timeout(PATIENCE / 1000):
        while not await page.evaluate(condition):
            await page.evaluate("new Promise(done => setTimeout(done, 50))")


async def is_styled(page: Page) -> None:
    """Wait until all style sheets are there, and see that nothing is told."""
    await comes_true(STYLED, page)
    await expect(page.get_by_test_id("page-lost")).to_be_hidden()


def is_first(name: str) -> bool:
    """Tell whether it is the script that each page begins with."""
    return name.startswith("first-")


async def test_what_a_page_begins_with_is_fetched_again(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        for path, sign in PAGES.items():
            page = await empty(chromium)
            async with Losing(
                page, lambda name: name.endswith((".js", ".css")) and not is_first(name)
            ) as line:
                await page.goto(server.link("surgeon", page=path))
                await expect(page.get_by_test_id(sign)).to_be_visible(timeout=PATIENCE)
                await is_styled(page)
            assert {name.rpartition(".")[2] for name in line.lost} == {"js", "css"}


async def test_style_sheets_are_fetched_again_by_the_page_itself_when_its_first_script_was_lost(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        page = await empty(chromium)
        async with Losing(page, lambda name: is_first(name) or name.endswith(".css")) as line:
            await page.goto(server.link("surgeon"))
            await is_styled(page)
        assert sum(map(is_first, line.lost)) == 1
        assert len(line.lost) > 1


async def test_a_part_that_is_loaded_later_is_fetched_again(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        page = await person(chromium, server.link("chair", "Anna", page="replay"))
        async with Losing(page, lambda name: name.startswith("KeepingArea-")) as line:
            await page.get_by_test_id("keeping-open").click()
            await expect(page.get_by_test_id("keeping-recordings")).to_be_visible(timeout=PATIENCE)
            await is_styled(page)
        assert sorted(name.rpartition(".")[2] for name in line.lost) == ["css", "js"]

        # what never comes is said, and the page can be loaded again where one is
        page = await person(chromium, server.link("chair", "Bo", page="replay"))
        async with Losing(page, lambda name: name.startswith("KeepingArea-"), gone=True):
            await page.get_by_test_id("keeping-open").click()
            await expect(page.get_by_test_id("message-page-lost")).to_be_visible(timeout=PATIENCE)
            # its style sheet, too, is given up and told: what is said stands there once
            await expect(page.locator("#page-lost.told")).to_be_attached(timeout=PATIENCE)
            await expect(page.get_by_role("alert")).to_have_count(1)
        await page.get_by_test_id("message-action").click()
        await expect(page.get_by_test_id("keeping-recordings")).to_be_visible(timeout=PATIENCE)


async def test_the_field_is_sent_although_the_worker_that_names_its_frames_was_lost(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        surgeon = await person(chromium, server.link("surgeon", "Dr. S"))
        expert = await person(chromium, server.link("expert", "Prof. E"))
        for page in (surgeon, expert):
            await join(page, media=False)
        async with Losing(surgeon, lambda name: name.startswith("sender_frames_worker-")) as line:
            await surgeon.get_by_test_id("share-field").click()
            await surgeon.get_by_test_id("field-device-0").click()
            field = await until(expert, "k.producers.find(p => p.kind === 'video')?.producer")
            await until(expert, f"k.frames[{field}]?.frames > 20")
            assert len(line.lost) == 1
            # it has come, and the surgeon can draw on what he sends
            await until(surgeon, "k.ownFrames.some(frame => frame.name?.exact)")
            await until(
                expert, f"k.frames[{field}].frames > {await probe(expert, f'k.frames[{field}].frames')} + 20"
            )


async def test_what_never_comes_is_told_and_a_button_fetches_it(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        bare, dead, healed = await empty(chromium), await empty(chromium), await empty(chromium)
        async with (
            Losing(bare, lambda name: name.endswith(".css"), gone=True),
            Losing(dead, lambda name: name.startswith("Icon-"), gone=True),
            Losing(healed, lambda name: name.startswith("index-"), gone=True),
        ):
            for page in (bare, dead, healed):
                await page.goto(server.link("surgeon"))
            for page in (bare, dead, healed):
                told = page.get_by_test_id("page-lost")
                await expect(told).to_be_visible(timeout=PATIENCE)
                await expect(told).to_contain_text("Please load it again")
                await expect(told).to_contain_text("请重新加载")
                await expect(told.get_by_role("button")).to_have_count(1)
            assert await grave_findings(dead) == []
            await picture(bare, "page-lost-styles-desktop")
            for name, size in {"desktop": DESKTOP, "tablet": TABLET}.items():
                await dead.set_viewport_size({"width": size[0], "height": size[1]})
                await picture(dead, f"page-lost-{name}")
        # somebody who has begun to type keeps what he typed
        await bare.evaluate("window.kept = true")
        await bare.get_by_test_id("page-lost").get_by_role("button").click()
        await is_styled(bare)
        assert await bare.evaluate("window.kept")
        await dead.get_by_test_id("page-lost").get_by_role("button").click()
        # the line is there again: nobody need press anything
        await healed.evaluate("dispatchEvent(new Event('online'))")
        for page in (dead, healed):
            await expect(page.get_by_test_id("join")).to_be_visible(timeout=PATIENCE)
            await is_styled(page)
            assert "#token=" in page.url


async def test_a_page_of_which_nothing_came_says_so_without_a_script(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        page = await empty(chromium)
        async with Losing(page, lambda name: True, gone=True):
            await page.goto(server.link("surgeon"))
            await expect(page.get_by_test_id("page-lost")).to_be_hidden()
            # half a minute later
            await page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
            await expect(page.get_by_test_id("page-lost")).to_be_visible()


class Held:
    """Whether something is asked for, and whether it may come."""

    def __init__(self) -> None:
        self.asked, self.go = asyncio.Event(), asyncio.Event()


@contextlib.asynccontextmanager
async def slow_front(host: str, behind: str, held: Held) -> AsyncIterator[str]:
    """Stand before a server, and keep what pages ask for, but for their first script, until they may go on."""
    where = urlsplit(behind)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            target = head.split()[1].decode()
            if target.startswith("/assets/") and not is_first(Path(target).name):
                held.asked.set()
                await held.go.wait()
            there, here = await asyncio.open_connection(where.hostname, where.port)
            here.write(head.replace(b"keep-alive", b"close"))
            while data := await there.read(1 << 16):
                writer.write(data)
                await writer.drain()
            here.close()
        writer.close()

    server = await asyncio.start_server(pass_on, host, 0)
    try:
        yield f"http://{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_an_address_comes_while_a_page_is_loaded(tmp_path: Path) -> None:
    held = Held()
    async with (
        two_lines() as lines,
        served(tmp_path, host=lines.server) as server,
        slow_front(lines.server, server.url, held) as front,
    ):
        program = lines.wrap(tmp_path, executable() or "chromium")
        trusted = f"--unsafely-treat-insecure-origin-as-secure={front}"
        async with browser(trusted, program=str(program)) as chromium:
            for number, (path, sign) in enumerate(PAGES.items()):
                page = await empty(chromium)
                lost: list[str] = []

                def failed(request: Request, lost: list[str] = lost) -> None:
                    if request.failure == "net::ERR_NETWORK_CHANGED":
                        lost.append(request.resource_type)

                page.on("requestfailed", failed)
                held.go.clear()
                link = server.link("surgeon", page=path).replace(server.url, front)
                await page.goto(link, wait_until="commit")
                await comes_true("document.documentElement.dataset.fetchesAgain === ''", page)
                await held.asked.wait()
                ip("-n", lines.name, "addr", "add", f"192.0.2.{number + 1}/32", "dev", f"{lines.name}i0")
                async with asyncio.timeout(PATIENCE / 1000):
                    while not lost:
                        await page.evaluate("new Promise(done => setTimeout(done, 50))")
                held.go.set()
                await expect(page.get_by_test_id(sign)).to_be_visible(timeout=PATIENCE)
                await is_styled(page)
                assert {"script", "stylesheet"} & set(lost)
