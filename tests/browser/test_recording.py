"""A call in Chromium is recorded, replayed in a page, and the mark appears at its frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import TABLET, browser, join, person, picture, probe, until
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def test_the_mark_appears_at_its_frame(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
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
        box = await expert.get_by_test_id(f"overlay-{producer}").first.bounding_box()
        assert box is not None
        await expert.keyboard.press("2")
        await expert.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.3)
        await expert.mouse.down()
        await expert.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5, steps=8)
        await expert.mouse.up()
        mark = await until(expert, "k.marks.length === 1 && k.marks[0].sequence && k.marks[0]")
        first = await probe(expert, f"k.frames[{producer}].frames")
        await until(expert, f"k.frames[{producer}].frames > {first} + 40")
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
        camera = next(c for c in cameras if c["producer"] == producer)
        anchor = mark["anchor"]["rtp_timestamp"]
        at = camera["offset"] + ((anchor - camera["first_rtp_timestamp"]) % 2**32) / camera["clock_rate"]
        assert 0 < at < description["seconds"]

        # just before its frame the mark is not there, from its frame on it is
        for seconds, there in ((at - 0.3, False), (at + 0.3, True)):
            await trainee.get_by_test_id("seek").evaluate(
                "(bar, to) => { bar.value = to; bar.dispatchEvent(new Event('input', {bubbles: true})); }",
                seconds,
            )
            await until(trainee, f"Math.abs(k.position - {seconds}) < 0.15")
            await until(trainee, f"k.marksDrawnOn({producer}).length === {int(there)}")
        drawn = await probe(trainee, f"k.marksDrawnOn({producer})[0]")
        assert drawn["mark"] == mark["mark"]
        assert drawn["rtp_timestamp"] == anchor
        await picture(trainee, "replay-tablet")
        # server, both pages and the replay show the same
        assert await probe(trainee, "k.digest()") == digest
