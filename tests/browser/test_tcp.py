"""Chromium where UDP does not pass: picture, sound and marks go over ICE-TCP, on the pages' port and on its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from media.plane import Address
from media.transport.transport import Transport
from tests.browser.chromium import DESKTOP, PATIENCE, browser, join, until
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until as until_true

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: What a firewall does that lets nothing but TCP to one port pass: no other candidate is of any use.
FIREWALL = """
(() => {
    const passes = line => !line.startsWith("a=candidate:") || / tcp \\d+ \\S+ PORT /.test(line);
    const set = RTCPeerConnection.prototype.setRemoteDescription;
    RTCPeerConnection.prototype.setRemoteDescription = function (description) {
        const sdp = description.sdp.split("\\r\\n").filter(passes).join("\\r\\n");
        return set.call(this, { type: description.type, sdp });
    };
})();
"""


async def person_behind_firewall(running: Browser, link: str, port: int) -> Page:
    """Open a link as somebody who reaches one TCP port, and nothing by UDP."""
    context = await running.new_context(
        viewport={"width": DESKTOP[0], "height": DESKTOP[1]},
        locale="en-GB",
        permissions=["camera", "microphone"],
        ignore_https_errors=True,
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE)
    await page.add_init_script(FIREWALL.replace("PORT", str(port)))
    await page.goto(link)
    return page


def selected(server: Served) -> list[Address]:
    """Where those in the room are sent to."""
    (conductor,) = server.service.rooms.values()
    transports: list[Transport | None] = []
    for member in conductor.members.values():
        transports += [member.publication.transport, member.watching.transport if member.watching else None]
    return [where for transport in transports if transport is not None and (where := transport.selected)]


async def test_the_picture_comes_over_tcp_on_both_ports(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        media_port = server.service.plane.address.port
        pages_port = int(server.url.rpartition(":")[2])
        surgeon = await person_behind_firewall(chromium, server.link("surgeon", "Dr. Li"), pages_port)
        expert = await person_behind_firewall(chromium, server.link("expert", "Dr. Keller"), media_port)
        await join(surgeon, media=True)
        await join(expert, media=False)
        producer = await until(expert, "k.producers.find(p => p.kind === 'video')?.producer")
        await until(expert, f"k.frames[{producer}].frames > 20")
        addresses = selected(server)
        assert len(addresses) >= 2
        assert all(address.tcp for address in addresses)

        # a mark, and the pointer on its data channel
        box = await expert.get_by_test_id(f"overlay-{producer}").first.bounding_box()
        assert box is not None
        await expert.keyboard.press("1")
        await expert.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.4)
        await expert.mouse.down()
        await expert.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6, steps=10)
        await expert.mouse.up()
        await until(surgeon, "k.marks.length === 1 && k.marks[0].sequence === 1")

        # who leaves takes the streams along
        assert server.service.plane.statistics().streams >= 2
        for page in (surgeon, expert):
            await page.context.close()
        await until_true(lambda: server.service.plane.statistics().streams == 0, 30)
