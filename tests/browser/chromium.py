"""Real Chromium, headless, with fake devices, and the words that the tests use for its pages."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, Request

from loadtests.chromium import FLAGS, browser, executable

__all__ = ["FLAGS", "browser", "executable"]

#: Milliseconds that a page may take for a step: decoding in software shares two cores with everything else.
PATIENCE = 30_000

DESKTOP = (1440, 900)
TABLET = (1024, 768)

#: What the pages of this test threw and nobody caught: none may (conftest.py).
MISTAKES: list[str] = []

#: Where screenshots are kept.
SCREENSHOTS = Path("build/screenshots")


async def person(
    running: Browser, link: str, size: tuple[int, int] = DESKTOP, language: str = "en-GB", before: str = ""
) -> Page:
    """Open a link as one person: a context of its own; `before` is a script that runs before the page's own."""
    page = await empty(running, size, language, before)
    await page.goto(link)
    return page


async def empty(
    running: Browser, size: tuple[int, int] = DESKTOP, language: str = "en-GB", before: str = ""
) -> Page:
    """Open an empty page as one person."""
    context: BrowserContext = await running.new_context(
        viewport={"width": size[0], "height": size[1]}, locale=language, permissions=["camera", "microphone"]
    )
    if before:
        await context.add_init_script(before)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: MISTAKES.append(f"{error}\n{error.stack}"))
    page.on("requestfailed", _tell_failure)
    return page


def _tell_failure(request: Request) -> None:
    """Say what of a page could not be fetched: pytest shows it where a test fails."""
    if request.resource_type in ("document", "script", "stylesheet"):
        print(f"not fetched: {request.resource_type} {urlsplit(request.url).path}: {request.failure}")


async def join(page: Page, *, media: bool) -> None:
    """Press the button of the join page, and wait for the room."""
    await page.get_by_test_id("join" if media else "join-without").click()
    await until(page, "k.state === 'connected'")


async def probe(page: Page, expression: str) -> Any:
    """Evaluate an expression over `window.konsil`, called k."""
    return await page.evaluate(f"(() => {{ const k = window.konsil; return {expression}; }})()")


#: Where its players are: what a wait in vain is mostly about.
_PLAYERS = """[...document.querySelectorAll('video')].map(video => ({
    at: video.currentTime, seeking: video.seeking, ready: video.readyState, paused: video.paused,
    buffered: [...Array(video.buffered.length).keys()].map(n => [video.buffered.start(n), video.buffered.end(n)]),
    error: video.error?.message, frames: video.getVideoPlaybackQuality().totalVideoFrames,
}))"""


async def until(page: Page, condition: str) -> Any:
    """Wait until a condition over `window.konsil`, called k, holds; returns its value.

    Playwright's own wait_for_function evaluates text in the page, which our content security policy forbids.
    """
    script = f"""new Promise(done => {{
        const timer = setInterval(() => {{
            const k = window.konsil;
            const value = k && ({condition});
            if (value) {{ clearInterval(timer); done(value); }}
        }}, 50);
    }})"""
    try:
        return await asyncio.wait_for(page.evaluate(script), PATIENCE / 1000)
    except TimeoutError:
        state = await page.evaluate(f"JSON.stringify([window.konsil ?? null, {_PLAYERS}])")
        raise AssertionError(f"in vain waited for: {condition}; the page says {state}") from None


async def picture(page: Page, name: str) -> None:
    """Keep a screenshot (Playwright makes the folder)."""
    await page.screenshot(path=SCREENSHOTS / f"{name}.png")
