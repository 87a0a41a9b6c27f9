"""Images brought into a room by the page of a real Chromium: what is taken, what is not and why, who sees what."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from playwright.async_api import expect

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
            [sample("CT_small.dcm"), sample("MR_truncated.dcm"), packed]
        )
        total = page.get_by_test_id("upload-sum")
        await expect(total).to_have_text("4 taken · 2 not taken", timeout=PATIENCE)
        await until(page, "k.studies.length === 2")
        await page.get_by_test_id("upload-reasons").click()
        reasons = page.get_by_test_id("upload-list")
        await expect(reasons).to_contain_text("CT/readme.txt")
        await expect(reasons).to_contain_text("The file ends within its pixels: it is cut off.")
        await picture(page, "store-reasons-1180")
        await page.keyboard.press("Escape")
        await picture(page, "store-uploaded-1180")
        trainee = await person(chromium, server.link("trainee", "Maria Santos"), (1180, 820))
        await join(trainee, media=True)
        await trainee.get_by_test_id("stage-images").click()
        await until(trainee, "k.studies.length === 2")
        await expect(trainee.get_by_test_id("upload")).to_have_count(0)
        assert "Geheim" not in await trainee.content()
