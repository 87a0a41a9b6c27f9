"""A field and an expert in real Chromium, the expert at the end of an impaired line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import Browser, Page

#: Seconds that a page may take for a step: two cores are shared with the encoder.
PATIENCE = 40.0

#: Of the field's picture; the expert's page is large enough to show all of it.
WIDTH, HEIGHT, FPS, FRAMES = 1280, 720, 30, 30
VIEWPORT = {"width": 1920, "height": 1080}

#: Remembers the page's connections, and sends them over the line: of the server's candidates the one of UDP is
#: kept, at the line's port.
_DETOUR = """
(() => {
  const Native = window.RTCPeerConnection;
  const made = [];
  Object.defineProperty(window, 'lineConnections', { value: made });
  window.RTCPeerConnection = class extends Native {
    constructor(...given) { super(...given); made.push(this); }
    setRemoteDescription(description) {
      const candidate = /^(a=candidate:\\S+ \\d udp \\d+ \\S+ )\\d+ /i;
      const kept = description.sdp.split('\\r\\n').filter((line) => !/^a=candidate:.* tcp /i.test(line));
      const sdp = kept.map((line) => line.replace(candidate, '$1PORT ')).join('\\r\\n');
      return super.setRemoteDescription({ type: description.type, sdp });
    }
  };
})();
"""

#: Where the page sends its field in one encoding, it is made to send three: a line is of use to layers alone.
_LAYERED = """
(() => {
  const add = RTCPeerConnection.prototype.addTransceiver;
  RTCPeerConnection.prototype.addTransceiver = function (track, init) {
    const only = init?.sendEncodings?.length === 1 ? init.sendEncodings[0] : null;
    if (track.kind !== 'video' || only === null) return add.call(this, track, init);
    const encodings = [['q', 4, 600e3], ['h', 2, 2500e3], ['f', 1, only.maxBitrate]];
    const sendEncodings = encodings.map(([rid, scaleResolutionDownBy, maxBitrate]) =>
      ({ rid, scaleResolutionDownBy, maxBitrate }));
    return add.call(this, track, { ...init, sendEncodings });
  };
})();
"""

#: What getStats says of the picture that is received, the newest where there are several; null before the first.
_PICTURE = """
(async () => {
  const found = [];
  for (const connection of window.lineConnections) {
    const report = [...(await connection.getStats()).values()];
    const pair = report.find((entry) => entry.type === 'candidate-pair' && entry.nominated);
    for (const entry of report) {
      if (entry.type !== 'inbound-rtp' || entry.kind !== 'video') continue;
      found.push({
        time: entry.timestamp / 1000, bytes: entry.bytesReceived, packets: entry.packetsReceived,
        lost: entry.packetsLost, repeated: entry.retransmittedPacketsReceived ?? 0, nacks: entry.nackCount ?? 0,
        plis: entry.pliCount ?? 0, decoded: entry.framesDecoded ?? 0, dropped: entry.framesDropped ?? 0,
        keys: entry.keyFramesDecoded ?? 0, height: entry.frameHeight ?? 0, freezes: entry.freezeCount ?? 0,
        frozen: entry.totalFreezesDuration ?? 0,
        roundTrip: pair?.currentRoundTripTime ?? 0,
      });
    }
  }
  const frames = Object.values(window.konsil?.frames ?? {});
  const newest = found.sort((a, b) => a.decoded - b.decoded).at(-1);
  return newest === undefined ? null : { ...newest, age: frames[0]?.age ?? null };
})()
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the browser says of the picture at one moment; counters since the beginning, times in seconds.

    `age` is the page's own figure in ms, None where it does not know.
    """

    time: float
    bytes: int
    packets: int
    lost: int
    repeated: int
    nacks: int
    plis: int
    decoded: int
    dropped: int
    keys: int
    height: int
    freezes: int
    frozen: float
    roundTrip: float  # noqa: N815 the browser's name
    age: float | None


def write_clip(path: Path, grain: float = 1.0) -> None:
    """Write a moving picture with as much detail as tissue has, in a loop, and a camera's grain (YUV4MPEG2, 4:2:0)."""
    chance = np.random.default_rng(1)
    side = 2048
    picture = np.zeros((side, side))
    for step in (8, 32, 128, 512):
        coarse = chance.normal(0, step**0.5, (side // step, side // step))
        picture += np.kron(coarse, np.ones((step, step)))
    picture = 128 + 30 * (picture - picture.mean()) / picture.std()
    chroma = np.full(HEIGHT * WIDTH // 2, 128, np.uint8).tobytes()
    with path.open("wb") as clip:
        clip.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(FRAMES):
            turn = 2 * np.pi * number / FRAMES
            x, y = int(350 + 60 * np.cos(turn)), int(350 + 60 * np.sin(turn))
            frame = picture[y : y + HEIGHT, x : x + WIDTH] + chance.normal(0, grain, (HEIGHT, WIDTH))
            clip.write(b"FRAME\n" + frame.clip(0, 255).astype(np.uint8).tobytes() + chroma)


async def publish_field(running: Browser, link: str) -> Page:
    """Join and share the field, as a person does."""
    page = await _open(running, link, {"width": 800, "height": 600}, _LAYERED)
    await page.get_by_test_id("join-without").click()
    await page.get_by_test_id("share-field").click()
    await page.get_by_test_id("field-device-0").click()
    return page


def detour(port: int) -> str:
    """Write what makes a page go over the line that ends at this port of the loopback."""
    return _DETOUR.replace("PORT", str(port))


async def watch(running: Browser, link: str, port: int) -> Page:
    """Join without camera, over the line that ends at this port of the loopback."""
    page = await _open(running, link, VIEWPORT, detour(port))
    await page.get_by_test_id("join-without").click()
    return page


async def _open(running: Browser, link: str, viewport: Any, script: str = "") -> Page:
    context = await running.new_context(
        viewport=viewport, locale="en-GB", permissions=["camera", "microphone"]
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    if script:
        await page.add_init_script(script)
    await page.goto(link)
    return page


async def read(page: Page) -> Reading | None:
    """Read what the browser says now; None while there is no picture."""
    found = await page.evaluate(_PICTURE)
    return None if found is None else Reading(**found)


async def picture_until(page: Page, condition: Callable[[Reading], bool]) -> Reading:
    """Wait for a reading of which the condition holds. Raise TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while True:
            reading = await read(page)
            if reading is not None and condition(reading):
                return reading
            await asyncio.sleep(0.1)


async def first_picture(page: Page) -> Reading:
    """Wait until the picture moves. Raise TimeoutError."""
    return await picture_until(page, lambda reading: reading.decoded >= 5)
