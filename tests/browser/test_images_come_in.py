"""Images brought into a room by the page of a real Chromium: what is taken, what is not and why, who sees what."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.accessibility import grave_findings
from tests.browser.chromium import PATIENCE, browser, join, person, picture, until
from tests.helpers.dicom_files import made, sample, written
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def test_files_and_a_zip_go_in_and_what_is_not_taken_is_said(tmp_path: Path) -> None:
    packed = tmp_path / "study.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in (1, 2, 3):
            archive.writestr(f"CT/{number}", written(made(InstanceNumber=number)))
        archive.writestr("CT/readme.txt", "This CD holds pictures." * 20)
    async with served(tmp_path / "server") as server, browser() as chromium:
        page = await person(chromium, server.link("expert", "Dr. Li Wei"), (1180, 820))
        await join(page, media=False)
        await page.get_by_test_id("stage-images").click()
        await expect(page.get_by_test_id("no-images")).to_be_visible(timeout=PATIENCE)
        await picture(page, "store-empty-1180")
        await page.get_by_test_id("upload-files").set_input_files(
            [
                sample("CT_small.dcm"),
                sample("MR_truncated.dcm"),
                packed,
                sample("examples_ybr_color.dcm"),
            ]
        )
        total = page.get_by_test_id("upload-sum")
        await expect(total).to_have_text("5 taken · 1 withheld from some · 2 not taken", timeout=PATIENCE)
        await until(page, "k.studies.length === 3")
        await expect(page.get_by_test_id("upload-brief")).to_contain_text("The end of the file is missing")
        await page.get_by_test_id("upload-reasons").click()
        reasons = page.get_by_test_id("upload-list")
        await expect(reasons).to_contain_text("CT/readme.txt")
        await expect(reasons).to_contain_text("The file ends within its pixels: it is cut off.")
        await expect(reasons.get_by_text("CT_small.dcm").locator("..")).to_contain_text("Taken")
        await expect(reasons).to_contain_text("Ultrasound machines often write the name")
        found = await grave_findings(page)
        await picture(page, "store-reasons-1180")
        await page.keyboard.press("Escape")
        await picture(page, "store-uploaded-1180")
        trainee = await person(chromium, server.link("trainee", "Maria Santos"), (1180, 820))
        await join(trainee, media=True)
        await trainee.get_by_test_id("stage-images").click()
        await until(trainee, "k.studies.length === 3")
        await expect(trainee.get_by_test_id("upload")).to_have_count(0)
        assert "Geheim" not in await trainee.content()
        await expect(trainee.locator(".withheld")).to_have_count(1)
        await expect(trainee.get_by_test_id("aside")).to_have_count(0)
        chair = await person(chromium, server.link("chair", "Prof. Li"), (1920, 1080), "zh-CN")
        await join(chair, media=False)
        await chair.get_by_test_id("stage-images").click()
        found += await decide(chair)
        await expect(trainee.locator(".withheld")).to_have_count(0, timeout=PATIENCE)
        # an expert sees what there is, and decides nothing
        await page.get_by_test_id("aside").click()
        await expect(page.get_by_test_id("aside-file")).to_have_count(1)
        await expect(page.get_by_test_id("aside-delete")).to_have_count(0)
        found += await grave_findings(page)
        await picture(page, "aside-expert-1180")
        assert not found, "\n".join(found)


async def decide(chair: Page) -> list[str]:
    """Look at what was put aside, delete a file, show a series to all: by keys and by touch."""
    await expect(chair.get_by_test_id("aside-count")).to_have_text("3", timeout=PATIENCE)
    await chair.get_by_test_id("aside").focus()
    await chair.keyboard.press("Enter")
    letter = chair.get_by_test_id("aside-file").filter(has_text="readme.txt")
    cut = chair.get_by_test_id("aside-file").filter(has_text="MR_truncated.dcm")
    await cut.get_by_test_id("aside-look").click()
    await expect(cut.get_by_test_id("aside-facts")).to_contain_text("MR Image Storage", timeout=PATIENCE)
    await expect(cut).to_contain_text("文件末尾缺失")
    # the server's English stands on no Chinese page
    await expect(cut.locator("[lang=en]")).to_have_count(0)
    # the harmless answer has the focus; what is deleted is gone for good
    await letter.get_by_test_id("aside-delete").focus()
    await chair.keyboard.press("Enter")
    await expect(letter.get_by_test_id("aside-keep")).to_be_focused()
    found = await grave_findings(chair)
    await chair.keyboard.press("Tab")
    await chair.keyboard.press("Enter")
    await expect(letter).to_have_count(0, timeout=PATIENCE)
    series = chair.get_by_test_id("aside-series")
    await series.get_by_test_id("aside-release").dispatch_event("click")
    await expect(series.get_by_test_id("aside-not-now")).to_be_focused(timeout=PATIENCE)
    await expect(series.locator("img")).to_have_count(1)
    await picture(chair, "aside-chair-1920")
    found += await grave_findings(chair)
    await series.get_by_test_id("aside-release-confirm").click()
    await expect(series.get_by_test_id("aside-withhold")).to_be_visible(timeout=PATIENCE)
    await expect(chair.get_by_test_id("aside-count")).to_have_text("1", timeout=PATIENCE)
    await chair.keyboard.press("Escape")
    await expect(chair.get_by_test_id("aside")).to_be_focused()
    return found
