"""A mark that follows its tissue in Chromium: where its pixels are, frame by frame, against the clip's known movement.

The truth is the clip's (tests/helpers/tracked_clip.py), the frame is told by its own RTP timestamp and the barcode that
it bears, and the mark is where the overlay's canvases have its pixels in the very rendering that shows the frame.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import groupby
from math import hypot
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from playwright.async_api import Page

from loadtests.tracking.scenes import HEIGHT, RATE, WIDTH
from tests.browser.barcodes import seen, watch
from tests.browser.chromium import browser, join, person, picture, probe, until
from tests.helpers.publishing import publishing
from tests.helpers.served import served
from tests.helpers.tracked_clip import CUT_AT, FRAMES, moved, tracked_clip

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MAIN = "[data-testid=main-picture] video"
TICKS = 90_000 // RATE
#: Errors are told in px of a picture so wide.
WIDE = 640
#: A mark that is further off than this is wrong: 5 % of the height.
WRONG = 0.05 * WIDE * HEIGHT / WIDTH
#: For so long it may be wrong and not grey, in frames of the clip.
LONGEST = RATE * 200 // 1000

#: Notes for each frame that is shown where an overlay has a mark's pixels, in which ink, in the same rendering.
_NOTE = """([selector, producer, colour]) => {
    const above = document.querySelector(`[data-testid=overlay-${producer}]`);
    const [video, below] = [document.querySelector(selector), above.previousElementSibling];
    const notes = (window.marked = []);
    const channel = at => parseInt(colour.slice(at, at + 2), 16);
    const inks = { good: [1, 3, 5].map(channel), grey: [0x9a, 0xa3, 0xad] };
    const read = rtpTimestamp => {
        const box = above.getBoundingClientRect();
        const [width, height] = [Math.round(box.width), Math.round(box.height)];
        const context = new OffscreenCanvas(width, height).getContext('2d');
        for (const canvas of [...below.querySelectorAll('canvas'), ...above.querySelectorAll('canvas')]) {
            const at = canvas.getBoundingClientRect();
            // a patch that is not in use is not displayed
            if (at.width > 0) context.drawImage(canvas, at.left - box.left, at.top - box.top, at.width, at.height);
        }
        const { data } = context.getImageData(0, 0, width, height);
        const note = { rtpTimestamp, good: 0, grey: 0, plate: 0, x: 0, y: 0 };
        let [left, top, right, bottom] = [width, height, -1, -1];
        for (let at = 0; at < data.length; at += 4) {
            if (data[at + 3] < 150) continue;
            const near = ink => ink.reduce((sum, value, n) => sum + Math.abs(data[at + n] - value), 0) < 24;
            if (near(inks.good)) note.good += 1;
            if (near(inks.grey)) note.grey += 1;
            if (near([6, 10, 14])) note.plate += 1;
            if (!near([255, 255, 255])) continue;
            const [x, y] = [(at / 4) % width, Math.floor(at / 4 / width)];
            [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
        }
        [note.x, note.y] = [(left + right + 1) / 2 / width, (top + bottom + 1) / 2 / height];
        notes.push(note);
    };
    const watch = (_, { rtpTimestamp }) => {
        video.requestVideoFrameCallback(watch);
        // after all that paints before this frame is shown
        requestAnimationFrame(() => setTimeout(() => read(rtpTimestamp)));
    };
    video.requestVideoFrameCallback(watch);
}"""


@dataclass(frozen=True, slots=True)
class Shown:
    """One frame as the page showed it: which of the clip's, in which ink the mark was, and how far off, px."""

    frame: int  # counted through the clip's loops
    good: bool
    grey: bool
    error: float
    away: float  # where it belongs, from where it was drawn, in picture heights

    @property
    def number(self) -> int:
        return self.frame % FRAMES


async def test_a_followed_mark_moves_with_its_tissue_and_greys_after_a_cut(tmp_path: Path) -> None:
    async with (
        served(tmp_path) as server,
        publishing(server, tracked_clip(), frames=FRAMES),
        browser() as chromium,
    ):
        expert = await person(chromium, server.link("expert", "Prof. Keller"), (1024, 700))
        await join(expert, media=False)
        producer = await until(expert, "k.producers.find(p => p.kind === 'video')?.producer")
        await until(expert, f"k.frames[{producer}]?.frames > 5")
        await watch(expert, MAIN)
        # by one key and back, said both times and shown on the key of the line; remembered by this browser
        for key, remembered in (("a", "on"), ("a", "off")):
            await expert.keyboard.press(key)
            assert await expert.evaluate("localStorage.getItem('konsil.follow')") == remembered
        assert (
            await expert.get_by_test_id("pen-said").inner_text()
            == "Marks stay where they are drawn, and turn grey when the camera moves."
        )
        await expert.get_by_test_id("style").click()
        await expert.get_by_test_id("follow").click()
        assert await expert.get_by_test_id("follow").get_attribute("aria-checked") == "true"
        await picture(expert, "following-chosen")
        await expert.keyboard.press("Escape")
        await expert.reload()
        await join(expert, media=False)
        await until(expert, f"k.frames[{producer}]?.frames > 5")
        await watch(expert, MAIN)
        await expert.keyboard.press("3")
        await newest(expert, 5, 90)
        await draw(expert, producer)
        (mark,) = await until(expert, "k.marks.length === 1 && k.marks[0].sequence !== null && k.marks")
        colour = await probe(expert, "k.participants.find(p => p.participant === k.self).colour")
        await expert.evaluate(_NOTE, [MAIN, producer, colour])

        # with the tissue, and grey in the cut; a busy machine may need another loop of the clip
        async with asyncio.timeout(60):
            while True:
                shown = await judged(expert, mark)
                if whole(shown):
                    break
                await asyncio.sleep(0.25)
        await picture(expert, "following-cut")

    good = [one for one in shown if one.good and one.number < CUT_AT]
    assert median(one.error for one in good) < 4
    # wherever it was wrong, or its tissue away, it was grey within 200 ms, told by the frames themselves
    for lying, run in groupby(
        shown, key=lambda one: one.good and (one.number >= CUT_AT or one.error > WRONG)
    ):
        frames = [one.frame for one in run]
        assert not lying or frames[-1] - frames[0] < LONGEST, frames
    # it is the one or the other
    assert all(one.good != one.grey for one in shown)


def whole(shown: list[Shown]) -> bool:
    """Say whether all was seen: the mark far from where it was drawn, and the cut after that."""
    away = [one.frame for one in shown if one.good and one.number < CUT_AT and one.away > 0.04]
    cut = [
        one for one in shown[::-1] if one.grey and one.number >= CUT_AT and away[20:] and one.frame > away[20]
    ]
    return len(cut) > 10


async def newest(page: Page, begin: int, end: int) -> None:
    """Wait until the page shows a frame of this part of the clip."""
    await page.evaluate(
        """([begin, end]) => new Promise(done => {
            const timer = setInterval(() => {
                const number = window.seen.main.findLast(frame => frame.number !== null)?.number ?? -1;
                if (number < begin || number >= end) return;
                clearInterval(timer);
                done();
            }, 20);
        })""",
        [begin, end],
    )


async def draw(page: Page, producer: int) -> None:
    """Draw an ellipse round something that can be followed, and take the mouse away."""
    box = await page.get_by_test_id(f"overlay-{producer}").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 0.40 * box["width"], box["y"] + 0.55 * box["height"])
    await page.mouse.down()
    await page.mouse.move(box["x"] + 0.46 * box["width"], box["y"] + 0.66 * box["height"], steps=3)
    await page.mouse.up()
    await page.mouse.move(1, 1)


async def judged(page: Page, mark: dict[str, Any]) -> list[Shown]:
    """Hold what the page showed against the clip."""
    barcodes: dict[int, int] = {
        f["rtpTimestamp"]: f["number"] for f in await seen(page) if f["number"] is not None
    }
    known, number = next(iter(barcodes.items()))

    def frame(timestamp: int) -> int:
        since = (timestamp - known + (1 << 31)) % (1 << 32) - (1 << 31)
        return number + round(since / TICKS)

    # the timestamps count as the barcodes do
    assert all((frame(timestamp) - number) % FRAMES == 0 for timestamp, number in barcodes.items())
    drawn = frame(mark["anchor"]["rtp_timestamp"]) % FRAMES
    (left, top), (right, bottom) = mark["points"]
    shown = []
    for note in await page.evaluate("window.marked"):
        here = frame(note["rtpTimestamp"])
        x, y = moved(drawn, here % FRAMES)
        beside = note["x"] - (left + right) / 2, (note["y"] - (top + bottom) / 2) * HEIGHT / WIDTH
        error = WIDE * hypot(beside[0] - x * HEIGHT / WIDTH, beside[1] - y * HEIGHT / WIDTH)
        grey = note["grey"] > 30 and note["plate"] > 100
        shown.append(Shown(here, note["good"] > 30, grey, error, hypot(x, y)))
    return shown
