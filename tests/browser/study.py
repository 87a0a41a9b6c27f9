"""A trainee studies a recording: bookmark by key, A to B seen to come back on the barcode, one expert's marks alone."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from playwright.async_api import Page, expect

from recorder.export.preparing import prepare
from tests.browser.accessibility import grave_findings
from tests.browser.barcodes import seen, watch
from tests.browser.chromium import PATIENCE, picture, probe, until
from tests.helpers.dicom_files import sample
from tests.helpers.served import Served
from tests.helpers.studied import (
    BEGIN,
    EVENTS,
    FIELD,
    OPERATIONS,
    RATE,
    STUDIED,
    image_events,
    image_mark,
    studied,
)

#: Where it goes on again, in seconds of the recording.
A, B = 1.0, 1.8


async def study(server: Served, page: Page) -> None:
    """Study a recording of the room `demo`, whatever the page showed before."""
    folder = server.folder / "recordings" / STUDIED
    uploaded = await server.ask(
        "POST", "/dicom/upload", server.bearer("surgeon", room="demo"), sample("CT_small.dcm").read_bytes()
    )
    (file,) = uploaded.json()["files"]
    names = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "instance": "SOPInstanceUID"}
    there = {name: file[keyword] for name, keyword in names.items()}
    studied(folder, (*EVENTS, *image_events(there)), (*OPERATIONS, image_mark(there["instance"])))
    await asyncio.to_thread(prepare, folder)
    link = server.link("trainee", "Maria", room="demo", page="replay")
    # the time line is open where there is room
    await page.set_viewport_size({"width": 1180, "height": 820})
    await at_the_moment(page, link)
    await bookmark(page)
    await loop(page)
    await images(page, there["instance"])
    await solo(page)
    findings = await grave_findings(page)
    assert findings == [], findings
    for width, height in ((1180, 820), (1920, 1080)):
        await page.set_viewport_size({"width": width, "height": height})
        await picture(page, f"replay-study-{width}")


async def at_the_moment(page: Page, link: str) -> None:
    """A link to a moment bears no key: it is opened with one's own, and leads there."""
    await page.goto("about:blank")
    await page.goto(f"{link.partition('#')[0]}#recording={STUDIED}&at=2.0")
    await page.get_by_test_id("moment-link").fill(link)
    await page.get_by_test_id("moment-door").get_by_role("button").click()
    await until(page, f"k.recording === '{STUDIED}' && Math.abs(k.position - 2) < 0.05")


async def bookmark(page: Page) -> None:
    """One key keeps a bookmark; taken away it comes back by another."""
    await page.keyboard.press("n")
    note = await until(page, "k.notes.length === 1 && k.notes[0]")
    assert (note["kind"], note["author"], note["shared"]) == ("bookmark", "Maria", False)
    assert abs(note["at"] - 2) < 0.05
    await expect(page.get_by_test_id("row-notes")).to_have_attribute("data-items", "1", timeout=PATIENCE)
    await page.keyboard.press("h")
    await page.get_by_test_id("note-remove").click()
    await page.get_by_test_id("note-undo").wait_for()
    assert await probe(page, "k.notes.length") == 0
    await page.keyboard.press("u")
    assert await until(page, "k.notes.length === 1 && k.notes[0].id") == note["id"]
    # from there to the event before it, which is what was asked of the surgeon, and on to the next
    await page.keyboard.press("ArrowUp")
    await until(page, "Math.abs(k.position - 1.2) < 0.05")
    await page.keyboard.press("ArrowDown")
    await until(page, "Math.abs(k.position - 1.5) < 0.05")


async def loop(page: Page) -> None:
    """From B on the frames of A come again, and no frame far behind B is seen."""
    for seconds in (A, B):
        await go_to(page, seconds)
        await page.keyboard.press("a")
    assert await until(page, "k.range.on && k.range")
    await watch(page, f'[data-testid="video-{FIELD}"]', "looped")
    await page.keyboard.press(" ")
    came_back = (
        "window.seen.looped.filter((s, n, all) => n > 0 && s.number !== null && s.number < all[n - 1].number)"
    )
    await until(page, f"{came_back}.length >= 2")
    await page.keyboard.press(" ")
    await until(page, "!k.playing")
    numbers = [note["number"] for note in await seen(page, "looped") if note["number"] is not None]
    first, last = round((A - BEGIN) * RATE), round((B - BEGIN) * RATE)
    begins = [after for before, after in pairwise(numbers) if after < before]
    # the frame at A itself, or where the screen was late the one after it
    assert all(first - 1 <= number <= first + 8 for number in begins[:2]), (begins, numbers)
    assert all(first - 1 <= number <= last + 12 for number in numbers), numbers
    await page.keyboard.press("a")
    assert await probe(page, "k.range.from") is None


async def go_to(page: Page, seconds: float) -> None:
    """Move the playhead."""
    await page.get_by_test_id("seek").evaluate(
        "(bar, to) => { bar.value = to; bar.dispatchEvent(new Event('input', {bubbles: true})); }", seconds
    )
    await until(page, f"Math.abs(k.position - {seconds}) < 0.05")


async def images(page: Page, instance: str) -> None:
    """What was presented stands beside the field as it was seen, with the mark on it; what is gone is said."""
    await go_to(page, 2.2)
    # how near it is: of its pane's size, which comes a moment after the image in a busy browser
    pane = "document.querySelector('[data-testid=\"pane-0\"]')"
    near = f"k.images['0'].matrix[0] / Math.min({pane}.clientWidth, {pane}.clientHeight)"
    shown = f"k.images['0']?.instance === '{instance}' && !k.images['0'].preview && k.images['0']"
    before = await until(page, f"({shown}) && Math.abs({near} - 1) < 0.001 && k.images['0']")
    assert before["window"] == [40, 400]
    assert await probe(page, f"k.marksDrawnOn('dicom/{instance}/1').length") == 0
    gone = page.get_by_test_id("gone-1")
    await expect(gone).to_contain_text("MR, series 3", timeout=PATIENCE)
    await expect(gone).to_contain_text("Image 12 / 20")
    await expect(gone).to_contain_text("no longer in this room")
    # as it was seen later: nearer, through another window, drawn on
    await go_to(page, 3.0)
    await until(page, f"k.images['0']?.window?.join() === '60,200' && Math.abs({near} - 2) < 0.001")
    await until(page, f"k.marksDrawnOn('dicom/{instance}/1').map(m => m.mark).join() === 'm-d'")
    # who looks on his own is not led back before he asks for it
    await page.get_by_test_id("pane-0").focus()
    await page.keyboard.press("Shift+I")
    await go_to(page, 2.2)
    await page.get_by_test_id("images-come-back").click()
    assert await until(page, "k.images['0']?.window?.join() === '40,400'")
    beside = page.get_by_test_id("replay-images")
    for there in (0, 1):
        await page.keyboard.press("d")
        await expect(beside).to_have_count(there, timeout=PATIENCE)
    findings = await grave_findings(page)
    assert findings == [], findings
    for width, height in ((1920, 1080), (1180, 820)):
        await page.set_viewport_size({"width": width, "height": height})
        await picture(page, f"replay-images-{width}")
    await go_to(page, 4.8)
    await expect(beside).to_have_count(0, timeout=PATIENCE)


async def solo(page: Page) -> None:
    """The key shows one expert's marks after the other's alone, then both again."""
    await go_to(page, 1.9)
    drawn = f"k.marksDrawnOn({FIELD}).map(({{mark}}) => mark).sort().join()"
    for marks in ("m-1,m-2", "m-1", "m-2", "m-1,m-2"):
        await until(page, f"{drawn} === '{marks}'")
        await page.keyboard.press("s")
    # after both comes the first alone; who is switched on beside it joins it
    await until(page, f"{drawn} === 'm-1'")
    await page.get_by_test_id("marks-of-pt-3").click()
    await until(page, f"{drawn} === 'm-1,m-2'")
