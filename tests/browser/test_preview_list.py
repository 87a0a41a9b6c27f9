"""The list of recordings says that a preview is being made, how far it is, and no more when it is there."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from playwright.async_api import expect

from media.plane import Codec
from tests.browser.chromium import PATIENCE, browser, person
from tests.helpers.journals import RECORDING
from tests.helpers.numbered import numbered
from tests.helpers.served import Served, served
from tests.helpers.taught import ROOM, lay_down
from tests.helpers.udp_peers import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def worker_of(server: Served) -> int:
    """Have the preview made, and give the process that does."""
    bearer = server.bearer("trainee", ROOM)
    answer = await server.ask("GET", f"/api/recordings/{RECORDING}/7/preview.json", bearer)
    assert answer.status == 204
    previews = server.service.previews
    await until(lambda: previews._making is not None and previews._making[1].process is not None, 20)
    assert previews._making is not None
    process = previews._making[1].process
    assert process is not None
    return process.pid


async def test_the_list_says_how_far_a_preview_is(tmp_path: Path) -> None:
    async with served(tmp_path, previews=True) as server, browser() as chromium:
        frames = numbered(Codec.H264, 90)
        await asyncio.to_thread(lay_down, tmp_path, frames, Codec.H264, operations=[], pointers=[])
        worker = await worker_of(server)
        # it stands still as long as somebody looks
        os.kill(worker, signal.SIGSTOP)
        try:
            page = await person(chromium, server.link("trainee", "Maria", ROOM, page="replay"), (1180, 820))
            said = page.get_by_test_id(f"preview-{RECORDING}")
            await expect(said).to_have_text("preview being made, 0 %", timeout=PATIENCE)
            # it can be replayed all the same
            await expect(page.get_by_test_id(f"recording-{RECORDING}")).to_be_enabled()
        finally:
            os.kill(worker, signal.SIGCONT)
        await expect(said).to_have_count(0, timeout=PATIENCE)
        assert (tmp_path / "recordings" / RECORDING / "7.preview").exists()
