"""A teaching copy from the page: a region hidden by mouse and by key, looked at, released, and watched by a learner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from server.keeping import decisions
from tests.browser.accessibility import grave_findings
from tests.browser.chromium import PATIENCE, TABLET, browser, person, picture
from tests.exporting.recordings import consultation, drawn, mark
from tests.exporting.test_exports import ROOM, archive
from tests.helpers.journals import RECORDING, STARTED
from tests.helpers.served import Served, served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def consent(server: Served) -> None:
    await server.service.database.run(lambda c: decisions.register(c, [(RECORDING, ROOM, STARTED * 1000)]))
    body = json.dumps({"purpose": "teaching", "given": True, "reference": "F-2026/118"}).encode()
    address = f"/api/keeping/recordings/{RECORDING}/consent"
    assert (await server.ask("POST", address, server.bearer("chair", ROOM), body)).status == 200


async def place(page: Page) -> tuple[float, float, float, float]:
    box = await page.get_by_test_id("mask-surface").bounding_box()
    assert box is not None
    return box["x"], box["y"], box["width"], box["height"]


async def share(page: Page, name: str) -> float:
    """Tell a side of the last mask, in shares of the picture."""
    style = await page.get_by_test_id("mask").last.get_attribute("style") or ""
    sides = dict(pair.split(":") for pair in style.replace(" ", "").rstrip(";").split(";"))
    return float(sides[name].rstrip("%")) / 100


async def test_from_the_hidden_region_to_the_learner(tmp_path: Path) -> None:
    text = mark("m-1", "text", 10, [[0.5, 0.5]], text="Keller, 5 mm")
    archive(tmp_path, consultation(tmp_path / "made", [drawn(1, 0.6, text)]))
    async with served(tmp_path) as server, browser() as chromium:
        await consent(server)
        link = server.link("surgeon", "Dr. Li Wei", ROOM, page="replay")
        page = await person(chromium, f"{link}&recording={RECORDING}")
        await page.get_by_test_id("export-button").click(timeout=PATIENCE)

        # a film for the archive has the room's patient, and there is none
        await page.get_by_test_id("export-kind-dicom").check()
        await expect(page.get_by_test_id("mask-surface")).to_have_count(0)
        await page.get_by_test_id("export-begin").click()
        problem = page.get_by_test_id("export-problem")
        await expect(problem).to_contain_text("No patient was chosen", timeout=PATIENCE)
        await page.get_by_test_id("export-whose-nobody").click()
        await expect(page.get_by_test_id("mask-surface")).to_be_visible()
        await expect(page.get_by_test_id("export-send")).to_have_count(0)
        assert await grave_findings(page) == []
        await problem.scroll_into_view_if_needed()
        await picture(page, "exports-dicom")

        await page.get_by_test_id("export-kind-teaching").check()
        await expect(page.get_by_test_id("export-careful")).to_be_visible()
        # faces are out until they are asked for, voices and words too
        await expect(page.get_by_test_id("export-camera-9")).not_to_be_checked()
        await expect(page.get_by_test_id("export-voices")).not_to_be_checked()

        # by mouse: from corner to corner
        await page.get_by_test_id("mask-surface").scroll_into_view_if_needed()
        x, y, width, height = await place(page)
        await page.mouse.move(x + width * 0.5, y + height * 0.5)
        await page.mouse.down()
        await page.mouse.move(x + width * 0.25, y + height * 0.25, steps=4)
        await page.mouse.up()
        await expect(page.get_by_test_id("mask")).to_have_count(1)
        assert await share(page, "left") == pytest.approx(0.25, abs=0.02)
        assert await share(page, "width") == pytest.approx(0.25, abs=0.02)
        # by key: one in the middle, moved, stretched, taken away
        await page.get_by_test_id("mask-add").press("Enter")
        await expect(page.get_by_test_id("mask")).to_have_count(2)
        await expect(page.get_by_test_id("mask").last).to_be_focused()
        for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowDown"):
            await page.keyboard.press(key)
        assert await share(page, "left") == pytest.approx(0.33, abs=0.001)
        assert await share(page, "height") == pytest.approx(0.21, abs=0.001)
        await picture(page, "teaching-masks")
        await page.keyboard.press("Delete")
        await expect(page.get_by_test_id("mask")).to_have_count(1)
        await expect(page.get_by_test_id("mask-add")).to_be_focused()
        assert await grave_findings(page) == []
        await page.set_viewport_size({"width": TABLET[0], "height": TABLET[1]})
        await picture(page, "teaching-tablet")

        await page.get_by_test_id("export-texts").check()
        await page.get_by_test_id("export-size").select_option("720")
        await page.get_by_test_id("export-begin").click()
        job = page.get_by_test_id("export-job").first
        await expect(job).to_have_attribute("data-state", "needs_sign_off", timeout=PATIENCE)
        await expect(job.get_by_test_id("export-save")).to_have_count(0)

        # it is looked at before it is released
        await job.get_by_test_id("export-look").click()
        await expect(page.get_by_test_id("sign-off-words")).to_contain_text("▮▮▮, 5 mm", timeout=PATIENCE)
        await expect(page.get_by_test_id("sign-off-pictures")).to_be_disabled()
        await page.get_by_test_id("sign-off-film").evaluate("film => film.play()")
        for look in ("pictures", "sound", "texts"):
            await expect(page.get_by_test_id("sign-off-release")).to_be_disabled()
            await page.get_by_test_id(f"sign-off-{look}").check(timeout=PATIENCE)
        assert await grave_findings(page) == []
        await picture(page, "teaching-sign-off")
        await page.get_by_test_id("sign-off-release").click()
        await expect(job).to_have_attribute("data-state", "done", timeout=PATIENCE)
        await expect(job.get_by_test_id("export-signed")).to_be_visible()

        # and a learner watches it
        trainee = await person(
            chromium, f"{server.link('trainee', 'T. Rainee', ROOM, page='replay')}&recording={RECORDING}"
        )
        await trainee.get_by_test_id("teaching-copies").click(timeout=PATIENCE)
        film = trainee.get_by_test_id("teaching-film")
        await film.evaluate("film => film.play()")
        await expect(film).to_have_js_property("videoHeight", 720, timeout=PATIENCE)
        assert await grave_findings(trainee) == []
        await picture(trainee, "teaching-learner")
