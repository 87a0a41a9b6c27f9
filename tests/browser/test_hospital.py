"""The hospital's dialog in a real Chromium, Orthanc behind it: patient, images, marks that go, another's images."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from loadtests.caller import calling
from tests.browser.accessibility import grave_findings
from tests.browser.chromium import PATIENCE, browser, join, person, picture, until
from tests.helpers.dicom_files import made, sample, written
from tests.helpers.drawing import mark
from tests.helpers.orthanc import Orthanc
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def test_a_patient_is_chosen_images_come_and_marks_go(tmp_path: Path, pacs: Orthanc) -> None:
    pacs.put(sample("CT_small.dcm").read_bytes())
    for number, (name, patient) in enumerate((("CompressedSamples^CT1", "1CT1"), ("Müller^Anna", "4711"))):
        pacs.schedule(
            patient_id=patient, name=name, birth_date="19640721", sex="F", accession=f"A-{number}",
            procedure="CT of the abdomen", starts="20261129",
        )  # fmt: skip
    config = pacs.config(tmp_path, retry_seconds=1.0, name="PACS Ward 3")
    async with served(tmp_path / "server", pacs=config) as server, browser() as chromium:
        page = await person(chromium, server.link("surgeon", "Dr. Li Wei"), (1180, 820))
        await join(page, media=False)
        await page.get_by_test_id("hospital-button").click()
        # whose consultation it is
        await page.get_by_test_id("worklist-day").fill("2026-11-29")
        await expect(page.get_by_test_id("choose-patient")).to_have_count(2, timeout=PATIENCE)
        await picture(page, "hospital-worklist-1180")
        assert await grave_findings(page) == []
        await page.get_by_test_id("choose-patient").first.click()
        await expect(page.get_by_test_id("worklist-chosen")).to_be_visible(timeout=PATIENCE)
        await expect(page.get_by_test_id("patient")).to_have_attribute("data-chosen", "true")
        # images out of the archive
        await page.get_by_test_id("hospital-fetch").click()
        await page.get_by_test_id("search-id").fill("1CT1")
        await page.get_by_test_id("search-go").click()
        await expect(page.get_by_test_id("match")).to_have_attribute("data-match", "same", timeout=PATIENCE)
        await page.get_by_test_id("fetch-study").click()
        done = page.locator('[data-testid="job"][data-kind="fetch"][data-state="done"]')
        await expect(done).to_be_visible(timeout=PATIENCE)
        await picture(page, "hospital-archive-1180")
        assert await grave_findings(page) == []
        await until(page, "k.studies.length === 1")
        # what was drawn goes there
        sop = next(iter(server.service.images.store.instances("ward"))).sop
        async with calling(server.url, server.token("expert", "Dr. Anna Meier")) as (expert,):
            await expert.request("mark", operation={"kind": "add", "mark": mark("length", sop).to_json()})
        await page.get_by_test_id("hospital-send").click()
        await expect(page.get_by_test_id("send-presentation")).to_be_checked(timeout=PATIENCE)
        await page.get_by_test_id("send-go").click()
        sent = page.locator('[data-testid="job"][data-kind="send"][data-state="done"]')
        await expect(sent).to_be_visible(timeout=PATIENCE)
        await picture(page, "hospital-send-1180")
        assert await grave_findings(page) == []
        assert sorted(one["Modality"] for one in pacs.objects()) == ["CT", "KO", "OT", "PR", "SR"]
        # another patient's image says so
        await page.keyboard.press("Escape")
        await expect(page.get_by_test_id("hospital-dialog")).to_have_count(0, timeout=PATIENCE)
        headers = server.bearer("surgeon")
        await server.ask(
            "POST", "/dicom/upload", headers, written(made(PatientID="9", StudyInstanceUID="1.2.9"))
        )
        await until(page, "k.studies.length === 2")
        await page.get_by_test_id("stage-images").click()
        other = page.locator('[data-testid="whose-study"][data-match="other"]')
        await expect(other).to_be_visible(timeout=PATIENCE)
        await page.locator("nav section", has=other).locator("button").first.click()
        await expect(page.locator('[data-testid="whose-image"][data-match="other"]')).to_be_visible(
            timeout=PATIENCE
        )
        await page.set_viewport_size({"width": 1920, "height": 1080})
        await picture(page, "hospital-other-1920")
