"""Films in Chromium: played by its own player, the position followed; frame by frame where it plays none."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.accessibility import grave_findings
from tests.browser.chromium import PATIENCE, browser, join, person, picture, probe, until
from tests.helpers.dicom_asking import bring
from tests.helpers.films import H264, HEIGHT, MPEG2, WIDTH, film, level
from tests.helpers.served import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: The brightness in the middle of the first pane.
_LEVEL = """() => {
    const canvas = document.querySelector('[data-testid="image-0"]');
    const at = [Math.round(canvas.width / 2), Math.round(canvas.height * 0.6), 1, 1];
    return canvas.getContext('2d').getImageData(...at).data[0];
}"""


async def shows(page: Page, frame: int) -> None:
    """Wait until a frame is on the glass, by its number and by its pixels."""
    await until(page, f"k.images[0]?.frame === {frame}")
    for _ in range(200):
        seen = await page.evaluate(_LEVEL)
        if abs(seen - level(frame)) < 7:
            return
        await page.wait_for_timeout(50)
    raise AssertionError(f"frame {frame} is {level(frame)}, the glass shows {seen}")


async def test_a_film_is_played_and_followed(tmp_path: Path) -> None:
    async with served(tmp_path) as server, browser() as chromium:
        played = await bring(server, film(H264, 50))
        leader = await person(chromium, server.link("expert", "Dr. Li Wei"), (1920, 1080))
        await join(leader, media=False)
        follower = await person(chromium, server.link("expert", "Maria Santos"), (1180, 820))
        await join(follower, media=False)
        for page in (leader, follower):
            await page.get_by_test_id("stage-images").click()
            await shows(page, 1)
        await leader.get_by_test_id("present-start").click()
        await expect(follower.get_by_test_id("stage-sign-images")).to_have_text("You follow Dr. Li Wei")
        await follower.get_by_test_id("stage-board").click()
        await expect(follower.get_by_test_id("stage-sign-images")).to_have_text("Dr. Li Wei presents")
        await follower.get_by_test_id("stage-images").click()

        # still: the frame that is asked for, exactly, at both
        pane = leader.get_by_test_id("pane-0")
        await pane.focus()
        await leader.keyboard.press("PageDown")
        await leader.keyboard.press("ArrowDown")
        for page in (leader, follower):
            await shows(page, 12)

        # a mark on it lies on this frame, and is gone with it
        await leader.get_by_test_id("viewer-hand-draw").click()
        box = await pane.bounding_box()
        assert box is not None
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        await leader.mouse.move(*middle)
        await leader.mouse.down()
        await leader.mouse.move(middle[0] + 90, middle[1] + 60, steps=4)
        await leader.mouse.up()
        mark = await until(follower, "k.marks.find(m => m.sequence !== null)")
        assert mark["anchor"] == {"SOPInstanceUID": played["SOPInstanceUID"], "frame": 12}
        await until(follower, f"k.marksDrawnOn('dicom/{played['SOPInstanceUID']}/12').length === 1")
        await picture(leader, "film-leader-1920")
        await picture(follower, "film-follower-1180")
        found = await grave_findings(leader)

        # played: both go on, the follower where the leader is, and stand at the same frame
        await leader.get_by_test_id("viewer-hand-scroll").click()
        await pane.focus()
        await leader.keyboard.press("Space")
        await until(leader, "k.images[0].frame > 16")
        await until(follower, "k.images[0].frame > 16")
        await leader.keyboard.press("Space")
        await expect(leader.get_by_test_id("viewer-play")).to_have_attribute("aria-pressed", "false")
        stands = (await probe(leader, "k.images[0]"))["at"] + 1
        for page in (leader, follower):
            await shows(page, stands)

        # looked away, and said so on the tab
        await follower.get_by_test_id("pane-0").focus()
        await follower.keyboard.press("Home")
        await expect(follower.get_by_test_id("stage-sign-images")).to_have_attribute(
            "data-kind", "looking_away"
        )
        await shows(follower, 1)
        await picture(follower, "film-away-1180")

        # what no player plays is shown frame by frame, and says so
        await bring(server, film(MPEG2, 12, "mpeg", SeriesInstanceUID="1.3.6.1.4.1.4711.9", SeriesNumber=2))
        await leader.get_by_test_id("series-2").click()
        await expect(leader.get_by_test_id("film-frames-0")).to_be_visible(timeout=PATIENCE)
        await shows(leader, 1)
        await leader.get_by_test_id("pane-0").focus()
        await leader.keyboard.press("End")
        await shows(leader, 12)
        # small pictures come rendered
        small = leader.get_by_test_id("thumbnail-2")
        await expect(small).to_be_visible(timeout=PATIENCE)
        assert await small.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [WIDTH, HEIGHT]
        found += await grave_findings(leader)
        assert not found, "\n".join(found)
