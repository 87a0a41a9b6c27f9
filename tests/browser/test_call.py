"""Two people in Chromium: one shows its camera, the other sees it move, draws, and both see the mark on one frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.chromium import browser, join, person, picture, probe, until
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def test_a_mark_stands_on_the_same_frame_for_both(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        surgeon = await person(chromium, server.link("surgeon", "Dr. Zhang Wei"))
        expert = await person(chromium, server.link("expert", "Prof. Keller"))
        await picture(surgeon, "join-desktop")
        await join(surgeon, media=True)
        await join(expert, media=False)

        # the picture moves
        producer = await until(expert, "k.producers.find(p => p.kind === 'video')?.producer")
        await until(expert, f"k.frames[{producer}].frames > 20")
        first = await probe(expert, f"k.frames[{producer}].rtpTimestamp")
        await until(expert, f"k.frames[{producer}].rtpTimestamp !== {first}")
        assert (
            await until(expert, f"k.frames[{producer}].age !== null && k.frames[{producer}].source")
            == "estimated"
        )
        # a browser that sends nothing learns its round trip from us, and so when each frame was captured
        await until(expert, f"k.frames[{producer}].browserKnows && k.frames[{producer}].age < 2000")

        # the expert draws
        box = await expert.get_by_test_id(f"overlay-{producer}").first.bounding_box()
        assert box is not None
        await expert.keyboard.press("1")
        x, y = box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.4
        await expert.mouse.move(x, y)
        await expert.mouse.down()
        for step in range(20):
            await expert.mouse.move(x + 4 * step, y + 2 * step)
        await expert.mouse.up()
        mark = await until(expert, "k.marks.length === 1 && k.marks[0].sequence === 1 && k.marks[0]")
        assert mark["anchor"]["producer"] == producer

        # the surgeon sees the same mark, on the same frame
        await until(surgeon, "k.marks.length === 1")
        seen = await until(surgeon, f"k.marksDrawnOn({producer})[0]")
        drawn = await until(expert, f"k.marksDrawnOn({producer})[0]")
        assert seen["mark"] == drawn["mark"] == mark["mark"]
        assert seen["rtp_timestamp"] == drawn["rtp_timestamp"] == mark["anchor"]["rtp_timestamp"]
        await picture(expert, "mark-expert-desktop")
        await picture(surgeon, "mark-surgeon-desktop")

        # one key clears the field
        await surgeon.keyboard.press("Delete")
        await until(expert, "k.marks.length === 0")
