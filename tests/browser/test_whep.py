"""Foreign pages in Chromium: a WHIP client from npm publishes, a WHEP player from npm shows, and neither is ours.

Their page comes from another origin, so that every request needs CORS.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Page, Response

from tests.browser.chromium import browser, person, probe, until
from tests.helpers.served import served
from tests.helpers.udp_peers import until as until_true

pytestmark = [pytest.mark.browser]

HERE = Path(__file__).parent
PACKAGES = HERE.parent.parent / "web_client" / "node_modules"


@contextlib.asynccontextmanager
async def foreign_site() -> AsyncIterator[str]:
    """Serve the page and the packages that it takes, on a port of its own."""
    application = web.Application()
    application.router.add_get("/", _page)
    application.router.add_static("/npm", PACKAGES)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def _page(_: web.Request) -> web.StreamResponse:
    return web.FileResponse(HERE / "foreign.html")


def answers(page: Page, kept: list[tuple[str, int]]) -> None:
    """Keep the method and the status of every answer of a WHIP or WHEP address."""

    def keep(response: Response) -> None:
        if "/whip/" in response.url or "/whep/" in response.url:
            kept.append((response.request.method, response.status))

    page.on("response", keep)


async def test_a_wall_goes_on_when_another_encoder_takes_over(tmp_path: Path) -> None:
    asked: list[tuple[str, int]] = []
    # one candidate: the client joins several with commas when it restarts
    async with served(tmp_path, tcp_port=-1) as server, foreign_site() as site, browser() as chromium:
        camera, wall = await person(chromium, site), await person(chromium, site)
        answers(camera, asked)
        answers(wall, asked)
        await until(camera, "k.ready")
        await until(wall, "k.ready")
        whip, whep = (
            f"{server.url.replace('127.0.0.1', 'localhost')}/{name}/ward" for name in ("whip", "whep")
        )

        # there is no picture yet
        await wall.evaluate("([url, token]) => play(url, token)", [whep, server.token("observer")])
        await until(wall, "k.connection === 'connected'")
        surgeon = server.token("surgeon")
        await camera.evaluate("a => publish(...a)", [whip, surgeon, 320, "VP8"])
        await until(wall, "k.frames > 10 && k.width === 320")
        (conductor,) = server.service.rooms.values()
        publication = next(m.publication for m in conductor.members.values() if m.role == "surgeon")
        transport = publication.transport
        assert transport is not None
        first = transport.ufrags

        # the encoder's network changes: same keys, same streams, new paths
        await camera.evaluate("restart()")
        await until_true(lambda: transport.ufrags != first, 30)
        assert ("PATCH", 204) in asked
        assert ("PATCH", 200) in asked
        seen = await probe(wall, "k.frames")
        await until(wall, f"k.frames > {seen + 10}")
        assert await probe(camera, "k.publishing") == "connected"

        # another picture, in another codec: the player is not told of anything
        await camera.evaluate("stop()")
        await until_true(lambda: not conductor.room.producers, 30)
        await camera.evaluate("a => publish(...a)", [whip, surgeon, 640, "H264"])
        await until(wall, "k.width === 640")
        seen = await probe(wall, "k.frames")
        await until(wall, f"k.frames > {seen + 10} && k.connection === 'connected'")
        assert [method for method, _ in asked].count("DELETE") == 1

        await wall.evaluate("unload()")
        await camera.evaluate("stop()")
        await until_true(lambda: not server.service.rooms, 30)
        for page in (camera, wall):
            assert await probe(page, "k.errors") == []
        # the WHIP client hangs up before it deletes: by then the session may be gone
        assert {pair for pair in asked if pair[1] >= 400} <= {("DELETE", 404)}
