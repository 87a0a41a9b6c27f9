"""Seeks without previews, key frames far apart: what is on the glass on the way says of which moment it is.

The page is watched as `python -m loadtests replay` does it: so this holds the load test's own eyes to be right, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from loadtests.replay_page import ReplayPage
from loadtests.replay_recording import Wanted, ensure_recording
from loadtests.server_process import ROOM
from media.codecs import h264
from media.plane import Codec
from tests.browser.chromium import browser, person, until
from tests.helpers.numbered import numbered
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: A key frame every eight seconds; the pictures bear their numbers, and come round with them.
WANTED = Wanted(hours=0.01, bitrate=1_000_000, fps=30, key_frame_s=8)
GROUP = WANTED.clip_frames

#: A browser that loses the next seek (`loses`), or from now on tells no page of its frames (`tellsNobody`).
_FORGETFUL = """
    delete globalThis.VideoDecoder;
    const time = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'currentTime');
    const set = function (to) {
        if (window.loses) window.loses = false;
        else time.set.call(this, to);
    };
    Object.defineProperty(HTMLMediaElement.prototype, 'currentTime', { ...time, set });
    const ask = HTMLVideoElement.prototype.requestVideoFrameCallback;
    HTMLVideoElement.prototype.requestVideoFrameCallback = function (tell) {
        return ask.call(this, (...frame) => window.tellsNobody || tell(...frame));
    };
"""
_GO = "(bar, to) => { bar.value = to; bar.dispatchEvent(new Event('input', {bubbles: true})); }"


def pictures(wanted: Wanted, _: Path) -> Sequence[Sequence[bytes]]:
    return [h264.packetise(frame.data, 1150) for frame in numbered(Codec.H264, GROUP, GROUP, height=480)]


async def test_a_seek_shows_the_key_frame_as_what_it_is_and_then_the_very_picture(tmp_path: Path) -> None:
    made = await asyncio.to_thread(ensure_recording, WANTED, folder=tmp_path, pictures=pictures)
    async with served(made.archive) as server, browser() as chromium:
        link = server.link("trainee", "Maria", room=ROOM, page="replay")
        page = await person(chromium, link, before="delete globalThis.VideoDecoder")
        shown = ReplayPage(page, made)
        opening = await shown.open()
        assert 0 < opening.first == opening.sharp
        # what was read there proves each picture: its barcode, and the name that the page gives it
        far = await shown.seek(3 * GROUP + 220)
        assert far.distance_s == pytest.approx(220 / 30)
        # eight segments for it, and none of what lies behind before it is there
        assert far.segments == 8
        assert far.way[0] == pytest.approx(3 * GROUP / 30, abs=0.001)
        assert far.way[-1] == pytest.approx((3 * GROUP + 220) / 30, abs=0.001)
        assert far.first < far.exact

        # a frame on, and a place near the key frame: nothing else is shown on the way
        near = await shown.seek(3 * GROUP + 222)
        assert near.way == pytest.approx(((3 * GROUP + 222) / 30,), abs=0.001)
        key = await shown.seek(2 * GROUP + 10)
        assert key.way == pytest.approx(((2 * GROUP + 10) / 30,), abs=0.001)
        back = await shown.seek(230)
        assert back.way[0] == pytest.approx(0, abs=0.001)
        assert await shown.wrong_moments() == 0

        # it plays on from there
        await page.get_by_test_id("play").click()
        await until(page, f"k.playing && k.position > {231 / 30 + 0.5}")
        assert await shown.wrong_moments() == 0


async def test_a_seek_that_the_browser_loses_or_tells_nobody_of_is_there_all_the_same(tmp_path: Path) -> None:
    made = await asyncio.to_thread(ensure_recording, WANTED, folder=tmp_path, pictures=pictures)
    async with served(made.archive) as server, browser() as chromium:
        link = server.link("trainee", "Maria", room=ROOM, page="replay")
        page = await person(chromium, link, before=_FORGETFUL)
        shown = ReplayPage(page, made)
        await shown.open()
        for trouble, number in (("loses", 20), ("tellsNobody", 2 * GROUP + 220)):
            await page.evaluate(f"window.{trouble} = true")
            await page.get_by_test_id("seek").evaluate(_GO, shown.place(number))
            # the page names the very frame, and marks and clock are that frame's
            await until(page, f"k.rtpTimestamp === {WANTED.timestamp(number)}")
        assert await page.evaluate("window.loses") is False
