"""Over the wire: a followed mark goes with the tissue, all are grey after a cut and when the worker dies; none lies."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from loadtests.caller import calling
from media.ids import ProducerId
from server.demo import barcode
from server.service import Service
from server.watching.field import Field
from tests.helpers.publishing import publishing
from tests.helpers.served import Served, served
from tests.helpers.tracked_clip import CUT_AT, FRAMES, moved, tracked_clip
from tests.helpers.udp_peers import until

TICKS = 3000  # of the RTP clock, a frame


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


class Clip:
    """Which frame of the clip is passing, by the RTP timestamp of one whose barcode was read."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.room = service.rooms["ward"]
        (self.producer,) = self.room.router.producers
        self._begin = 0

    async def read(self) -> None:
        """Read one frame's number off a still."""
        timestamp = self.newest()
        png = (await self.room.watcher.still(self.producer, timestamp)).png
        picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
        number = barcode.read(np.asarray(picture, np.uint8))
        assert number is not None
        self._begin = timestamp - TICKS * number

    def newest(self) -> int:
        """Name the newest frame that has arrived whole: the one before the newest that was heard of."""
        newest = self._service.plane.statistics().producers[self.producer].encodings[0].last_timestamp
        return (newest - TICKS) % (1 << 32)

    def number(self, timestamp: int) -> int:
        """Give a frame's number in the clip."""
        return (timestamp - self._begin) % (1 << 32) // TICKS % FRAMES


def mark(name: str, timestamp: int, producer: ProducerId, *, follow: bool) -> dict[str, Any]:
    return {
        "kind": "add",
        "mark": {
            "mark": name,
            "shape": "ellipse",
            "anchor": {"producer": producer, "rtp_timestamp": timestamp},
            "points": [[0.40, 0.55], [0.46, 0.66]],
            "width": 0.004,
            "text": "",
            "follow": follow,
        },
    }


async def test_marks_go_with_the_tissue_and_never_lie(running: Served) -> None:
    told: list[tuple[int, str, str, list[float]]] = []
    async with (
        publishing(running, tracked_clip(), frames=FRAMES),
        calling(running.url, running.token("expert", "Dr. E")) as (expert,),
    ):
        service = running.service
        await until(lambda: bool(service.rooms["ward"].router.producers), 30)
        clip = Clip(service)
        room = clip.room
        await until(lambda: room.watcher.kept > 60_000, 30)
        await clip.read()

        def take(notice: dict[str, Any]) -> None:
            if notice["type"] == "operation" and notice["operation"]["kind"] == "track":
                at = clip.number(notice["operation"]["anchor"]["rtp_timestamp"])
                assert notice["author"] == "tracker"
                for track in notice["operation"]["tracks"]:
                    told.append((at, track["mark"], track["state"], track["matrix"]))

        expert.on_notice = take

        # drawn while the camera pans, one to follow and one to stay
        await until(lambda: 5 <= clip.number(clip.newest()) < 40, 40)
        anchor = clip.newest()
        begin = clip.number(anchor)
        await expert.request("mark", operation=mark("m-follows", anchor, clip.producer, follow=True))
        await expert.request("mark", operation=mark("m-stays", anchor, clip.producer, follow=False))

        def heard(name: str, state: str, begin: int, end: int) -> int:
            return sum(begin <= at < end and (mark, now) == (name, state) for at, mark, now, _ in told)

        # it follows until the cut, and after it until the next: a busy machine may need another loop of the clip
        await until(lambda: heard("m-follows", "good", 60, CUT_AT) > 8, 60)
        await until(lambda: heard("m-stays", "stale", 0, FRAMES) > 0, 60)
        await until(lambda: heard("m-follows", "stale", CUT_AT, FRAMES) > 0, 60)
        back = len(told)
        await until(lambda: sum(entry[1:3] == ("m-follows", "good") for entry in told[back:]) > 4, 60)
        for at, name, state, matrix in told:
            if state != "good":
                continue
            # within the cut nothing is good, from two frames after its first at the latest
            assert not CUT_AT + 2 <= at < FRAMES, told
            if name == "m-follows" and at < CUT_AT:
                # where the mark's middle is, in picture heights
                place = np.array([0.43 * 16 / 9, 0.605])
                now = np.array([matrix[0:2], matrix[2:4]]).T @ place + matrix[4:6]
                assert np.linalg.norm(now - place - moved(begin, at)) < 0.01, (at, matrix, moved(begin, at))
        # and that was no small way
        assert any(
            state == "good" and np.hypot(*moved(begin, at)) > 0.05
            for at, name, state, _ in told
            if at < CUT_AT
        )

        # the worker dies: everybody hears that nothing is known
        field: Field = room.watcher.field(clip.producer)
        await until(lambda: getattr(room.document.track("m-follows"), "state", "") == "good", 40)
        assert field.follower is not None
        pid = field.follower.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: getattr(room.document.track("m-follows"), "state", "") == "stale", 20)
        # and another takes its place
        await until(lambda: field.follower is not None and field.follower.pid not in (None, pid), 30)
        # with the last mark the need ends
        await expert.request("mark", operation={"kind": "clear_own"})
        field.linger = 0.0
        await until(lambda: field.follower is None, 30)
