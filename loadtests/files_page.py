"""Send a file and fetch it with the page itself, in real Chromium: what a person waits for, saving included."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page

from signalling.file_digest import BLOCK, FileDigest

from .chromium import profile
from .server_process import ServerUnderLoad

#: Seconds that one way may take.
PATIENCE = 180.0

#: Wait in the page until the transfer is over.
_OVER = """way => new Promise((done, failed) => {
    const timer = setInterval(() => {
        const row = document.querySelector(`[data-testid="transfer"][data-way="${way}"]`);
        const state = row?.dataset.state;
        if (state !== 'done' && state !== 'failed') return;
        clearInterval(timer);
        if (state === 'failed') failed(new Error(row.textContent));
        else done();
    }, 10);
})"""


@dataclass(frozen=True, slots=True)
class PageResult:
    """Seconds from choosing the file until the server has kept it, and from asking for it until it is saved."""

    upload_s: float
    download_s: float
    upload_mb_s: float
    download_mb_s: float
    same_hash: bool


async def measure_page(server: ServerUnderLoad, megabytes: float) -> PageResult:
    """Send and fetch once, as a person does. Raise RuntimeError when the page or the server refuses."""
    size = int(megabytes * 1e6)
    with tempfile.TemporaryDirectory(prefix="konsil-load-") as name:
        path = Path(name) / "load.bin"
        digest = await asyncio.to_thread(_write, path, size)
        async with profile(Path(name) / "profile") as context:
            page = await context.new_page()
            await page.goto(server.link("expert", "Dr. Page"))
            await page.get_by_test_id("join-without").click()
            await page.get_by_test_id("files-button").click()
            begin = time.monotonic()
            await page.get_by_test_id("file-input").set_input_files(path)
            await _over(page, "out")
            sent = time.monotonic()
            await page.get_by_test_id("file-save").wait_for()
            asked = time.monotonic()
            async with page.expect_download(timeout=PATIENCE * 1000) as coming:
                await page.get_by_test_id("file-save").click()
            saved = await (await coming.value).path()
            fetched = time.monotonic()
            came = await asyncio.to_thread(_hash, saved)
            await page.get_by_test_id("file-delete").click()
            await page.get_by_test_id("file-delete-confirm").click()
    up, down = sent - begin, fetched - asked
    return PageResult(
        round(up, 2), round(down, 2), round(size / 1e6 / up, 1), round(size / 1e6 / down, 1), came == digest
    )


async def _over(page: Page, way: str) -> None:
    async with asyncio.timeout(PATIENCE):
        await page.evaluate(_OVER, way)


def _write(path: Path, size: int) -> str:
    # not zeros: nothing on the way may compress them
    piece = os.urandom(16 << 20)
    digest = FileDigest()
    with path.open("wb") as file:
        for offset in range(0, size, len(piece)):
            part = piece[: size - offset]
            file.write(part)
            digest.update(part)
    return digest.hexdigest()


def _hash(path: Path) -> str:
    digest = FileDigest()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
