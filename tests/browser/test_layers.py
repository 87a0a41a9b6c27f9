"""Pictures in several sizes, from Chromium to Chromium: everybody is sent what fits, and names frames alike.

The camera bears a barcode, so that each decoded frame, of whatever size, says which captured frame it is.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from media.ids import ProducerId
from tests.browser.barcodes import seen, watch, write_camera
from tests.browser.chromium import PATIENCE, browser, join, person, probe, until
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until as comes

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PICTURE = "[data-testid=main-picture] video"

#: Windows in which the large picture is about 540, 270 and 130 pixels high.
LARGE, MIDDLE, SMALL = (1024, 700), (570, 400), (400, 265)

#: Frames after a change of size that are looked at, and how many of a row one may miss: a second's.
AFTER, MISSED = 10, 20

Frames = list[dict[str, Any]]


async def test_a_field_in_three_sizes(tmp_path: Path) -> None:
    camera = write_camera(tmp_path / "camera.y4m", width=1024, height=576)
    async with (
        served(tmp_path) as server,
        browser(f"--use-file-for-fake-video-capture={camera}") as chromium,
    ):
        surgeon = await person(chromium, server.link("surgeon", "Dr. Zhang Wei"))
        await join(surgeon, media=False)
        await surgeon.get_by_test_id("share-field").click()
        await surgeon.get_by_test_id("field-device-0").click()
        producer, large, changing = await _experts(server, chromium)
        await watch(surgeon, PICTURE)
        await _sizes(changing, producer, [(SMALL, 144), (MIDDLE, 288), (LARGE, 576), (SMALL, 144)])
        assert await until(changing, f"k.deliveries[{producer}]?.reason") == "size"

        # a frame has one number and one name, at whatever size, and at the surgeon's own camera too
        frames, others = await _read_together(changing, large, 20)
        assert {frame["height"] for frame in frames} >= {144, 288, 576}
        numbers = _numbers([*frames, *others])
        _goes_on(frames, others)

        # the surgeon's own
        own: Frames = await probe(surgeon, "k.ownFrames")
        captured = {f["captureTime"]: f["number"] for f in await seen(surgeon) if f["number"] is not None}
        exact = [frame for frame in own if frame["name"] is not None and frame["name"]["exact"]]
        assert len(exact) >= 0.8 * len(own)
        compared = [
            (captured[frame["captured"]], numbers[frame["name"]["rtpTimestamp"]])
            for frame in exact
            if frame["captured"] in captured and frame["name"]["rtpTimestamp"] in numbers
        ]
        assert len(compared) > 20
        assert [pair for pair in compared if pair[0] != pair[1]] == []

        # and what is drawn there stands on one of these frames, for everybody
        box = await surgeon.get_by_test_id(f"overlay-{producer}").first.bounding_box()
        assert box is not None
        await surgeon.keyboard.press("2")
        await surgeon.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.6)
        await surgeon.mouse.down()
        await surgeon.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.7, steps=3)
        await surgeon.mouse.up()
        anchor = (await until(changing, "k.marks.length === 1 && k.marks[0]"))["anchor"]
        own = await probe(surgeon, "k.ownFrames")
        assert anchor["rtp_timestamp"] in {f["name"]["rtpTimestamp"] for f in own if f["name"] is not None}

        # marks are watched in the middle size: the watcher takes that one for as long as it flows
        field = server.service.rooms["ward"].watcher.field(ProducerId(producer))
        await comes(lambda: field.from_low, PATIENCE / 1000)

        # a size that nobody needs any more is not sent any more; it is woken when it is wanted
        await large.close()
        await _layers(
            surgeon, "layers.filter(layer => layer.active).map(layer => layer.rid).sort().join() === 'h,q'"
        )
        # what was in the encoder by then still comes
        await asyncio.wait_for(_frames(changing, producer, 5), PATIENCE / 1000)
        resting = await surgeon.evaluate("window.konsil.layers()")
        await asyncio.wait_for(_frames(changing, producer, 10), PATIENCE / 1000)
        assert _sent(await surgeon.evaluate("window.konsil.layers()"), "f") == _sent(resting, "f")
        await _sizes(changing, producer, [(LARGE, 576)])
        await _layers(surgeon, f"layers.find(layer => layer.rid === 'f').framesSent > {_sent(resting, 'f')}")


@pytest.mark.parametrize(
    ("layers", "codec", "heights"),
    [("simulcast", "VP8", (144, 288)), ("vp9", "VP9", (144, 288)), ("av1", "AV1", (144, 288))],
)
async def test_a_camera_in_two_sizes(
    tmp_path: Path, layers: str, codec: str, heights: tuple[int, int]
) -> None:
    camera = write_camera(tmp_path / "camera.y4m", width=512, height=288)
    async with (
        served(tmp_path) as server,
        browser(f"--use-file-for-fake-video-capture={camera}") as chromium,
    ):
        sender = await person(chromium, server.link("expert", "Prof. Keller"))
        await sender.get_by_text("Advanced").click()
        await sender.get_by_test_id("layers-choice").select_option(layers)
        await join(sender, media=True)
        producer, large, changing = await _experts(server, chromium)
        assert await probe(changing, f"k.producers.find(p => p.producer === {producer}).codec") == codec
        small, full = heights
        await _sizes(changing, producer, [(SMALL, small), (MIDDLE, full), (SMALL, small)])
        frames, others = await _read_together(changing, large, 10)
        assert {frame["height"] for frame in frames} >= set(heights)
        _numbers([*frames, *others])
        _goes_on(frames, others)


async def _experts(server: Served, chromium: Browser) -> tuple[int, Page, Page]:
    """Two that watch: one always in a large window, the other's will change."""
    pages = []
    for name in ("Dr. Okafor", "Dr. Li Na"):
        page = await person(chromium, server.link("expert", name), LARGE)
        await join(page, media=False)
        producer = await until(page, "k.producers.find(p => p.kind === 'video')?.producer")
        await _frames(page, producer, 5)
        await watch(page, PICTURE)
        pages.append(page)
    return producer, *pages


async def _frames(page: Page, producer: int, more: int) -> None:
    before = await probe(page, f"k.frames[{producer}]?.frames ?? 0")
    await until(page, f"k.frames[{producer}]?.frames > {before + more}")


async def _sizes(page: Page, producer: int, sizes: Sequence[tuple[tuple[int, int], int]]) -> None:
    """Give a window these sizes in turn: its picture follows."""
    for (width, height), expected in sizes:
        await page.set_viewport_size({"width": width, "height": height})
        await until(page, f"k.frames[{producer}]?.height === {expected}")
        await _frames(page, producer, 15)


async def _layers(page: Page, condition: str) -> Frames:
    """Wait until what a page sends, called layers, is as it should be."""
    script = f"""new Promise(done => {{
        const timer = setInterval(async () => {{
            const layers = await window.konsil.layers();
            if ({condition}) {{ clearInterval(timer); done(layers); }}
        }}, 100);
    }})"""
    found: Frames = await asyncio.wait_for(page.evaluate(script), PATIENCE / 1000)
    return found


def _sent(layers: Frames, rid: str) -> int:
    return next(int(layer["framesSent"]) for layer in layers if layer["rid"] == rid)


def _numbers(frames: Iterable[dict[str, Any]]) -> dict[int, int]:
    """The barcode of each name. Two frames of one name must bear the same."""
    numbers: dict[int, int] = {}
    for frame in frames:
        if frame["number"] is not None and frame["rtpTimestamp"] is not None:
            assert numbers.setdefault(frame["rtpTimestamp"], frame["number"]) == frame["number"], frame
    return numbers


async def _read_together(changing: Page, large: Page, enough: int) -> tuple[Frames, Frames]:
    """Wait until more than enough frames of another size were read by both: on a busy machine each reads few."""
    async with asyncio.timeout(PATIENCE / 1000):
        while True:
            frames, others = await seen(changing), await seen(large)
            if _together(frames, others) > enough:
                return frames, others
            await asyncio.sleep(0.2)


def _together(frames: Frames, others: Frames) -> int:
    """How many frames of another size both have read."""
    read = {f["rtpTimestamp"]: f["height"] for f in others if f["number"] is not None}
    return sum(
        f["number"] is not None and read.get(f["rtpTimestamp"], f["height"]) != f["height"] for f in frames
    )


def _goes_on(frames: Frames, others: Frames) -> None:
    """Frames go on through every change of size: never backwards, and no pause in which another page saw many.

    Frames are counted, not time: on a busy machine everybody's pictures stand still together.
    """
    first = frames[0]["rtpTimestamp"]

    def since(frame: dict[str, Any]) -> int:
        return int((frame["rtpTimestamp"] - first + (1 << 31)) % (1 << 32)) - (1 << 31)

    shown = [since(frame) for frame in frames]
    assert shown == sorted(shown)
    elsewhere = [since(frame) for frame in others]
    changes = [i for i, (a, b) in enumerate(itertools.pairwise(frames)) if a["height"] != b["height"]]
    for change in changes:
        for a, b in itertools.pairwise(shown[change : change + AFTER]):
            assert sum(a < at < b for at in elsewhere) <= MISSED
