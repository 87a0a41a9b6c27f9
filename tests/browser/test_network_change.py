"""A participant's network changes in the middle of a consultation: a real browser on a machine with two lines.

The figures (how long no picture came, and none went) stand in build/figures/network_change.json afterwards.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from loadtests.caller import Caller
from tests.browser.chromium import PATIENCE, browser, executable, join, person, probe, until
from tests.helpers.namespaces import two_lines
from tests.helpers.peer import Publisher, Watcher
from tests.helpers.served import Served, served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FIGURES = Path("build/figures/network_change.json")

#: Notes in the page when frames came, and what it thought of its paths.
WATCH = """(producer => {
    let newest = performance.now(), frames = -1, path = '';
    window.noted = { gap: 0, paths: [] };
    clearInterval(window.noting);
    window.noting = setInterval(() => {
        const k = window.konsil, now = performance.now(), count = k.frames[producer]?.frames;
        if (count !== frames) {
            window.noted.gap = Math.max(window.noted.gap, now - newest);
            [frames, newest] = [count, now];
        }
        if (k.path !== path) window.noted.paths.push(path = k.path);
    }, 10);
})"""


#: Gathers candidates once; is this host among them?
GATHERS = """(async host => {
    const connection = new RTCPeerConnection();
    connection.createDataChannel('');
    await connection.setLocalDescription(await connection.createOffer());
    for (let n = 0; n < 20 && connection.iceGatheringState !== 'complete'; n += 1) {
        await new Promise(done => setTimeout(done, 50));
    }
    const gathered = connection.localDescription.sdp.includes(` ${host} `);
    connection.close();
    return gathered;
})"""


def keep(figures: dict[str, Any]) -> None:
    """Write the figures down."""
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=1))


async def packets_of(server: Served, producer: int) -> int:
    """Count what the server received of a producer."""
    statistics = server.service.plane.statistics().producers[producer]  # type: ignore[index]
    return sum(encoding.packets for encoding in statistics.encodings)


async def uplink_gap(server: Served, producer: int, stop: asyncio.Event) -> float:
    """Measure the longest time, in ms, in which nothing came of a producer."""
    clock = asyncio.get_running_loop().time
    count, newest, gap = -1, clock(), 0.0
    while not stop.is_set():
        seen, now = await packets_of(server, producer), clock()
        if seen != count:
            count, newest, gap = seen, now, max(gap, now - newest)
        # a look ten times as often as the shortest time of interest
        await asyncio.wait({asyncio.ensure_future(stop.wait())}, timeout=0.01)
    return gap * 1000


async def goes_on(page: Page, server: Served, watched: int, sent: int) -> None:
    """Wait until pictures come and go again."""
    seen = await probe(page, f"k.frames[{watched}].frames")
    await until(page, f"k.frames[{watched}].frames > {seen} + 20 && k.path === 'steady'")
    before = await packets_of(server, sent)
    async with asyncio.timeout(PATIENCE / 1000):
        while await packets_of(server, sent) < before + 20:
            await probe(page, "k.state")


async def test_pictures_go_on_when_the_network_changes(tmp_path: Path) -> None:
    async with two_lines() as lines, served(tmp_path, host=lines.server) as server:
        program = lines.wrap(tmp_path, executable() or "chromium")
        trusted = f"--unsafely-treat-insecure-origin-as-secure={server.url}"
        async with (
            browser(trusted, program=str(program)) as chromium,
            Caller(server.url, server.token("surgeon", "Dr. S")) as surgeon,
        ):
            # somebody who watches the camera: what nobody watches rests
            publisher, watcher = Publisher(surgeon), Watcher(surgeon)
            try:
                field = (await publisher.publish("field"))[0]["producer"]
                lines.set_line(1, up=False)
                page = await person(chromium, server.link("expert", "Dr. E"))
                await join(page, media=True)
                own = "p.kind === 'video' && p.participant === k.self"
                camera = await until(page, f"k.producers.find(p => {own})?.producer")
                await watcher.serve_offers(2)
                await until(page, f"k.frames[{field}]?.frames > 40")
                await goes_on(page, server, field, camera)
                figures = {}

                # from one line to the other, with a moment on neither: as from mobile to fibre
                async def hand_over() -> None:
                    lines.set_line(0, up=False)
                    lines.set_line(1, up=True)

                figures["hand_over"] = await measured(page, server, field, camera, hand_over)
                # every producer keeps its number, so marks stay valid
                assert await probe(page, f"k.producers.find(p => {own}).producer") == camera

                # the line in use dies, in silence, and another one has been there all the time
                lines.set_line(0, up=True)
                await knows(page, lines.hosts[0])
                await goes_on(page, server, field, camera)

                async def die() -> None:
                    lines.black_hole(1)

                figures["one_of_two_dies"] = await measured(page, server, field, camera, die)
                assert await probe(page, "k.state") == "connected"
                keep(figures)

                # for so long on neither that connections are built anew: the camera goes on as the same one
                (conductor,) = server.service.rooms.values()
                sent = conductor.router.producers[camera]
                before = sent.transport
                lines.set_line(0, up=False)
                await until(page, "k.path === 'rejoining'")
                lines.set_line(0, up=True)
                await goes_on(page, server, field, camera)
                (again,) = await probe(page, f"k.producers.filter(p => {own})")
                assert (again["producer"], again["interrupted"]) == (camera, False)
                # whether the publishing one was among them depends on the moment at which the line came back
                assert (again["since"] is not None) == (sent.transport != before)
            finally:
                await watcher.close()
                await publisher.close()


async def knows(page: Page, host: str) -> None:
    """Wait until the browser has heard of an address: Chromium on Linux looks at its networks 2 s after a change."""
    async with asyncio.timeout(PATIENCE / 1000):
        while not await page.evaluate(GATHERS, host):
            await probe(page, "k.state")


def transports(server: Served, camera: int) -> tuple[Any, Any]:
    """Return the server's ends of what the page sends over and of what it is sent over."""
    (conductor,) = server.service.rooms.values()
    (owner,) = [member for member in conductor.members.values() if camera in member.publication.producers]
    return owner.publication.transport, owner.watching.transport  # type: ignore[union-attr]


async def measured(page: Page, server: Served, field: int, camera: int, change: Any) -> dict[str, Any]:
    """Make a change, wait until pictures go both ways again; returns the gaps in ms and the path's states.

    A new way is sought for the connections that stand, and only what finds none is built anew, which the page says.
    """
    before = transports(server, camera)
    await page.evaluate(f"{WATCH}({field})")
    stop = asyncio.Event()
    uplink = asyncio.create_task(uplink_gap(server, camera, stop))
    try:
        await change()
        await until(page, "k.path !== 'steady'")
        await goes_on(page, server, field, camera)
    finally:
        stop.set()
    noted = await page.evaluate("window.noted")
    paths = noted["paths"]
    assert "restarting" in paths[: paths.index("rejoining") if "rejoining" in paths else None]
    assert "rejoining" in paths or transports(server, camera) == before
    return {"downlink_ms": round(noted["gap"]), "uplink_ms": round(await uplink), "paths": noted["paths"]}
