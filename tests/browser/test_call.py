"""People in Chromium: one shows its camera, another sees it move and draws on it; who is heard, and in which form."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.chromium import browser, join, person, picture, probe, until
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Keeps the page's connections where a test finds them.
_CONNECTIONS = """
    window.connections = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...given) { super(...given); window.connections.push(this); }
    };
"""
#: The connection on which a page publishes fails, as far as the page can tell.
_FAIL = """() => {
    const connection = window.connections.find(one => one.getSenders().some(sender => sender.track));
    Object.defineProperty(connection, "connectionState", { get: () => "failed" });
    connection.dispatchEvent(new Event("connectionstatechange"));
}"""
#: A browser that knows no redundant sound: of what it is offered it understands the rest.
_PLAIN = r"""
    const takes = RTCPeerConnection.prototype.setRemoteDescription;
    RTCPeerConnection.prototype.setRemoteDescription = function ({type, sdp}) {
        const known = sdp.split("\r\n").filter(line => !/^a=(rtpmap|fmtp|rtcp-fb):63 /.test(line));
        sdp = known.map(line => line.startsWith("m=audio") ? line.replace(/ 63\b/, "") : line).join("\r\n");
        return takes.call(this, {type, sdp});
    };
"""
_SOUND = """async kind => {
    for (const connection of window.connections)
        for (const one of (await connection.getStats()).values())
            if (one.type === kind && one.kind === "audio" && (one.packetsReceived ?? one.packetsSent) > 0) return one;
    return null;
}"""


async def _sound(page: Page, kind: str, packets: int) -> dict[str, Any]:
    """Read a page's statistics of its sound, once it has so many packets."""
    async with asyncio.timeout(30):
        while True:
            found: dict[str, Any] | None = await page.evaluate(_SOUND, kind)
            if found is not None and found.get("packetsReceived", found.get("packetsSent", 0)) >= packets:
                return found
            await asyncio.sleep(0.1)


async def test_sound_comes_with_redundancy_and_plain_for_who_does_not_take_it(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        speaker = await person(chromium, server.link("surgeon", "Dr. Zhang Wei"), before=_CONNECTIONS)
        full = await person(chromium, server.link("trainee", "Full"), before=_CONNECTIONS)
        plain = await person(chromium, server.link("trainee", "Plain"), before=_CONNECTIONS + _PLAIN)
        await join(speaker, media=True)
        await join(full, media=True)
        await join(plain, media=True)
        takes, alone = await asyncio.gather(
            *(_sound(page, "inbound-rtp", packets=150) for page in (full, plain))
        )
        for heard in (takes, alone):
            assert heard["totalAudioEnergy"] > 0
            assert heard["concealedSamples"] < 0.3 * heard["totalSamplesReceived"]
        # getStats names Opus whatever it comes in: the sizes tell, and what the server was told
        size = [heard["bytesReceived"] / heard["packetsReceived"] for heard in (takes, alone)]
        assert size[0] == pytest.approx(2 * size[1], rel=0.15)
        sent = await _sound(speaker, "outbound-rtp", packets=150)
        assert sent["bytesSent"] / sent["packetsSent"] == pytest.approx(size[0], rel=0.1)
        (conductor,) = server.service.rooms.values()
        slots = [
            s for subscriber in conductor.router.subscribers.values() for s in subscriber.slots if not s.video
        ]
        assert {slot.red_payload_type for slot in slots if slot.started} == {63, 0}


async def test_a_mark_stands_on_the_same_frame_for_both(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        surgeon = await person(chromium, server.link("surgeon", "Dr. Zhang Wei"), before=_CONNECTIONS)
        expert = await person(chromium, server.link("expert", "Prof. Keller"))
        await picture(surgeon, "join-desktop")
        await join(surgeon, media=True)
        await join(expert, media=False)

        # the picture moves
        producer = await until(expert, "k.producers.find(p => p.kind === 'video')?.producer")
        await until(expert, f"k.frames[{producer}].frames > 20")
        first = await probe(expert, f"k.frames[{producer}].rtpTimestamp")
        await until(expert, f"k.frames[{producer}].rtpTimestamp !== {first}")
        assert (
            await until(expert, f"k.frames[{producer}].age !== null && k.frames[{producer}].source")
            == "estimated"
        )
        # a browser that sends nothing learns its round trip from us, and so when each frame was captured
        await until(expert, f"k.frames[{producer}].browserKnows && k.frames[{producer}].age < 2000")

        # the expert draws
        box = await expert.get_by_test_id(f"overlay-{producer}").first.bounding_box()
        assert box is not None
        await expert.keyboard.press("1")
        x, y = box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.4
        await expert.mouse.move(x, y)
        await expert.mouse.down()
        for step in range(20):
            await expert.mouse.move(x + 4 * step, y + 2 * step)
        await expert.mouse.up()
        mark = await until(expert, "k.marks.length === 1 && k.marks[0].sequence === 1 && k.marks[0]")
        assert mark["anchor"]["producer"] == producer

        # the surgeon sees the same mark, on the same frame
        await until(surgeon, "k.marks.length === 1")
        seen = await until(surgeon, f"k.marksDrawnOn({producer})[0]")
        drawn = await until(expert, f"k.marksDrawnOn({producer})[0]")
        assert seen["mark"] == drawn["mark"] == mark["mark"]
        assert seen["rtp_timestamp"] == drawn["rtp_timestamp"] == mark["anchor"]["rtp_timestamp"]
        await picture(expert, "mark-expert-desktop")
        await picture(surgeon, "mark-surgeon-desktop")

        # the surgeon's connection dies and is built anew: the picture goes on as the same one, the mark on it is grey
        await surgeon.evaluate(_FAIL)
        await until(expert, f"k.producers.find(p => p.producer === {producer}).since !== null")
        before = await probe(expert, f"k.frames[{producer}].frames")
        await until(expert, f"k.frames[{producer}].frames > {before} + 10 && !k.frames[{producer}].frozen")
        await expert.mouse.move(x, y)
        await expert.mouse.down()
        await expert.mouse.move(x + 80, y - 40, steps=5)
        await expert.mouse.up()
        now = f"k.marksDrawnOn({producer})"
        two = await until(expert, f"{now}.length === 2 && {now}")
        (old,) = (m for m in two if m["mark"] == mark["mark"])
        assert (old["outdated"], old["stale"]) == (True, True)
        # the timeline went on, by seconds
        (new,) = (m["rtp_timestamp"] for m in two if m["mark"] != mark["mark"] and not m["outdated"])
        assert 0 < (new - mark["anchor"]["rtp_timestamp"]) % (1 << 32) < 90_000 * 120
        await picture(expert, "mark-outdated-desktop")

        # one key clears the field
        await surgeon.keyboard.press("Delete")
        await until(expert, "k.marks.length === 0")
