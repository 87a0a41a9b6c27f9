"""The archive's page in Chromium: two people delete a recording, a third is under hold; by keys, in both languages."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from server.config import CopiesConfig
from signalling.patient import Identity, Patient
from tests.browser.accessibility import grave_findings
from tests.browser.chromium import browser, person
from tests.helpers.kept import keep_recording
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def _picture(page: Page, name: str, width: int = 1180, height: int = 820) -> None:
    """Keep a picture of the page where somebody asked for one."""
    if folder := os.environ.get("SHOTS"):
        await page.set_viewport_size({"width": width, "height": height})
        await page.screenshot(path=f"{folder}/keeping-{name}.png")


async def test_two_people_keep_and_delete(tmp_path: Path) -> None:
    config = CopiesConfig(place=str(tmp_path / "second"), rate_mb=1000)
    async with served(tmp_path, copies=config) as server, browser() as chromium:
        held, gone = [await asyncio.to_thread(keep_recording, tmp_path, "ward") for _ in range(2)]
        await server.service.keeper.take_in()
        await server.service.keeper.copy_round()
        anna, bo = [
            await person(chromium, server.link("chair", name, page="replay"), (1180, 820))
            for name in ("Anna", "Bo")
        ]
        await anna.get_by_test_id("keeping-open").click()

        # a hold, with a reason, and consent, as the paper form has them; all by keys
        line = anna.get_by_test_id(f"kept-{held}")
        await line.get_by_test_id("hold-ask").focus()
        await anna.keyboard.press("Enter")
        await anna.keyboard.type("claim 17")
        await _picture(anna, "hold")
        await anna.keyboard.press("Enter")
        await expect(line.get_by_test_id("hold")).to_contain_text("claim 17")
        await expect(line.get_by_test_id("deletion-ask")).to_be_disabled()
        await line.get_by_test_id("consent").click()
        await anna.get_by_test_id("purpose-teaching").check()
        await anna.get_by_test_id("reference").fill("Li Wei")
        await anna.get_by_test_id("confirm").click()
        await expect(anna.get_by_test_id("consent-dialog")).to_be_visible()  # a name is no form's number
        await anna.get_by_test_id("reference").fill("F-2026/118")
        await _picture(anna, "consent")
        await anna.get_by_test_id("confirm").click()
        await expect(line.get_by_text(re.compile("Teaching: consent given"))).to_be_visible()
        await line.get_by_test_id("class").select_option("teaching")
        await expect(line.get_by_test_id("until")).to_have_text("as long as consent lasts")

        # one asks, and cannot agree; the other does
        await anna.get_by_test_id(f"kept-{gone}").get_by_test_id("deletion-ask").click()
        await anna.get_by_test_id("reason").fill("recorded by mistake")
        await anna.get_by_test_id("confirm").click()
        mine = anna.get_by_test_id(f"kept-{gone}").get_by_test_id("deletion")
        await expect(mine).to_contain_text("Another person must agree")
        await expect(mine.get_by_test_id("deletion-agree")).to_have_count(0)
        await bo.get_by_test_id("keeping-open").click()
        theirs = bo.get_by_test_id(f"kept-{gone}").get_by_test_id("deletion")
        await expect(theirs).to_contain_text("Anna asks for its deletion: recorded by mistake")
        await _picture(bo, "recordings")
        await _picture(bo, "recordings-wide", 1920, 1080)
        assert await grave_findings(bo) == []
        await theirs.get_by_test_id("deletion-agree").click()
        await bo.get_by_test_id("agree-dialog").get_by_test_id("confirm").click()
        await expect(theirs).to_have_attribute("data-state", re.compile("agreed|done"))
        await server.service.keeper.round()
        assert not (tmp_path / "recordings" / gone / "journal.kjr").exists()

        # the disk and the book, in Chinese too
        await bo.get_by_test_id("keeping-recordings").focus()
        await bo.keyboard.press("ArrowRight")
        await expect(bo.get_by_test_id("disk-chart")).to_be_visible()
        assert await grave_findings(bo) == []
        await _picture(bo, "disk")
        await bo.keyboard.press("ArrowRight")
        await expect(bo.get_by_test_id("book")).to_contain_text("agreed to deletion")
        await _picture(bo, "book")
        await bo.get_by_test_id("language").click()
        await expect(bo.get_by_test_id("book")).to_contain_text("同意删除")
        await bo.get_by_test_id("keeping-recordings").click()
        await _picture(bo, "recordings-zh")
        await bo.get_by_test_id("keeping-back").click()
        await expect(bo.get_by_test_id(f"recording-{held}")).to_be_visible()
        await expect(bo.get_by_test_id(f"recording-{gone}")).to_have_count(0)


async def test_whose_a_recording_is_is_completed_and_trainees_read_again(tmp_path: Path) -> None:
    async with served(tmp_path) as killed:
        recording = await asyncio.to_thread(keep_recording, tmp_path, "ward")
        key = await asyncio.to_thread(killed.service.archive.library.key, recording)
        anna = Patient(Identity("4711", "HIS", "Geheim^Anna", "19700101"), "p-1")
        await killed.service.recorded_patients.keep(recording, key, (anna,))
    # the next server does not know whether another was chosen before that one ended
    async with served(tmp_path) as server, browser() as chromium:
        items = [{"recording": recording, "title": "Heimlich, for comparison"}]
        listed = {"title": "Frau Geheim", "note": "Watch the duct.", "items": items, "people": None}
        bearer = server.bearer("expert")
        set_one = await server.ask("POST", "/api/training/playlists", bearer, json.dumps(listed).encode())
        assert set_one.status == 201, set_one.body
        trainee = await person(chromium, server.link("trainee", "Jin", page="replay"), (1440, 900))
        await trainee.get_by_test_id("training-open").click()
        await expect(trainee.get_by_test_id("playlist-withheld")).to_be_visible()
        await expect(trainee.get_by_test_id("playlist")).not_to_contain_text("Geheim")
        await _picture(trainee, "playlist-withheld", 1440, 900)

        chair = await person(chromium, server.link("chair", "Anna", page="replay"), (1180, 820))
        await chair.get_by_test_id("keeping-open").click()
        line = chair.get_by_test_id(f"kept-{recording}")
        await expect(line.get_by_test_id("patients-unsure")).to_contain_text("not surely known")
        await _picture(chair, "unsure", 1440, 900)
        await _picture(chair, "unsure-tablet", 1024, 768)

        # all by keys: who is known is read, who is missing is written
        await line.get_by_test_id("patients").focus()
        await chair.keyboard.press("Enter")
        dialog = chair.get_by_test_id("patients-dialog")
        await expect(dialog.get_by_test_id("known-patient")).to_contain_text("Geheim, Anna")
        await dialog.get_by_test_id("patient-add").focus()
        await chair.keyboard.press("Enter")
        await expect(dialog.get_by_test_id("patient-name")).to_be_focused()
        await chair.keyboard.type("Li")
        # that these are all is said, and not taken for granted
        await chair.keyboard.press("Enter")
        await expect(dialog).to_be_visible()
        await dialog.get_by_test_id("patients-all").press("Space")
        await dialog.get_by_test_id("patient-name").press("Enter")
        await expect(dialog.get_by_test_id("patients-failure")).to_contain_text("nothing could be hidden")
        await dialog.get_by_test_id("patient-name").fill("Bert Heimlich")
        await dialog.get_by_test_id("patient-born").fill("1971-02-02")
        await _picture(chair, "patients", 1440, 900)
        await _picture(chair, "patients-tablet", 1024, 768)
        assert await grave_findings(chair) == []
        await dialog.get_by_test_id("patient-name").press("Enter")
        await expect(dialog).to_have_count(0)
        await expect(line.get_by_test_id("patients-unsure")).to_have_count(0)
        await expect(line.get_by_test_id("patients")).to_be_visible()
        await _picture(chair, "known", 1440, 900)
        await _picture(chair, "known-tablet", 1024, 768)
        await chair.get_by_test_id("keeping-book").click()
        await expect(chair.get_by_test_id("book")).to_contain_text("confirmed its patients")
        await trainee.get_by_test_id("training-back").click()
        await trainee.get_by_test_id("training-open").click()
        await expect(trainee.get_by_test_id("playlist")).to_contain_text("Frau ▮▮▮")
        await expect(trainee.get_by_test_id("playlist")).to_contain_text("▮▮▮, for comparison")
        await _picture(trainee, "playlist", 1440, 900)
