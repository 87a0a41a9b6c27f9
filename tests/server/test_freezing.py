"""A frame is frozen: for whoever asked, then for all; kept exactly, given to nobody else, and drawn on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from annotation.anchors import VideoAnchor
from annotation.notes import Calibrate
from loadtests.caller import Caller, Refused, calling
from server.demo.clip import SMALL
from signalling.orientation import Orientation
from signalling.patient_messages import ChoosePatient
from signalling.worklist import Entry
from tests.helpers.publishing import publishing, small_clip
from tests.helpers.served import Served, served
from tests.helpers.watching_client import WatchingClient
from tests.server.test_marks_over_the_wire import add
from tests.server.watching.test_stills import read_barcode, seen_by


async def get(server: Served, token: str, name: str, room: str = "ward") -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.get(f"{server.url}/api/stills/{room}/{name}.png") as answer,
    ):
        return answer.status, await answer.read()


async def freeze(caller: Caller, producer: int, timestamp: int, for_all: bool) -> dict[str, Any]:
    # each is decoded in a process of its own, which a busy machine takes its time to start
    asked = {"producer": producer, "rtp_timestamp": timestamp, "for_all": for_all, "label": "Cystic duct"}
    answer: dict[str, Any] = (await caller.request("freeze", patience=60, **asked))["still"]
    return answer


def on_still(producer: int, timestamp: int, mark: str) -> dict[str, Any]:
    operation = add(producer, mark, timestamp)
    operation["mark"]["anchor"] = {"producer": producer, "rtp_timestamp": timestamp, "still": True}
    return operation


def say(
    server: Served, producer: int, patient: str, right: str, timestamp: int, mm: float | None
) -> str | None:
    """Choose a patient, and say which way round and how large the field is from a frame on; give the patient's key."""
    conductor = server.service.rooms["ward"]
    owner = conductor.room.producer(producer).participant
    entry = Entry(patient, "", "Müller^Anna", "", "", "", "", "20261129")
    conductor.bedside.choose(conductor.members[owner], ChoosePatient(1, *conductor.bedside.offer([entry])))
    conductor.room.orient(owner, producer, Orientation(right, "F", mirrored=True))
    points = () if mm is None else ((0, 0.5), (1, 0.5))
    conductor.decide(Calibrate(VideoAnchor(producer, timestamp), points, mm), owner, "Dr. S", "#ffffff")
    return conductor.bedside.key


async def test_from_the_glass_to_everybodys_glass(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        tokens = [
            server.token("expert", "Dr. E"),
            server.token("expert", "Dr. F"),
            server.token("trainee", "M. S."),
        ]
        async with (
            calling(server.url, *tokens) as (expert, other, trainee),
            publishing(server, small_clip(), frames=SMALL.frames),
        ):
            client = WatchingClient(expert)
            try:
                await client.answer()
                producer = int(client.offer["consumers"][0]["producer"])
                first = say(server, producer, "4711", "R", 0, None)
                frames = await seen_by(client, 20)
                timestamp = list(frames)[-3]
                name = f"{producer}-{timestamp}"

                # of whom it is, which way round and how large: that of the frame is kept, whatever is said since
                say(server, producer, "4712", "L", next(iter(frames)), 10.0)

                # for oneself: nobody else is told, nobody else gets it
                still = await freeze(expert, producer, timestamp, for_all=False)
                assert still["patient"] == first
                assert still["orientation"] == {"row": "L", "column": "F", "mirrored": True}
                assert still["calibration"] == {"points": [[0, 0.5], [1, 0.5]], "millimetres": 10.0}
                say(server, producer, "4713", "R", timestamp, 20.0)
                status, png = await get(server, tokens[0], name)
                assert status == 200
                assert (read_barcode(png), still["width"], still["height"]) == frames[timestamp]
                assert still["sm3"] == hashlib.new("sm3", png).hexdigest()
                assert (await get(server, tokens[1], name))[0] == 404
                assert (await get(server, tokens[0], name, room="theatre-2"))[0] == 403
                assert (await get(server, tokens[0], f"{producer}-{timestamp + 1}"))[0] == 404
                with pytest.raises(Refused) as refused:
                    await expert.request("mark", operation=on_still(producer, timestamp, "m-1"))
                assert refused.value.code == "not_found"

                # for all: the same image, by another who names the same frame
                shared = await freeze(other, producer, timestamp, for_all=True)
                assert {**shared, "taken_by": "", "for_all": False} == {**still, "taken_by": ""}
                told: dict[str, Any] = {}
                while told.get("kind") != "still":
                    told = (await trainee.notice("operation"))["operation"]
                assert told == {"kind": "still", "still": shared}
                assert (await get(server, tokens[2], name)) == (200, png)
                await expert.request("mark", operation=on_still(producer, timestamp, "m-1"))

                # who may not draw freezes nothing, and what was never sent cannot be frozen
                for caller, when, code in (
                    (trainee, timestamp, "not_permitted"),
                    (expert, (timestamp + 1) & 0xFFFFFFFF, "no_frame"),
                ):
                    with pytest.raises(Refused) as refused:
                        await freeze(caller, producer, when, for_all=True)
                    assert refused.value.code == code
            finally:
                await client.close()
