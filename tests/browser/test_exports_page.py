"""Films and texts taken out of a recording, from the replay page in Chromium."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from playwright.async_api import expect

from tests.browser.accessibility import grave_findings
from tests.browser.chromium import PATIENCE, TABLET, browser, person, picture
from tests.exporting.recordings import consultation, drawn, mark
from tests.exporting.test_exports import ROOM, archive, done, post
from tests.helpers.journals import RECORDING
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]


async def test_why_it_failed_is_said_in_the_readers_language(tmp_path: Path) -> None:
    archive(tmp_path, consultation(tmp_path / "made", []))
    async with served(tmp_path) as server, browser() as chromium:
        for options in ({"from": 500, "to": 510}, {"producers": [99]}):  # the page offers neither
            failed = (await post(server, "camera", **options)).json()["export"]
            await done(server, failed, "failed")
        link = f"{server.link('surgeon', 'Dr. Li Wei', ROOM, page='replay')}&recording={RECORDING}"
        for language, said in (("zh-CN", "既无画面也无声音"), ("en-GB", "neither picture nor sound")):
            page = await person(chromium, link, TABLET, language)
            await page.get_by_test_id("export-button").click(timeout=PATIENCE)
            await expect(page.get_by_test_id("export-error").last).to_contain_text(said)
            assert await grave_findings(page) == []
            await page.get_by_test_id("export-list").scroll_into_view_if_needed()
            await picture(page, f"exports-failed-{language}")


async def test_a_surgeon_takes_a_part_of_a_recording_out(tmp_path: Path) -> None:
    archive(
        tmp_path,
        consultation(tmp_path / "made", [drawn(1, 0.9, mark("m-1", "arrow", 10, [[0.1, 0.1], [0.4, 0.4]]))]),
    )
    async with served(tmp_path) as server, browser() as chromium:
        link = server.link("surgeon", "Dr. Li Wei", ROOM, page="replay")
        page = await person(chromium, f"{link}&recording={RECORDING}")
        await page.get_by_test_id("export-button").click(timeout=PATIENCE)
        await expect(page.get_by_test_id("export-form")).to_be_visible()
        await picture(page, "exports-desktop")

        # by keyboard: the second kind, a part, an end that cannot be
        await page.get_by_test_id("export-kind-composed").focus()
        await page.keyboard.press("ArrowDown")
        await expect(page.get_by_test_id("export-kind-camera")).to_be_checked()
        await page.get_by_test_id("export-whole").focus()
        await page.keyboard.press("ArrowDown")
        await page.get_by_test_id("export-to").fill("0:99")
        await expect(page.get_by_test_id("export-time-wrong")).to_be_visible()
        await expect(page.get_by_test_id("export-begin")).to_be_disabled()
        await page.get_by_test_id("export-from").fill("0.5")
        await page.get_by_test_id("export-to").fill("1.5")
        await page.get_by_test_id("export-camera-9").uncheck()
        await page.get_by_test_id("export-to").press("Enter")
        job = page.get_by_test_id("export-job").first
        await expect(job).to_have_attribute("data-state", "done", timeout=PATIENCE)
        assert await grave_findings(page) == []

        # what the browser saves is the clip, whole
        async with page.expect_download() as saving:
            await job.get_by_test_id("export-save").click()
        download = await saving.value
        assert download.suggested_filename == f"{RECORDING}-field-7.mp4"
        with av.open(await download.path()) as container:
            assert sum(1 for _ in container.decode(video=0)) > 25

        # one that is under way is cancelled at once, one that is done after a question
        await page.get_by_test_id("export-kind-composed").check()
        await page.get_by_test_id("export-begin").click()
        await expect(page.get_by_test_id("export-job")).to_have_count(2)
        await picture(page, "exports-under-way")
        await page.get_by_test_id("export-remove").first.click()
        await expect(page.get_by_test_id("export-job")).to_have_count(1)
        await page.set_viewport_size({"width": TABLET[0], "height": TABLET[1]})
        await picture(page, "exports-tablet")
        await job.get_by_test_id("export-remove").click()
        await expect(page.get_by_test_id("export-remove-dialog")).to_be_visible()
        await page.get_by_test_id("confirm").click()
        await expect(page.get_by_test_id("export-job")).to_have_count(0)
        assert list((tmp_path / "recordings" / "exports").iterdir()) == []

        # others are not offered it
        trainee = await person(
            chromium, f"{server.link('trainee', 'T. Rainee', ROOM, page='replay')}&recording={RECORDING}"
        )
        await expect(trainee.get_by_test_id("back")).to_be_visible(timeout=PATIENCE)
        await expect(trainee.get_by_test_id("export-button")).to_have_count(0)
