"""The room's patient over the wire: chosen from the worklist, told by role, and no mark on another's image."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from loadtests.caller import Caller, Refused, calling
from server.config import RoomsConfig
from signalling.veil import Veil
from signalling.worklist import Entry
from tests.helpers.dicom_files import sample
from tests.helpers.recorded import journal_size, prepared
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until

#: The patient of pydicom's CT_small.dcm, and somebody else.
CT = Entry("1CT1", "", "CompressedSamples^CT1", "", "O", "A-1", "CT of the chest", "202611291330")
ELSE = Entry("4711", "HIS", "Müller^Anna", "19700101", "F", "A-2", "Appendectomy", "202611291400")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


async def upload(running: Served) -> dict[str, Any]:
    data = sample("CT_small.dcm").read_bytes()
    answered = await running.ask("POST", "/dicom/upload", running.bearer("expert"), data)
    file: dict[str, Any] = answered.json()["files"][0]
    return file


def add(sop: str, number: int = 1) -> dict[str, Any]:
    return {
        "kind": "add",
        "mark": {
            "mark": f"m-{number}",
            "shape": "line",
            "anchor": {"SOPInstanceUID": sop, "frame": 1},
            "points": [[0.1, 0.2], [0.3, 0.4]],
            "width": 0.004,
            "text": "",
        },
    }


async def test_the_patient_is_told_to_each_as_he_may_know(running: Served) -> None:
    tokens = [running.token(role) for role in ("surgeon", "expert", "trainee")]
    async with calling(running.url, *tokens) as (surgeon, expert, trainee):
        assert surgeon.welcome["patient"] is None
        (entry, _) = running.service.rooms["ward"].bedside.offer([ELSE, CT])
        await surgeon.request("choose_patient", entry=entry)
        told = await expert.notice("patient")
        assert told["patient"]["name"] == "Müller^Anna"
        assert told["patient"]["patient_id"] == "4711"
        hidden = await trainee.notice("patient")
        assert hidden["patient"] == {"name": "Patient A", "key": told["patient"]["key"]}
        async with calling(running.url, running.token("observer")) as (late,):
            assert late.welcome["patient"] == hidden["patient"]
        await surgeon.request("choose_patient", entry=None)
        assert (await expert.notice("patient"))["patient"] is None


async def test_only_surgeon_and_chair_choose_and_only_from_the_list(running: Served) -> None:
    async with calling(running.url, running.token("expert"), running.token("chair")) as (expert, chair):
        (entry,) = running.service.rooms["ward"].bedside.offer([CT])
        with pytest.raises(Refused) as refused:
            await expert.request("choose_patient", entry=entry)
        assert refused.value.code == "not_permitted"
        with pytest.raises(Refused) as refused:
            await chair.request("choose_patient", entry="w-typed-by-hand")
        assert refused.value.code == "not_found"
        await chair.request("choose_patient", entry=entry)


async def test_a_mark_on_another_patients_image_is_refused(running: Served) -> None:
    async with calling(running.url, running.token("surgeon"), running.token("expert")) as (surgeon, expert):
        sop = (await upload(running))["SOPInstanceUID"]
        # nobody is chosen: whose image it is is not known
        await expert.request("mark", operation=add(sop, 1))
        mine, other = running.service.rooms["ward"].bedside.offer([CT, ELSE])
        await surgeon.request("choose_patient", entry=other)
        with pytest.raises(Refused) as refused:
            await expert.request("mark", operation=add(sop, 2))
        assert refused.value.code == "wrong_patient"
        assert "Müller" not in str(refused.value)
        # nor is one moved that stands there
        moved = {**add(sop, 1), "kind": "edit"}
        with pytest.raises(Refused) as refused:
            await expert.request("mark", operation=moved)
        assert refused.value.code == "wrong_patient"
        await surgeon.request("choose_patient", entry=mine)
        await expert.request("mark", operation=add(sop, 2))


async def test_images_of_another_patient_are_told_as_such_to_all(running: Served) -> None:
    async with calling(running.url, running.token("surgeon"), running.token("trainee")) as (surgeon, trainee):
        mine, other = running.service.rooms["ward"].bedside.offer([CT, ELSE])
        await surgeon.request("choose_patient", entry=other)
        await upload(running)
        assert (await trainee.notice("studies"))["studies"][0]["match"] == "other"
        assert (await surgeon.notice("studies"))["studies"][0]["match"] == "other"
        await surgeon.request("choose_patient", entry=mine)
        study = (await surgeon.notice("studies"))["studies"][0]
        assert study["match"] == "same"
        # the patient's key is that of his images
        assert study["patient_key"] == running.service.rooms["ward"].bedside.describe("surgeon")["key"]  # type: ignore[index]


async def test_a_mark_on_a_frame_that_an_image_has_not_is_refused(running: Served) -> None:
    async with calling(running.url, running.token("expert")) as (expert,):
        sop = (await upload(running))["SOPInstanceUID"]
        operation = add(sop)
        operation["mark"]["anchor"]["frame"] = 2
        with pytest.raises(Refused) as refused:
            await expert.request("mark", operation=operation)
        assert refused.value.code == "not_found"


async def test_the_patient_outlives_the_server_as_the_images_do_but_not_the_consultation(
    tmp_path: Path,
) -> None:
    # the server ends while they are in the room
    async with contextlib.AsyncExitStack() as people, served(tmp_path) as server:
        (surgeon,) = await people.enter_async_context(calling(server.url, server.token("surgeon")))
        sop = (await upload(server))["SOPInstanceUID"]
        (entry,) = server.service.rooms["ward"].bedside.offer([ELSE])
        await surgeon.request("choose_patient", entry=entry)
        chosen = (await surgeon.notice("patient"))["patient"]
    async with served(tmp_path) as server:
        async with calling(server.url, server.token("surgeon")) as (surgeon,):
            assert surgeon.welcome["patient"] == chosen
            with pytest.raises(Refused) as refused:
                await surgeon.request("mark", operation=add(sop))
            assert refused.value.code == "wrong_patient"
        await until(lambda: not server.service.rooms, 30)
        # the last one has left: the next consultation chooses
        async with calling(server.url, server.token("surgeon")) as (surgeon,):
            assert surgeon.welcome["patient"] is None


async def test_a_patient_of_the_day_before_is_nobodys(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        server.service.images.store.keep_patient("ward", json.dumps(asdict(CT)))
        server.service.images.store.keep_patient("board", '{"of": "another version"}')
        database = tmp_path / "dicom" / "index.sqlite"
        with contextlib.closing(sqlite3.connect(database)) as index:
            index.execute("UPDATE patients SET chosen = chosen - 90000 WHERE entry LIKE '%1CT1%'")
            index.commit()
    async with (
        served(tmp_path) as server,
        calling(server.url, server.token("chair"), server.token("chair", room="board")) as callers,
    ):
        assert [caller.welcome["patient"] for caller in callers] == [None, None]


async def test_who_may_not_see_the_patient_reads_no_name_that_is_known(running: Served) -> None:
    tokens = [running.token(role) for role in ("surgeon", "expert", "trainee")]
    async with calling(running.url, *tokens) as (surgeon, expert, trainee):
        say = {"kind": "say", "text": "Frau Müller, please"}
        await expert.request("mark", operation=say)
        # nobody is chosen: nobody can know that this is a name
        assert (await trainee.notice("operation"))["operation"] == say
        await surgeon.request("record", action="start")
        recording = str((await surgeon.notice("recording"))["recording"]["recording"])
        (entry,) = running.service.rooms["ward"].bedside.offer([ELSE])
        await surgeon.request("choose_patient", entry=entry)
        page = {"kind": "page", "board": 2, "title": "anna mueller, 1.1.1970"}
        await expert.request("mark", operation=page)
        assert (await trainee.notice("operation"))["operation"] == page | {"title": "▮▮▮, ▮▮▮"}
        await surgeon.notice("operation")
        assert (await surgeon.notice("operation"))["operation"] == page
        # who comes later is told no name, nor who asks again; and it stays so when another patient is chosen
        await surgeon.request("choose_patient", entry=None)
        async with calling(running.url, running.token("observer")) as (late,):
            told = [one["operation"] for one in late.welcome["marks"]["operations"]]
            assert told == [say | {"text": "Frau ▮▮▮, please"}, page | {"title": "▮▮▮, ▮▮▮"}]
            again = await late.request("marks", after=0)
            assert [one["operation"] for one in again["operations"]] == told
        await surgeon.request("record", action="stop")
        await prepared(running.url, running.bearer("surgeon"), recording)
        # one who is chosen when it is over was perhaps the patient all the same
        (entry,) = running.service.rooms["ward"].bedside.offer([CT])
        await surgeon.request("choose_patient", entry=entry)
        known = await running.service.recorded_patients.known(recording)
        assert known.is_all
        assert Veil(known.patients).hide("Müller 1CT1") == "▮▮▮ ▮▮▮"
        for bearer, words in (
            (running.bearer("trainee"), told),
            (running.bearer("surgeon"), [say, page]),
        ):
            replayed = (await running.ask("GET", f"/api/recordings/{recording}", bearer)).json()
            assert [one["operation"] for one in replayed["operations"]] == words
            assert "veiled" not in {event["kind"] for event in replayed["events"]}


#: A disk that refuses, as SQLite tells it.
REFUSED = """CREATE TRIGGER refused BEFORE INSERT ON recorded_patient WHEN length(NEW.patients) > {}
             BEGIN SELECT RAISE(ABORT, 'disk full'); END"""


async def _recording(server: Served, surgeon: Caller) -> str:
    """Begin a recording; gives its name when it is known that no patient was chosen so far."""
    await surgeon.request("record", action="start")
    recording = str((await surgeon.notice("recording"))["recording"]["recording"])
    # its head says how it is sealed
    await until(lambda: journal_size(server.folder, recording))
    assert (await server.service.recorded_patients.known(recording)).is_all
    return recording


async def _recording_that_lacks_its_patient(server: Served, surgeon: Caller) -> str:
    """Begin one, then choose the patient, whom the disk refuses; gives its name."""
    recording = await _recording(server, surgeon)
    empty = await server.service.database.run(
        lambda c: c.execute("SELECT length(patients) FROM recorded_patient").fetchone()[0]
    )
    await server.service.database.run(lambda c: c.execute(REFUSED.format(empty)))
    (entry,) = server.service.rooms["ward"].bedside.offer([ELSE])
    await surgeon.request("choose_patient", entry=entry)
    return recording


async def test_where_a_patient_could_not_be_written_down_no_later_server_believes_what_was_before(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as server:
        async with calling(server.url, server.token("surgeon")) as (surgeon,):
            recording = await _recording_that_lacks_its_patient(server, surgeon)
            await surgeon.request("record", action="stop")
            await prepared(server.url, server.bearer("surgeon"), recording)
        assert not (await server.service.recorded_patients.known(recording)).is_all
    async with served(tmp_path) as server:
        assert not (await server.service.recorded_patients.known(recording)).is_all


async def test_what_could_not_be_written_down_is_so_at_the_end_of_the_consultation(tmp_path: Path) -> None:
    async with served(tmp_path) as server, calling(server.url, server.token("surgeon")) as (surgeon,):
        recording = await _recording_that_lacks_its_patient(server, surgeon)
        await server.service.database.run(lambda c: c.execute("DROP TRIGGER refused"))
    async with served(tmp_path) as server:
        known = await server.service.recorded_patients.known(recording)
        assert known.is_all
        assert Veil(known.patients).hide("Anna Müller") == "▮▮▮"


async def test_a_server_that_was_killed_wrote_down_all_of_those_consultations_alone_that_had_ended(
    tmp_path: Path,
) -> None:
    rooms = RoomsConfig(resume_seconds=1)
    async with served(tmp_path / "first", rooms=rooms) as server:
        async with calling(server.url, server.token("surgeon")) as (surgeon,):
            recording = await _recording(server, surgeon)
            # what lies on the disk is what a server finds that comes after a power cut
            await asyncio.to_thread(shutil.copytree, server.folder, tmp_path / "within")
            await surgeon.request("record", action="stop")
            await prepared(server.url, server.bearer("surgeon"), recording)
            assert (await server.service.recorded_patients.known(recording)).is_all
        await until(lambda: not server.service.rooms, 30)
        assert (await server.service.recorded_patients.known(recording)).is_all
        await asyncio.to_thread(shutil.copytree, server.folder, tmp_path / "after")
    for folder, is_known in (("within", False), ("after", True)):
        async with served(tmp_path / folder) as server:
            assert (await server.service.recorded_patients.known(recording)).is_all == is_known, folder
