"""A call in Chromium is recorded and replayed: a mark at its frame, a frozen frame at its moment, MIRRORED."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from media.plane import Codec
from recorder.export.preparing import prepare
from signalling.orientation import Orientation
from tests.browser.accessibility import grave_findings
from tests.browser.chromium import PATIENCE, TABLET, browser, join, person, picture, probe, until
from tests.browser.study import study
from tests.helpers.journal_media import camera, encode, encode_sound, record, sound, video
from tests.helpers.journals import RECORDING
from tests.helpers.served import Served, served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def drag(page: Page, sheet: str) -> None:
    """Draw an arrow on a sheet, with the tool that is chosen."""
    box = await page.get_by_test_id(f"overlay-{sheet}").first.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.3)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5, steps=8)
    await page.mouse.up()


async def go_to(page: Page, seconds: float) -> None:
    """Move a replay's playhead."""
    await page.get_by_test_id("seek").evaluate(
        "(bar, to) => { bar.value = to; bar.dispatchEvent(new Event('input', {bubbles: true})); }", seconds
    )
    # the position is that of the frame on the glass, and a busy machine's camera leaves frames out
    await until(page, f"Math.abs(k.position + 0.2 - {seconds}) < 0.35")


async def freeze(server: Served, expert: Page, producer: int) -> str:
    """Say that the field is mirrored, freeze a frame for all and draw on it; give the still's name."""
    conductor = server.service.rooms["ward"]
    owner = conductor.room.producer(producer).participant
    conductor.room.orient(owner, producer, Orientation("L", "F", mirrored=True))
    conductor.pump()
    await expert.get_by_test_id(f"mirrored-{producer}").first.wait_for()
    await expert.keyboard.press("g")
    key: str = await until(expert, "k.stills.open")
    await until(expert, f"k.stills.fromServer.includes('{key}')")
    await expert.get_by_test_id("still-share").click()
    await until(expert, "k.stills.all[0].forAll")
    sheet = f"still/{key.replace('-', '/')}"
    await drag(expert, sheet)
    await until(expert, f"k.marksDrawnOn('{sheet}').length === 1")
    await until(expert, "k.marks.length === 2 && k.marks.every(m => m.sequence)")
    return key


async def test_the_mark_appears_at_its_frame(tmp_path: Path) -> None:
    # a tracker that has something to say between the end and the comparing would make a difference
    async with served(tmp_path, tracking=False) as server, browser() as chromium:
        surgeon = await person(chromium, server.link("surgeon", "Dr. Zhang Wei"))
        expert = await person(chromium, server.link("expert", "Prof. Keller"))
        await join(surgeon, media=True)
        await join(expert, media=False)
        producer = await until(expert, "k.producers.find(p => p.kind === 'video')?.producer")
        await until(expert, f"k.frames[{producer}].frames > 10")

        await surgeon.get_by_test_id("record").click()
        await until(expert, "k.recording?.state === 'recording'")
        await expert.get_by_test_id("rec").wait_for()
        await picture(expert, "recording-desktop")
        first = await probe(expert, f"k.frames[{producer}].frames")
        await until(expert, f"k.frames[{producer}].frames > {first} + 40")

        # an arrow on the frame that passes now
        await expert.keyboard.press("2")
        await drag(expert, str(producer))
        mark = await until(expert, "k.marks.length === 1 && k.marks[0].sequence && k.marks[0]")
        still = await freeze(server, expert, producer)
        await until(surgeon, "k.marks.length === 2")
        (conductor,) = server.service.rooms.values()
        digest = conductor.document.digest()
        assert [await probe(page, "k.digest()") for page in (surgeon, expert)] == [digest, digest]
        await surgeon.get_by_test_id("record").click()
        await until(expert, "k.recording === null")

        trainee = await person(chromium, server.link("trainee", "Maria", page="replay"), TABLET)
        entry = trainee.locator('button[data-testid^="recording-"]').first
        await entry.wait_for()
        await picture(trainee, "recordings-tablet")
        await entry.filter(has=trainee.locator(".state.complete")).click()
        assert await until(trainee, "k.state === 'replay' && k.main") == producer
        recording = await probe(trainee, "k.recording")
        description = server.service.archive.library.description(recording)
        assert description is not None
        cameras: Any = description["cameras"]
        field = next(c for c in cameras if c["producer"] == producer)
        anchor = mark["anchor"]["rtp_timestamp"]
        at = field["offset"] + ((anchor - field["first_rtp_timestamp"]) % 2**32) / field["clock_rate"]
        assert 0 < at < description["seconds"]

        # it opens with the first picture that there is: sound may begin before it
        begins = max(0.0, field["offset"] + field["picture_at"])
        # by the frame that is on the glass then, which may have come a little before
        await until(trainee, f"k.position > {begins} - 0.1 && k.position < {begins} + 0.05")
        await expect(trainee.get_by_test_id(f"video-{producer}")).to_be_visible(timeout=PATIENCE)
        await expect(trainee.get_by_test_id(f"blank-{producer}")).to_have_count(0)
        await picture(trainee, "replay-opens")

        # just before its frame the mark is not there, from its frame on it is
        for seconds, there in ((at - 0.3, False), (at + 0.3, True)):
            await go_to(trainee, seconds)
            await until(trainee, f"k.marksDrawnOn({producer}).length === {int(there)}")
        drawn = await probe(trainee, f"k.marksDrawnOn({producer})[0]")
        assert drawn["mark"] == mark["mark"]
        assert drawn["rtp_timestamp"] == anchor
        await picture(trainee, "replay-tablet")
        # server, both pages and the replay show the same
        assert await probe(trainee, "k.digest()") == digest
        await frozen_and_mirrored(trainee, description, producer, still)
        await sound_before_the_picture(server, trainee)
        await study(server, trainee)


async def frozen_and_mirrored(trainee: Page, description: Any, producer: int, still: str) -> None:
    """A replay says MIRRORED from when it was said, and shows the frozen frame at its moment and from the list."""
    said = next(e["at"] for e in description["events"] if e["kind"] == "orient" and e["orientation"])
    frozen = next(o for o in description["operations"] if o["operation"]["kind"] == "still")
    drawn = next(
        o["at"] for o in description["operations"]
        if o["operation"]["kind"] == "add" and o["operation"]["mark"]["anchor"].get("still")
    )  # fmt: skip
    assert said < frozen["at"] < drawn
    mirrored, glass = trainee.get_by_test_id(f"mirrored-{producer}"), trainee.get_by_test_id("still")
    await go_to(trainee, said - 0.3)
    await expect(mirrored).to_have_count(0, timeout=PATIENCE)
    await expect(glass).to_have_count(0)
    await go_to(trainee, said + 0.05)
    await expect(mirrored).to_have_text("MIRRORED", timeout=PATIENCE)
    assert await trainee.get_by_test_id(f"edges-{producer}").locator("span").all_text_contents() == [
        "R", "L", "H", "F",
    ]  # fmt: skip

    # at its moment, proved to be the one that was announced, and not drawn on yet
    sheet = f"still/{still.replace('-', '/')}"
    await go_to(trainee, frozen["at"] + 0.01)
    await expect(glass).to_have_attribute("data-key", still, timeout=PATIENCE)
    await expect(glass).to_have_attribute("data-state", "proved", timeout=PATIENCE)
    image = trainee.get_by_test_id("still-image")
    facts = frozen["operation"]["still"]
    assert await image.evaluate("async i => (await i.decode(), [i.naturalWidth, i.naturalHeight])") == [
        facts["width"],
        facts["height"],
    ]
    await expect(trainee.get_by_test_id("mode-still")).to_have_attribute("data-mode", "still")
    # its clock is that of its frame, which was captured before it was frozen
    at = float(await trainee.get_by_test_id("mode-still").get_attribute("data-at") or 0)
    assert 0 < description["started"] + frozen["at"] * 1000 - at < PATIENCE
    await expect(trainee.get_by_test_id("mirrored-still")).to_be_visible()
    # the picture that goes on is still there, and is the larger one
    heights = [
        (await trainee.get_by_test_id(name).evaluate("e => e.clientHeight"))
        for name in ("main-picture", "still")
    ]
    assert heights[0] > heights[1] > 200

    await trainee.keyboard.press("Escape")
    await expect(glass).to_have_count(0, timeout=PATIENCE)
    # from the list: with what was drawn on it
    await trainee.keyboard.press("g")
    await trainee.get_by_test_id(f"still-{still}").click()
    await until(trainee, f"k.marksDrawnOn('{sheet}').length === 1")
    await expect(glass).to_have_attribute("data-state", "proved", timeout=PATIENCE)
    assert await grave_findings(trainee) == []
    await picture(trainee, "replay-still-tablet")
    for width, height in ((1180, 820), (1920, 1080)):
        await trainee.set_viewport_size({"width": width, "height": height})
        await picture(trainee, f"replay-still-{width}")
    await trainee.get_by_test_id("still-close").click()
    await expect(glass).to_have_count(0, timeout=PATIENCE)


async def sound_before_the_picture(server: Served, page: Page) -> None:
    """Where sound came 1.4 s before the first key frame a replay opens with the picture, and shows none before it."""
    packets = sorted(
        video(7, Codec.VP8, encode(Codec.VP8, 20), begin=1.5) + sound(8, encode_sound(100)),
        key=lambda p: p.at,
    )
    folder = server.folder / "recordings" / RECORDING
    record(folder, [camera(7, Codec.VP8), camera(8, Codec.OPUS)], packets)
    await asyncio.to_thread(prepare, folder)
    link = server.link("trainee", "Maria", room="demo", page="replay")
    # of another room, and so with another cookie
    await page.goto("about:blank")
    await page.goto(f"{link}&recording={RECORDING}")
    await until(page, f"k.recording === '{RECORDING}' && Math.abs(k.position - 1.5) < 0.05")
    shown, blank = page.get_by_test_id("video-7"), page.get_by_test_id("blank-7")
    await expect(shown).to_be_visible(timeout=PATIENCE)
    await expect(page.get_by_test_id("begins-later")).to_have_text("First picture at 0:01")
    await page.get_by_test_id("from-start").click()
    # Chromium has the first frame on its glass then, which is of a later moment
    await expect(blank).to_have_text("The picture begins at 0:01", timeout=PATIENCE)
    await expect(shown).to_be_hidden(timeout=PATIENCE)
    await expect(page.get_by_test_id("mode-7")).to_have_count(0)
    await blank.get_by_role("button").click()
    await expect(shown).to_be_visible(timeout=PATIENCE)
