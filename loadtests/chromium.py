"""Real Chromium, headless, with fake devices: for load tests and tests."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, async_playwright

#: The binary behind Debian's wrapper script; elsewhere whatever Chrome or Playwright's own build there is.
DEBIAN = Path("/usr/lib/chromium/chromium")

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
]


def executable() -> str | None:
    """Find the browser; None lets Playwright take its own."""
    if DEBIAN.is_file():
        return str(DEBIAN)
    return shutil.which("google-chrome")


@contextlib.asynccontextmanager
async def profile(folder: Path) -> AsyncIterator[BrowserContext]:
    """Start a browser as a person has it, which keeps on the disk below `folder` what pages give it to keep."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            folder, executable_path=executable(), args=FLAGS, headless=True
        )
        try:
            yield context
        finally:
            await context.close()


@contextlib.asynccontextmanager
async def browser(*more: str, program: str | None = None) -> AsyncIterator[Browser]:
    """Start a browser; `program` is one that starts it in a place of its own."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=program or executable(), args=[*FLAGS, *more], headless=True
        )
        try:
            yield started
        finally:
            await started.close()
