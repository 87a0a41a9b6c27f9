"""Training in Chromium: an expert asks about a frame, a trainee is stopped there, marks it, learns how far he was."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from server.training.geometry import compare, figure_of
from tests.browser.accessibility import grave_findings
from tests.browser.barcodes import READ_PICTURE
from tests.browser.chromium import PATIENCE, browser, person, picture, probe, until
from tests.helpers.journals import RECORDING
from tests.helpers.served import Served, served
from tests.helpers.taught import FIRST, FRAME_TICKS, ROOM, Who, barcoded, call, entry, lay_down, mark

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Which picture is asked about, and where the expert's arrow points.
NUMBER = 36
ASKED = FIRST + NUMBER * FRAME_TICKS
TIP = [0.5, 0.4]
KELLER: Who = ("expert", "Prof. Keller")

_ON_THE_GLASS = f"""video => {{
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext('2d').drawImage(video, 0, 0);
    return ({READ_PICTURE})(canvas);
}}"""


async def at(page: Page, seconds: float) -> None:
    """Move the playhead."""
    await page.get_by_test_id("seek").evaluate(
        "(bar, to) => { bar.value = to; bar.dispatchEvent(new Event('input', {bubbles: true})); }", seconds
    )
    await until(page, f"Math.abs(k.position - {seconds}) < 0.15")


async def press(page: Page, fraction: list[float]) -> None:
    """Touch the large picture with the mouse."""
    box = await page.get_by_test_id("overlay-7").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] * fraction[0], box["y"] + box["height"] * fraction[1])


async def opened(server: Served, chromium: Any, role: Any, name: str) -> tuple[Page, Locator]:
    link = server.link(role, name, room=ROOM, page="replay")
    page = await person(chromium, f"{link}&recording={RECORDING}", (1180, 820))
    await until(page, "k.state === 'replay'")
    return page, page.get_by_test_id("quiz")


async def test_a_trainee_is_stopped_at_the_frame_and_scored(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        arrow = mark("m-tip", "arrow", [[0.2, 0.2], TIP], ASKED)
        lay_down(tmp_path, barcoded(), operations=[entry(1, 1.4, {"kind": "add", "mark": arrow})])

        expert, panel = await opened(server, chromium, "expert", "Prof. Keller")
        await at(expert, 1.5)
        await until(expert, "k.marksDrawnOn(7).length === 1")
        await expert.get_by_test_id("quiz-open").click()
        await expert.get_by_test_id("quiz-from-m-tip").click()
        await expect(panel).to_have_attribute("data-frame", "there", timeout=PATIENCE)
        await expert.get_by_test_id("quiz-prompt-input").fill("Mark the cystic artery")
        await expert.get_by_test_id("quiz-words-input").fill("It crosses Calot’s triangle.")
        await expert.get_by_test_id("quiz-tolerance").fill("5")
        await picture(expert, "quiz-made-1180")
        await expert.get_by_test_id("quiz-keep").click()
        await expect(panel).to_have_attribute("data-phase", "list", timeout=PATIENCE)

        trainee, panel = await opened(server, chromium, "trainee", "Maria Lopez")
        # the description that the page has loaded bears no mark at all
        assert await probe(trainee, "k.marks.length") == 0
        await trainee.get_by_test_id("play").click()
        await expect(panel).to_have_attribute("data-phase", "answering", timeout=PATIENCE)
        await expect(panel).to_have_attribute("data-frame", "there", timeout=PATIENCE)
        assert await probe(trainee, "k.playing") is False
        assert await trainee.get_by_test_id("video-7").evaluate(_ON_THE_GLASS) == NUMBER
        await expect(trainee.get_by_test_id("quiz-submit")).to_be_disabled()
        await press(trainee, [0.6, 0.4])
        await until(trainee, "k.marksDrawnOn(7).length === 1")
        assert await grave_findings(trainee) == []
        for width, height in ((1920, 1080), (1180, 820)):
            await trainee.set_viewport_size({"width": width, "height": height})
            await picture(trainee, f"quiz-{width}")
        await trainee.get_by_test_id("quiz-submit").click()
        score = trainee.get_by_test_id("quiz-score")
        await expect(score).to_have_attribute("data-passed", "false", timeout=PATIENCE)
        distance = float(await score.get_attribute("data-distance") or 0)
        given = await attempts(server)
        drawn = figure_of("pin", given[0]["mark"]["points"], 320 / 240)
        wanted = compare(figure_of("arrow", [(0.2, 0.2), (TIP[0], TIP[1])], 320 / 240), drawn).distance * 100
        assert distance == pytest.approx(wanted, abs=1e-3)
        assert distance == pytest.approx(10, abs=0.3)
        # now he sees both, and why
        await until(trainee, "k.marksDrawnOn(7).length === 2")
        await expect(trainee.get_by_test_id("quiz-words")).to_have_text("It crosses Calot’s triangle.")
        await picture(trainee, "quiz-scored-1180")

        # once more, by keyboard alone: the crosshair begins in the middle
        await trainee.get_by_test_id("quiz-again").click()
        await expect(panel).to_have_attribute("data-phase", "answering", timeout=PATIENCE)
        await expect(panel).to_have_attribute("data-frame", "there", timeout=PATIENCE)
        for key in ("ArrowRight", *["Shift+ArrowUp"] * 2, "Enter"):
            await trainee.keyboard.press(key)
        await until(trainee, "k.marksDrawnOn(7).length === 1")
        await trainee.keyboard.press("Control+Enter")
        await expect(score).to_have_attribute("data-passed", "true", timeout=PATIENCE)
        assert [one["passed"] for one in await attempts(server)] == [False, True]
        await trainee.keyboard.press("Control+Enter")
        # played on, and not stopped again
        await until(trainee, f"k.position > {description_end()}")

        await expert.reload()
        await until(expert, "k.state === 'replay'")
        await expert.get_by_test_id("quiz-open").click()
        await expert.locator('[data-testid^="quiz-q-"]').click()
        await until(expert, "k.marksDrawnOn(7).length === 3")
        await expert.get_by_test_id("heat").wait_for()
        await picture(expert, "quiz-answers-1180")
        await expert.get_by_test_id("quiz-first-only").click()
        await until(expert, "k.marksDrawnOn(7).length === 2")
        await what_is_learned(server, expert, trainee)


async def what_is_learned(server: Served, expert: Page, trainee: Page) -> None:
    """An expert sets a playlist, assesses, and sees all; a trainee sees his own, and has it certified."""
    await go_to_training(expert)
    await expert.get_by_test_id("training-set").click()
    await expert.get_by_test_id("playlist-new").click()
    await expert.get_by_test_id("playlist-title").fill("Calot’s triangle")
    await picture(expert, "training-playlist-1180")
    await expert.get_by_test_id("playlist-keep").click()
    await expert.get_by_text("Maria Lopez").wait_for()
    await expert.get_by_test_id("training-assess").click()
    await expert.get_by_test_id("assess-person").select_option(label="Maria Lopez")
    items = expert.get_by_test_id("assess-item")
    await expect(items).to_have_count(7, timeout=PATIENCE)
    for index in range(7):
        await items.nth(index).locator("label").nth(2 + index % 2).click()
    assert await grave_findings(expert) == []
    await picture(expert, "training-assess-1180")
    await expert.get_by_test_id("assess-keep").click()
    await expect(expert.get_by_test_id("assessment")).to_contain_text("24 / 35", timeout=PATIENCE)
    await expert.get_by_test_id("training-forms").click()
    await expert.get_by_test_id("form-new").click()
    await picture(expert, "training-form-1180")

    await go_to_training(trainee)
    await expect(trainee.get_by_test_id("playlist")).to_contain_text(
        "1 of 1 questions right", timeout=PATIENCE
    )
    await picture(trainee, "training-mine-1180")
    await trainee.get_by_test_id("training-results").click()
    await expect(trainee.get_by_test_id("assessment")).to_contain_text("24 / 35", timeout=PATIENCE)
    # what was played was told: two seconds at most, and not what was skipped
    seconds = (await trainee.get_by_test_id("hours-once").text_content() or "").removesuffix(" s")
    assert 1 <= int(seconds) <= 2
    assert await grave_findings(trainee) == []
    await trainee.get_by_test_id("certify").click()
    code = await trainee.get_by_test_id("certificate-code").text_content()
    assert code is not None
    await picture(trainee, "training-certificate-1180")
    await trainee.keyboard.press("Escape")
    await picture(trainee, "training-results-1180")
    await trainee.get_by_test_id("training-check").click()
    await trainee.get_by_test_id("check-code").fill(code.lower())
    await trainee.keyboard.press("Enter")
    await expect(trainee.get_by_test_id("checked")).to_contain_text("Maria Lopez", timeout=PATIENCE)

    await expert.get_by_test_id("training-overview").click()
    await expect(expert.get_by_test_id("overview")).to_contain_text("Maria Lopez", timeout=PATIENCE)
    for width, height in ((1920, 1080), (1180, 820)):
        await expert.set_viewport_size({"width": width, "height": height})
        await picture(expert, f"training-overview-{width}")
    await expert.get_by_role("button", name="中文").click()
    await picture(expert, "training-overview-zh")
    async with expert.expect_download() as download:
        await expert.get_by_test_id("overview-csv").click()
    table = await asyncio.to_thread(Path(await (await download.value).path()).read_text, "utf-8-sig")
    assert "question_best" in table
    # where people marked, on the frame itself
    await expert.get_by_test_id("overview-question").click()
    await until(expert, "k.marksDrawnOn(7).length === 3")
    await asked_about_an_area(server, expert)


async def asked_about_an_area(server: Served, expert: Page) -> None:
    """Ask about the frame that is shown, with an answer that is drawn now."""
    panel = expert.get_by_test_id("quiz")
    await expert.get_by_test_id("quiz-all").click()
    await expert.get_by_test_id("quiz-make").click()
    await expect(panel).to_have_attribute("data-frame", "there", timeout=PATIENCE)
    await expert.get_by_test_id("quiz-tool-ellipse").click()
    await press(expert, [0.3, 0.3])
    await press(expert, [0.6, 0.7])
    await expert.get_by_test_id("quiz-prompt-input").fill("Mark the gallbladder")
    await expert.get_by_test_id("quiz-keep").click()
    await expect(panel).to_have_attribute("data-phase", "list", timeout=PATIENCE)
    asked = await call(server, KELLER, "GET", f"recordings/{RECORDING}/questions")
    drawn = next(one for one in asked.json()["questions"] if one["prompt"] == "Mark the gallbladder")
    # containers round to a millisecond
    assert abs(drawn["rtp_timestamp"] - ASKED) <= 90
    (left, top), (right, bottom) = drawn["answer"]["mark"]["points"]
    assert [left, top, right, bottom] == pytest.approx([0.3, 0.3, 0.6, 0.7], abs=0.01)
    await changed_taken_away_and_brought_back(server, expert)


async def changed_taken_away_and_brought_back(server: Served, expert: Page) -> None:
    """Change the question that Maria answered, by keyboard; what she answered stays what it was."""
    panel = expert.get_by_test_id("quiz")
    mine = expert.get_by_test_id("quiz").locator('[data-testid^="quiz-q-"]').filter(has_text="动脉")
    theirs = panel.locator('[data-testid^="quiz-q-"]').filter(has_text="Mark the cystic artery")
    await theirs.click()
    await expect(panel).to_have_attribute("data-phase", "attempts", timeout=PATIENCE)
    await expect(panel).to_have_attribute("data-frame", "there", timeout=PATIENCE)
    await expert.get_by_test_id("quiz-given").locator("li").first.wait_for()
    await panel.get_by_role("heading").click()
    await expert.keyboard.press("e")
    await expect(panel).to_have_attribute("data-phase", "making", timeout=PATIENCE)
    await expect(expert.get_by_test_id("quiz-prompt-input")).to_have_value("Mark the cystic artery")
    await expect(expert.get_by_test_id("quiz-change-note")).to_contain_text("1")
    await expert.get_by_test_id("quiz-prompt-input").fill("标出胆囊动脉")
    # another answer is drawn; without one there is nothing to keep
    await expert.get_by_test_id("quiz-redraw").click()
    await expect(expert.get_by_test_id("quiz-keep")).to_be_disabled()
    await expect(panel).to_have_attribute("data-frame", "there", timeout=PATIENCE)
    await press(expert, [0.4, 0.5])
    await picture(expert, "quiz-changed-1180")
    await expert.get_by_test_id("quiz-keep").click()
    await expect(panel).to_have_attribute("data-phase", "attempts", timeout=PATIENCE)
    await expect(expert.get_by_test_id("quiz-asked-then").first).to_contain_text("Mark the cystic artery")
    await picture(expert, "quiz-changed-answers-1180")
    await expert.get_by_test_id("quiz-remove").click()
    await expert.get_by_test_id("quiz-undo").wait_for()
    await expect(mine).to_have_count(0)
    await expert.keyboard.press("Control+z")
    await expect(mine).to_have_count(1, timeout=PATIENCE)
    asked = (await call(server, KELLER, "GET", f"recordings/{RECORDING}/questions")).json()["questions"]
    (changed,) = [one for one in asked if one["version"] == 2]
    assert (changed["prompt"], changed["people"]) == ("标出胆囊动脉", 1)
    assert changed["answer"]["mark"]["points"][0] == pytest.approx([0.4, 0.5], abs=0.01)


async def go_to_training(page: Page) -> None:
    """From a recording over the list."""
    await page.get_by_test_id("back").click()
    await page.get_by_test_id("training-open").click()
    await page.get_by_test_id("training").wait_for()


def description_end() -> float:
    """When the frame is surely over."""
    return 0.1 + (NUMBER + 10) / 30


async def attempts(server: Served) -> list[dict[str, Any]]:
    """What has been answered, the oldest first."""
    asked = await call(server, KELLER, "GET", f"recordings/{RECORDING}/questions")
    (question,) = asked.json()["questions"]
    answered = await call(server, KELLER, "GET", f"questions/{question['question']}/attempts")
    found: list[dict[str, Any]] = json.loads(answered.body)["attempts"]
    return found
