"""A device in earnest: an X screen, of a server without a monitor, is grabbed by FFmpeg, encoded and sent."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

from server.publisher.address import Address
from server.publisher.session import Session, Wishes
from server.publisher.source import Source
from server.publisher.whip import Whip
from tests.helpers.udp_peers import until
from tests.helpers.whip_endpoint import whip_endpoint


@contextlib.asynccontextmanager
async def screen() -> AsyncIterator[str]:
    """Serve a screen of 320x240; gives the name of its display."""
    reading, writing = os.pipe()
    process = await asyncio.create_subprocess_exec(
        "Xvfb", "-displayfd", str(writing), "-screen", "0", "320x240x24", "-nolisten", "tcp",
        pass_fds=[writing], stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    try:
        with os.fdopen(reading) as number:
            async with asyncio.timeout(40):
                yield f":{(await asyncio.to_thread(number.readline)).strip()}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_a_screen_is_sent_as_it_comes() -> None:
    async with screen() as display, whip_endpoint() as endpoint:
        address = Address(f"x11grab:{display}", {"framerate": "25"})
        source = await asyncio.to_thread(Source, address)
        assert source.live
        assert source.encodes

        async def publish() -> None:
            async with Whip(endpoint.url, "token") as whip:
                wishes = Wishes("ward", "screen", "Screen")
                await Session(source, whip, wishes, show=lambda _: None, say=lambda _: None).run()

        publishing = asyncio.create_task(publish())
        try:
            await until(lambda: len(endpoint.frames()) > 20 or publishing.done(), 30)
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
            source.close()
        assert len(endpoint.frames()) > 20
        assert endpoint.queries == [{"source": "screen", "label": "Screen"}]
        assert endpoint.ended
