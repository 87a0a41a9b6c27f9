"""Previews in a replay, in Chromium: the very moment's picture lies over the video at once, as what it is, until the
sharp one is there; nothing is lost where there is none, or a bad one."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from media.plane import Codec
from recorder.export.previews import make_previews
from recorder.seal import sm2
from recorder.signing import sign_recording
from tests.browser.accessibility import grave_findings
from tests.browser.barcodes import READ_PICTURE
from tests.browser.chromium import PATIENCE, browser, person, picture, probe, until
from tests.helpers.journals import RECORDING
from tests.helpers.numbered import numbered
from tests.helpers.served import Served, served
from tests.helpers.taught import FIRST, FRAME_TICKS, ROOM, entry, lay_down, mark

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Forty seconds: a page holds no more than some of them.
COUNT = 1200
#: An arrow on this picture, and another one three pictures later.
MARKED = 907
SEGMENT = re.compile(r"/7/\d+\.(m4s|webm)$")

_READ_CANVAS = f"canvas => ({READ_PICTURE})(canvas)"
_READ_VIDEO = f"""video => {{
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext('2d').drawImage(video, 0, 0);
    return ({READ_PICTURE})(canvas);
}}"""
_OPEN = "r => { location.hash += `&recording=${r}`; }"
_STARTED = "async r => (await (await fetch(`/api/recordings/${r}`)).json()).started"
_SEEK = """(bar, places) => {
    for (const to of places) { bar.value = to; bar.dispatchEvent(new Event('input', {bubbles: true})); }
}"""


def name(number: int) -> int:
    return FIRST + number * FRAME_TICKS


def laid_down(folder: Path, codec: Codec, *, previews: bool = True) -> float:
    """Make a recording of numbered pictures with two marks, and its preview; gives where its picture begins."""
    arrows = [mark(f"m-{at}", "arrow", [[0.2, 0.6], [0.5, 0.4]], name(at)) for at in (MARKED, MARKED + 3)]
    added = [entry(n + 1, 39.0, {"kind": "add", "mark": arrow}) for n, arrow in enumerate(arrows)]
    frames = numbered(codec, COUNT, key_every=300)
    described = lay_down(folder, frames, codec, operations=added, pointers=[])
    # a server would prepare it once more before it signs it, without the marks, which its journal has not
    signing = folder / "keys" / "signing.pem"
    signing.parent.mkdir()
    sm2.generate(signing)
    sign_recording(folder / "recordings" / RECORDING, signing, time.time())
    if previews:
        assert make_previews(folder / "recordings" / RECORDING, None) == ["7.preview"]
    (camera,) = described["cameras"]
    assert camera["first_rtp_timestamp"] == FIRST
    return float(camera["offset"])


class Line:
    """What the page's segments wait for, so that no sharp picture comes before it may."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.pieces = 0

    async def watch(self, page: Page) -> None:
        await page.route(SEGMENT, self._pass)
        page.on("request", self._count)

    async def _pass(self, route: Route) -> None:
        await self.open.wait()
        await route.continue_()

    def _count(self, request: Any) -> None:
        self.pieces += request.url.endswith(".kpv")


async def opened(server: Served, chromium: Any, line: Line, before: str = "") -> Page:
    page = await person(chromium, server.link("trainee", "Maria", room=ROOM, page="replay"), before=before)
    await line.watch(page)
    await page.evaluate(_OPEN, RECORDING)
    await until(page, f"k.state === 'replay' && k.rtpTimestamp === {name(0)} && k.preview === null")
    return page


async def seek(page: Page, *places: float) -> None:
    """Move the playhead as a hand does, over these places."""
    await page.get_by_test_id("seek").evaluate(_SEEK, places)


@pytest.mark.parametrize("codec", [Codec.H264, Codec.VP8])
async def test_the_preview_is_there_at_once_and_then_the_sharp_picture(tmp_path: Path, codec: Codec) -> None:
    offset = await asyncio.to_thread(laid_down, tmp_path, codec)

    def place(number: int) -> float:
        return offset + (number + 0.5) / 30

    async with served(tmp_path) as server, browser() as chromium:
        line = Line()
        page = await opened(server, chromium, line)
        canvas, video = page.get_by_test_id("preview-7"), page.get_by_test_id("video-7")
        line.open.clear()

        # no segment comes, and the very frame is there, with its name, its marks and its words
        await seek(page, place(MARKED))
        await until(page, f"k.preview === {name(MARKED)} && k.rtpTimestamp === k.preview")
        assert await canvas.evaluate(_READ_CANVAS) == MARKED
        await until(page, "k.marksDrawnOn(7).length === 1")
        assert await probe(page, "k.marksDrawnOn(7)[0].mark") == f"m-{MARKED}"
        said = page.get_by_test_id("previewed-7")
        await expect(said).to_have_text("Preview: the sharp picture is coming", timeout=PATIENCE)
        await expect(said).to_have_attribute("role", "status")
        plate = await page.get_by_test_id("mode-7").get_attribute("data-at")
        started = await page.evaluate(_STARTED, RECORDING)
        assert (float(plate or 0) - started) / 1000 == pytest.approx(place(MARKED), abs=0.04)
        assert await grave_findings(page) == []
        for width, height in ((1440, 900), (1180, 820)):
            await page.set_viewport_size({"width": width, "height": height})
            # it lies where the overlay lies, which is where the picture is
            drawn, over = await canvas.bounding_box(), await page.get_by_test_id("overlay-7").bounding_box()
            assert drawn == pytest.approx(over, abs=1)
            if codec is Codec.H264:
                await picture(page, f"replay-preview-{width}")

        # a step by a frame, and three faster than any picture comes
        for _ in range(3):
            await page.keyboard.press(".")
        await until(page, f"k.preview === {name(MARKED + 3)}")
        assert await canvas.evaluate(_READ_CANVAS) == MARKED + 3
        await until(page, "k.marksDrawnOn(7).length === 2")
        await page.keyboard.press(",")
        await until(page, f"k.preview === {name(MARKED + 2)}")
        await until(page, "k.marksDrawnOn(7).length === 1")

        # dragged over everything, back and forth, within one turn of the page: what stays is the last wish
        numbers = [*range(20, COUNT, 37), *range(COUNT - 5, 100, -53), 555]
        await seek(page, *(place(number) for number in numbers))
        await until(page, f"k.preview === {name(555)}")
        assert await canvas.evaluate(_READ_CANVAS) == 555

        # its segments come: the sharp one, and no word more
        line.open.set()
        await until(page, f"k.preview === null && k.rtpTimestamp === {name(555)}")
        assert await video.evaluate(_READ_VIDEO) == 555
        await expect(canvas).to_be_hidden()
        await expect(said).to_have_count(0)

        # it plays its own pictures
        await seek(page, place(1000))
        await page.get_by_test_id("play").click()
        await until(page, f"k.playing && k.preview === null && k.position > {place(1010)}")
        await expect(canvas).to_be_hidden()


async def test_the_words_are_chinese_too(tmp_path: Path) -> None:
    offset = await asyncio.to_thread(laid_down, tmp_path, Codec.H264)
    async with served(tmp_path) as server, browser() as chromium:
        line = Line()
        page = await opened(server, chromium, line, "localStorage.setItem('konsil.language', 'zh')")
        line.open.clear()
        await seek(page, offset + 30)
        await expect(page.get_by_test_id("previewed-7")).to_have_text(
            "预览画面：清晰画面正在载入", timeout=PATIENCE
        )
        for width, height in ((1440, 900), (1180, 820)):
            await page.set_viewport_size({"width": width, "height": height})
            await picture(page, f"replay-preview-zh-{width}")
        line.open.set()
        await until(page, "k.preview === null")


async def test_a_damaged_piece_costs_the_previews_and_nothing_else(tmp_path: Path) -> None:
    offset = await asyncio.to_thread(laid_down, tmp_path, Codec.H264)

    async def damage(route: Route) -> None:
        answer = await route.fetch()
        body = bytearray(await answer.body())
        body[9] ^= 0x40
        await route.fulfill(response=answer, body=bytes(body))

    async with served(tmp_path) as server, browser() as chromium:
        line = Line()
        line.open.clear()
        page = await person(chromium, server.link("trainee", "Maria", room=ROOM, page="replay"))
        await line.watch(page)
        await page.route("**/*.kpv", damage)
        async with page.expect_response("**/*.kpv", timeout=PATIENCE):
            await page.evaluate(_OPEN, RECORDING)
        line.open.set()
        await until(page, f"k.state === 'replay' && k.rtpTimestamp === {name(0)}")
        await seek(page, offset + 30.02)
        await until(page, f"k.rtpTimestamp === {name(900)} && k.preview === null")
        assert await page.get_by_test_id("video-7").evaluate(_READ_VIDEO) == 900
        # nothing more is asked of them
        assert line.pieces == 1


async def test_a_browser_without_the_decoder_replays_as_before(tmp_path: Path) -> None:
    offset = await asyncio.to_thread(laid_down, tmp_path, Codec.H264)
    async with served(tmp_path) as server, browser() as chromium:
        line = Line()
        page = await opened(server, chromium, line, "delete globalThis.VideoDecoder")
        await seek(page, offset + 30.02)
        await until(page, f"k.rtpTimestamp === {name(900)} && k.preview === null")
        assert line.pieces == 0
