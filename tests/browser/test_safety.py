"""Safety on the glass in Chromium: what a picture is, of whom, which way round; whose sound is lost; too many marks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from loadtests.caller import calling
from media.ids import ProducerId
from signalling.notices import ServerMessage
from tests.browser.barcodes import write_camera
from tests.browser.chromium import PATIENCE, browser, join, person, picture, probe, until
from tests.browser.test_guidance import draw
from tests.helpers.peer import frame_sent
from tests.helpers.served import served
from tests.server.test_marks_over_the_wire import add
from tests.server.test_patient import ELSE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: Keeps the page's connections where a test finds them.
_CONNECTIONS = """
    window.connections = [];
    window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(...given) { super(...given); window.connections.push(this); }
    };
"""
#: What is sent of a kind stops on its way, and nobody has muted it.
_LOSE = """async kind => {
    for (const connection of window.connections)
        for (const sender of connection.getSenders())
            if (sender.track?.kind === kind) await sender.replaceTrack(null);
}"""
#: As many as are called too many, and some more.
MARKS = 43


async def test_what_a_picture_is_is_said_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = write_camera(tmp_path / "camera.y4m", width=512, height=288)
    async with (
        served(tmp_path) as server,
        browser(f"--use-file-for-fake-video-capture={camera}") as chromium,
        calling(server.url, server.token("chair", "Prof. Chair"), server.token("expert", "Dr. E")) as (
            chair,
            other,
        ),
    ):
        surgeon = await person(chromium, server.link("surgeon", "Dr. Zhang Wei"), before=_CONNECTIONS)
        await surgeon.get_by_text("mirrored, for you alone").wait_for()
        await join(surgeon, media=True)
        await surgeon.get_by_test_id("share-field").click()
        await surgeon.get_by_test_id("field-device-0").click()
        expert = await person(chromium, server.link("expert", "Prof. Keller"))
        await join(expert, media=False)
        field = await until(expert, "k.producers.find(p => p.source === 'field')?.producer")
        face = await until(expert, "k.producers.find(p => p.source === 'camera')?.producer")
        for page in (surgeon, expert):
            assert await page.locator("video").evaluate_all(
                "videos => videos.every(video => getComputedStyle(video).transform === 'none')"
            )

        # of whom it is
        banner = expert.get_by_test_id("patient")
        await expect(banner).to_have_attribute("data-chosen", "false", timeout=PATIENCE)
        (entry,) = server.service.rooms["ward"].bedside.offer([ELSE])
        await chair.request("choose_patient", entry=entry)
        await expect(banner).to_contain_text("Müller, Anna", timeout=PATIENCE)
        await expect(banner).to_contain_text("4711")
        await expect(banner).to_contain_text("1970")

        # live, on each tile, by a clock that goes on with the frames
        for producer in (field, face):
            plate = expert.get_by_test_id(f"mode-{producer}")
            await expect(plate).to_have_attribute("data-mode", "live", timeout=PATIENCE)
            await expect(plate).to_have_attribute("data-at", re.compile(r"\d+"), timeout=PATIENCE)
            before = float(await plate.get_attribute("data-at") or 0)
            # the time is the frame's: near the server's, and never ahead of it by more than clocks differ
            assert abs(before - server.service.wall_clock() * 1000) < PATIENCE
            await expert.get_by_test_id(f"age-{producer}").wait_for()
        await until(
            expert, f"Number(document.querySelector('[data-testid=mode-{field}]').dataset.at) > {before}"
        )

        # one that moves and comes late is no live one: veil, word and border
        times = server.service.rooms["ward"].frame_times
        tell = times.notice

        def older(producer: ProducerId) -> ServerMessage | None:
            """Say that frames were captured so much earlier."""
            notice = tell(producer)
            return (
                None if notice is None else ServerMessage({**notice.body, "time": notice.body["time"] - 1500})
            )

        monkeypatch.setattr(times, "notice", older)
        plate, late = expert.get_by_test_id(f"mode-{field}"), expert.get_by_test_id(f"late-{field}")
        await expect(plate).to_have_attribute("data-mode", "late", timeout=PATIENCE)
        await expect(plate).to_contain_text("LATE")
        await late.wait_for()
        assert await probe(expert, f"k.frames[{field}].frozen") is False
        await picture(expert, "safety-late")
        monkeypatch.setattr(times, "notice", tell)
        await expect(plate).to_have_attribute("data-mode", "live", timeout=PATIENCE)
        await expect(late).to_have_count(0)

        # which way round it is
        await chair.request(
            "orient", producer=field, orientation={"row": "L", "column": "F", "mirrored": True}
        )
        edges = expert.get_by_test_id(f"edges-{field}")
        await edges.wait_for()
        assert await edges.locator("span").all_text_contents() == ["R", "L", "H", "F"]
        await expert.get_by_test_id(f"mirrored-{field}").wait_for()

        # more marks than anybody reads
        frame = await frame_sent(server.service, field)
        for number in range(MARKS):
            await other.request("mark", operation=add(field, f"m-{number}", frame))
        crowded = expert.get_by_test_id("crowded")
        await expect(crowded).to_have_attribute("data-all", str(MARKS), timeout=PATIENCE)
        await expert.get_by_test_id("declutter").click()
        await until(expert, f"k.marksDrawnOn({field}).length === 15")
        await expect(crowded).to_have_attribute("data-shown", "15", timeout=PATIENCE)
        await picture(expert, "safety-crowded")
        await expert.get_by_test_id("declutter").click()
        await until(expert, f"k.marksDrawnOn({field}).length === {MARKS}")

        # sound that stops arriving, though nobody has muted it
        await until(expert, "k.receiving === 'connected'")
        assert await expert.get_by_test_id("sound-lost").count() == 0
        await surgeon.evaluate(_LOSE, "audio")
        await expect(expert.get_by_test_id("sound-lost")).to_contain_text("Dr. Zhang Wei", timeout=PATIENCE)

        # a picture that stands still is no live one, and its clock stands with it
        await surgeon.evaluate(_LOSE, "video")
        plate = expert.get_by_test_id(f"mode-{field}")
        await expect(plate).to_have_attribute("data-mode", "frozen", timeout=PATIENCE)
        await picture(expert, "safety-frozen")
        assert await probe(expert, f"k.frames[{field}].frozen") is True
        # all marks on it are grey, and none can be begun there
        await until(expert, f"k.marksDrawnOn({field}).every(mark => mark.stale)")
        await draw(expert, str(field))
        await expert.get_by_text("The picture is frozen. A mark on it").first.wait_for()
        assert await probe(expert, f"k.marksDrawnOn({field}).length") == MARKS
