"""The hospital's dialog in a real Chromium, Orthanc behind it: patient, images, marks that go and come back elsewhere,
a copy without names, another's images."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import pydicom
import pytest
from playwright.async_api import Download, Page, expect

from tests.browser.accessibility import grave_findings
from tests.browser.chromium import PATIENCE, browser, join, person, picture, until
from tests.browser.test_images import ink, place
from tests.helpers.dicom_files import made, sample, written
from tests.helpers.orthanc import Orthanc
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


#: Where a length is drawn by the mouse, in parts of the image, and a place where nothing is.
ENDS = ((0.3, 0.4), (0.7, 0.6))
ELSEWHERE = (0.7, 0.4)


async def fetch(page: Page) -> None:
    """Fetch the study out of the archive, by the dialog."""
    await page.get_by_test_id("hospital-fetch").click()
    await page.get_by_test_id("search-id").fill("1CT1")
    await page.get_by_test_id("search-go").click()
    await page.get_by_test_id("fetch-study").click()
    done = page.locator('[data-testid="job"][data-kind="fetch"][data-state="done"]')
    await expect(done).to_be_visible(timeout=PATIENCE)
    await until(page, "k.studies.length === 1")


async def shut(page: Page) -> None:
    """Close the dialog."""
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("hospital-dialog")).to_have_count(0, timeout=PATIENCE)


async def matrix_of(page: Page) -> list[float]:
    """Show the images; where the first one lies in its pane."""
    await page.get_by_test_id("stage-images").click()
    matrix: list[float] = await until(page, "k.images[0]?.matrix")
    return matrix


async def draw(page: Page) -> dict[str, Any]:
    """Draw a length on the image with the mouse."""
    matrix = await matrix_of(page)
    box = await page.get_by_test_id("pane-0").bounding_box()
    assert box is not None
    await page.get_by_test_id("viewer-hand-draw").click()
    await page.get_by_test_id("viewer-measure").select_option("length")
    start, end = (place(matrix, point) for point in ENDS)
    await page.mouse.move(box["x"] + start[0], box["y"] + start[1])
    await page.mouse.down()
    await page.mouse.move(box["x"] + end[0], box["y"] + end[1], steps=4)
    await page.mouse.up()
    mark: dict[str, Any] = await until(page, "k.marks.find(m => m.shape === 'length' && m.sequence !== null)")
    return mark


async def saved(download: Download, folder: Path) -> Path:
    path = folder / download.suggested_filename
    await download.save_as(path)
    return path


async def take_a_copy(page: Page, folder: Path) -> None:
    """Look at what could be in a copy, tick words, and save it; save the annotations, too."""
    await page.get_by_test_id("hospital-copy").click()
    await expect(page.get_by_test_id("copy-series")).to_have_count(2, timeout=PATIENCE)
    await expect(page.get_by_test_id("copy-series").first).to_be_checked()
    # the ultrasound picture stays until somebody has looked at it
    await page.get_by_test_id("copy-series").nth(1).check()
    await expect(page.get_by_test_id("copy-warned")).to_be_visible()
    await page.get_by_test_id("copy-look").click()
    await expect(page.get_by_test_id("copy-picture")).to_be_enabled(timeout=PATIENCE)
    assert await grave_findings(page) == []
    await picture(page, "hospital-copy-1180")
    async with page.expect_download() as downloading:
        await page.get_by_test_id("copy-take").click()
    packed = zipfile.ZipFile(await saved(await downloading.value, folder))
    assert [name for name in packed.namelist() if name.startswith("images/")] == ["images/00001.dcm"]
    assert packed.testzip() is None
    for name in packed.namelist():
        assert b"CompressedSamples" not in packed.read(name)
    with packed.open("images/00001.dcm") as file:
        assert pydicom.dcmread(file).PatientIdentityRemoved == "YES"
    done = page.locator('[data-testid="job"][data-kind="copy"][data-state="done"]')
    await expect(done).to_be_visible(timeout=PATIENCE)
    await page.get_by_test_id("hospital-send").click()
    async with page.expect_download() as downloading:
        await page.get_by_test_id("annotations-save").click()
    (item,) = json.loads((await saved(await downloading.value, folder)).read_text())["items"]
    assert " mm" in item["body"]["value"]


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
        # what is drawn with the mouse goes there
        await shut(page)
        drawn = await draw(page)
        await page.get_by_test_id("hospital-button").click()
        await page.get_by_test_id("hospital-send").click()
        await expect(page.get_by_test_id("send-presentation")).to_be_checked(timeout=PATIENCE)
        await page.get_by_test_id("send-go").click()
        sent = page.locator('[data-testid="job"][data-kind="send"][data-state="done"]')
        await expect(sent).to_be_visible(timeout=PATIENCE)
        await picture(page, "hospital-send-1180")
        assert await grave_findings(page) == []
        assert sorted(one["Modality"] for one in pacs.objects()) == ["CT", "KO", "OT", "PR", "SR"]
        # and stands where it was, fetched into a room where nothing was drawn
        other_room = await person(chromium, server.link("chair", "Maria Santos", "board"), (1440, 900))
        await join(other_room, media=False)
        await other_room.get_by_test_id("hospital-button").click()
        await fetch(other_room)
        await shut(other_room)
        matrix = await matrix_of(other_room)
        there = await until(other_room, "k.marks.find(m => m.shape === 'length')")
        # the archive's pixels are 128 wide; half a one is what its numbers' rounding may cost
        for one, two in zip(drawn["points"], there["points"], strict=True):
            assert math.dist(one, two) * 128 < 0.5
        for point in ENDS:
            await ink(other_room, place(matrix, point), present=True)
        await ink(other_room, place(matrix, ELSEWHERE), present=False)
        await picture(other_room, "hospital-came-back-1440")
        await other_room.close()
        # a copy for outside
        headers = server.bearer("surgeon")
        ultrasound = made(
            PatientID="1CT1", Modality="US", SOPClassUID="1.2.840.10008.5.1.4.1.1.6.1", SeriesNumber=9,
            SeriesInstanceUID="1.2.3", SeriesDescription="Ultrasound",
        )  # fmt: skip
        await server.ask("POST", "/dicom/upload", headers, written(ultrasound))
        await take_a_copy(page, tmp_path)
        # another patient's image says so
        await shut(page)
        await server.ask(
            "POST", "/dicom/upload", headers, written(made(PatientID="9", StudyInstanceUID="1.2.9"))
        )
        await until(page, "k.studies.length === 3")
        await page.get_by_test_id("stage-images").click()
        other = page.locator('[data-testid="whose-study"][data-match="other"]')
        await expect(other).to_be_visible(timeout=PATIENCE)
        await page.locator("nav section", has=other).locator("button").first.click()
        await expect(page.locator('[data-testid="whose-image"][data-match="other"]')).to_be_visible(
            timeout=PATIENCE
        )
        await page.set_viewport_size({"width": 1920, "height": 1080})
        await picture(page, "hospital-other-1920")
