"""What an expert does with a pen, in Chromium: by mouse, finger, pen and keyboard; each checked at the other's page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import CDPSession, Page

from tests.browser.barcodes import write_camera
from tests.browser.chromium import browser, join, person, picture, probe, until
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZE = (1180, 820)


class Hand:
    """One person's hand on a picture; places are fractions of it."""

    def __init__(self, page: Page, cdp: CDPSession, box: dict[str, float], producer: int) -> None:
        self.page, self.cdp, self.box, self.producer = page, cdp, box, producer

    @classmethod
    async def over(cls, page: Page, producer: int) -> Hand:
        box = await page.get_by_test_id(f"overlay-{producer}").first.bounding_box()
        assert box is not None
        place = {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}
        return cls(page, await page.context.new_cdp_session(page), place, producer)

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.box["x"] + x * self.box["width"], self.box["y"] + y * self.box["height"]

    async def ready(self) -> None:
        """Wait for a picture that moves: on one that stands still, as on a busy machine, nothing may be drawn."""
        before = await probe(self.page, f"k.frames[{self.producer}].frames")
        await until(
            self.page,
            f"!k.frames[{self.producer}].frozen && k.frames[{self.producer}].frames > {before}",
        )

    async def click(self, *places: tuple[float, float]) -> None:
        await self.ready()
        for place in places:
            await self.page.mouse.click(*self.at(*place))

    async def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        await self.ready()
        await self.page.mouse.move(*self.at(*start))
        await self.page.mouse.down()
        await self.page.mouse.move(*self.at(*end), steps=4)
        await self.page.mouse.up()

    async def touch(self, kind: str, *places: tuple[float, float]) -> None:
        points = [
            {"x": x, "y": y, "id": i, "radiusX": 12, "radiusY": 12}
            for i, (x, y) in enumerate(self.at(*place) for place in places)
        ]
        await self.cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    async def pen(self, kind: str, place: tuple[float, float], force: float) -> None:
        x, y = self.at(*place)
        event = {"type": kind, "x": x, "y": y, "pointerType": "pen", "clickCount": 1, "button": "left"}
        await self.cdp.send("Input.dispatchMouseEvent", event | {"buttons": int(force > 0), "force": force})

    async def press(self, *keys: str) -> None:
        await self.ready()
        for key in keys:
            await self.page.keyboard.press(key)


async def _seen(page: Page, condition: str) -> Any:
    """Wait until a confirmed mark that meets a condition (m) is in a page's log; returns it."""
    return await until(page, f"k.marks.find(m => m.sequence !== null && ({condition}))")


async def _shape(expert: Page, surgeon: Page, shape: str, number: int = 1) -> dict[str, Any]:
    """Wait for the newest mark of a shape at both pages; returns it. There are to be `number` of them."""
    found = f"k.marks.filter(m => m.sequence !== null && m.shape === '{shape}')"
    own = await until(expert, f"{found}.length === {number} && {found}.at(-1)")
    other = await until(surgeon, f"{found}.length === {number} && {found}.at(-1)")
    assert own == other
    return dict(own)


async def test_pens(tmp_path: Path) -> None:
    # each of its sizes has the same shape, so that a place in the tile is the same place in all of them
    camera = write_camera(tmp_path / "camera.y4m", width=512, height=288)
    async with (
        served(tmp_path) as server,
        browser(f"--use-file-for-fake-video-capture={camera}") as chromium,
    ):
        surgeon = await person(chromium, server.link("surgeon", "Dr. Zhang Wei"), size=SIZE)
        expert = await person(chromium, server.link("expert", "Prof. Keller"), size=SIZE)
        await join(surgeon, media=False)
        await surgeon.get_by_test_id("share-field").click()
        await surgeon.get_by_test_id("field-device-0").click()
        await join(expert, media=False)
        producer = await until(expert, "k.producers.find(p => p.kind === 'video')?.producer")
        for page in (surgeon, expert):
            await until(
                page, f"k.frames[{producer}]?.frames > 20 && k.frames[{producer}].rtpTimestamp !== null"
            )
        hand = await Hand.over(expert, producer)
        other = await Hand.over(surgeon, producer)

        await _by_mouse(hand, surgeon)
        await _by_keyboard(hand, surgeon)
        await _by_touch_and_pen(hand, surgeon)
        await picture(expert, "pens-expert-tablet")
        await _selected(hand, surgeon)
        await _layers(hand, other)
        await _measured(hand, other)


async def _by_mouse(hand: Hand, surgeon: Page) -> None:
    expert = hand.page
    # over the picture, before anything is drawn: the other sees where
    await hand.press("2")
    await expert.mouse.move(*hand.at(0.3, 0.3))
    await expert.mouse.move(*hand.at(0.31, 0.3))
    seen = f"k.pointersOn({hand.producer})"
    assert await until(surgeon, f"{seen}.length === 1 && {seen}[0]") == {
        "name": "Prof. Keller",
        "ghost": True,
    }

    await hand.drag((0.1, 0.1), (0.25, 0.2))
    arrow = await _shape(expert, surgeon, "arrow")
    assert arrow["points"] == [pytest.approx([0.1, 0.1], abs=0.002), pytest.approx([0.25, 0.2], abs=0.002)]
    # without dragging
    await hand.press("6")
    await hand.click((0.1, 0.3), (0.25, 0.4))
    line = await _shape(expert, surgeon, "line")
    assert line["points"] == [pytest.approx([0.1, 0.3], abs=0.002), pytest.approx([0.25, 0.4], abs=0.002)]
    await hand.press("7")
    await hand.drag((0.3, 0.1), (0.45, 0.25))
    await _shape(expert, surgeon, "rectangle")
    await hand.press("8")
    corners = [(0.5, 0.1), (0.6, 0.12), (0.62, 0.25), (0.52, 0.28)]
    await hand.click(*corners, corners[0])
    polygon = await _shape(expert, surgeon, "polygon")
    assert polygon["points"] == [pytest.approx(corner, abs=0.002) for corner in corners]
    await hand.press("9")
    await hand.click((0.7, 0.2))
    assert (await _shape(expert, surgeon, "pin"))["number"] == 1
    await hand.click((0.8, 0.2))
    assert (await _shape(expert, surgeon, "pin", 2))["number"] == 2


async def _by_keyboard(hand: Hand, surgeon: Page) -> None:
    expert = hand.page
    said = expert.get_by_test_id("pen-said")
    # the tools themselves: a group opens, and its entries are gone through by cursor keys
    await expert.get_by_test_id("tool-line").focus()
    await hand.press("Enter", "ArrowUp", "Enter")
    assert await expert.get_by_test_id("tool-arrow").get_attribute("aria-pressed") == "true"
    await hand.press("2", "ArrowRight")
    assert "Crosshair" in (await said.text_content() or "")
    await hand.press("ArrowDown", "Enter", "Shift+ArrowRight", "Shift+ArrowRight", "Enter")
    placed = await _shape(expert, surgeon, "arrow", 2)
    aspect = hand.box["width"] / hand.box["height"]
    tail, head = placed["points"]
    assert tail == pytest.approx([0.5, 0.51], abs=1e-4)
    assert head == pytest.approx([0.5 + 0.1 / aspect, 0.51], abs=1e-4)
    assert "Arrow placed" in (await said.text_content() or "")

    # nudged by two steps, which are one change: one undo takes both back
    await hand.press("ArrowUp", "ArrowUp")
    moved = f"m.mark === '{placed['mark']}' && m.points[0][1] < 0.4901"
    nudged = await _seen(surgeon, moved)
    assert nudged["points"][0] == pytest.approx([0.5, 0.49], abs=1e-4)
    await hand.press("Control+z")
    await _seen(surgeon, f"m.mark === '{placed['mark']}' && m.points[0][1] > 0.5")
    await hand.press("Delete")
    await until(surgeon, f"!k.marks.some(m => m.mark === '{placed['mark']}')")
    await hand.press("Control+z")
    await _seen(surgeon, f"m.mark === '{placed['mark']}'")
    await hand.press("Escape")


async def _by_touch_and_pen(hand: Hand, surgeon: Page) -> None:
    expert = hand.page
    await hand.press("1")
    await hand.ready()
    await hand.touch("touchStart", (0.1, 0.6))
    for step in range(1, 8):
        await hand.touch("touchMove", (0.1 + step * 0.02, 0.6 + (step % 2) * 0.02))
    await hand.touch("touchEnd")
    drawn = await _shape(expert, surgeon, "freehand")
    assert len(drawn["points"]) > 4
    assert drawn["pressures"] is None

    # a second finger: what the first one began is given up
    await hand.touch("touchStart", (0.3, 0.6))
    await hand.touch("touchMove", (0.32, 0.62))
    await hand.touch("touchStart", (0.32, 0.62), (0.5, 0.6))
    await hand.touch("touchMove", (0.36, 0.66), (0.52, 0.64))
    await hand.touch("touchEnd")

    await hand.ready()
    await hand.pen("mousePressed", (0.4, 0.75), 0.2)
    for step in range(1, 10):
        await hand.pen("mouseMoved", (0.4 + step * 0.015, 0.75), 0.2 + step * 0.08)
    await hand.pen("mouseReleased", (0.55, 0.75), 0)
    pressed = await _shape(expert, surgeon, "freehand", 2)
    assert len(pressed["pressures"]) == len(pressed["points"])
    assert max(pressed["pressures"]) - min(pressed["pressures"]) > 0.4


async def _selected(hand: Hand, surgeon: Page) -> None:
    expert = hand.page
    (rectangle,) = [m for m in await probe(expert, "k.marks") if m["shape"] == "rectangle"]
    await hand.press("s")
    await hand.click((0.3, 0.18))
    await expert.get_by_test_id("mark-menu").wait_for()
    await picture(expert, "pens-selected-tablet")
    await hand.drag((0.3, 0.18), (0.3, 0.28))
    moved = await _seen(surgeon, f"m.mark === '{rectangle['mark']}' && m.points[0][1] > 0.19")
    assert moved["points"][0] == pytest.approx([0.3, 0.2], abs=0.003)
    # it was placed anew, on a later frame
    assert moved["anchor"]["rtp_timestamp"] != rectangle["anchor"]["rtp_timestamp"]
    # by its corner
    await hand.drag((0.45, 0.35), (0.5, 0.4))
    await _seen(surgeon, f"m.mark === '{rectangle['mark']}' && m.points[1][0] > 0.49")
    await expert.get_by_test_id("mark-width-2").click()
    await _seen(surgeon, f"m.mark === '{rectangle['mark']}' && m.width > 0.01")
    await expert.get_by_test_id("mark-delete").click()
    await until(surgeon, f"!k.marks.some(m => m.mark === '{rectangle['mark']}')")
    # a pin gets words
    (first, _) = [m for m in await probe(expert, "k.marks") if m["shape"] == "pin"]
    await hand.click((0.7, 0.2))
    await expert.get_by_test_id("mark-text").click()
    await expert.get_by_test_id("text-input").fill("artery")
    await hand.press("Enter")
    assert (await _seen(surgeon, f"m.mark === '{first['mark']}' && m.text !== ''"))["text"] == "artery"
    await hand.press("Escape")


async def _layers(hand: Hand, other: Hand) -> None:
    surgeon = other.page
    count = len(await probe(surgeon, "k.marks"))
    drawn = f"k.marksDrawnOn({other.producer}).length"
    await until(surgeon, f"{drawn} === {count}")
    await other.press("l")
    expert = await probe(hand.page, "k.self")
    await surgeon.get_by_test_id(f"layer-{expert}").click()
    await until(surgeon, f"{drawn} === 0")
    badge = surgeon.get_by_test_id(f"hidden-layers-{other.producer}")
    assert "1 layer hidden" in (await badge.text_content() or "")
    # the others see everything
    await until(hand.page, f"k.marksDrawnOn({hand.producer}).length === {count}")
    await picture(surgeon, "pens-layers-tablet")
    await badge.click()
    await until(surgeon, f"{drawn} === {count}")
    await other.press("l")


async def _measured(hand: Hand, other: Hand) -> None:
    surgeon, expert = other.page, hand.page
    await hand.press("0")
    await hand.drag((0.1, 0.9), (0.3, 0.9))
    assert "not calibrated" in (await expert.get_by_test_id("toasts").text_content() or "")
    await other.press("k")
    await other.drag((0.5, 0.9), (0.6, 0.9))
    await surgeon.get_by_test_id("length-input").fill("10")
    await picture(surgeon, "pens-calibrate-tablet")
    await other.press("Enter")
    await until(expert, f"k.calibrations.includes({hand.producer})")
    await hand.drag((0.1, 0.9), (0.3, 0.9))
    length = await _shape(expert, surgeon, "length")
    for page in (surgeon, expert):
        found = f"k.marksDrawnOn({hand.producer}).find(m => m.mark === '{length['mark']}' && m.measured)"
        assert (await until(page, found))["measured"] == "20.0 mm"
    await picture(expert, "pens-measured-tablet")
    # the calibration ends: the length stays, and claims no millimetres
    await surgeon.get_by_test_id("tool-calibrate").click()
    await surgeon.get_by_test_id("calibration-end").click()
    found = f"k.marksDrawnOn({hand.producer}).find(m => m.measured?.endsWith('px, uncalibrated'))"
    for page in (surgeon, expert):
        await until(page, found)
