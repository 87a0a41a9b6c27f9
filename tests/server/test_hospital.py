"""A room and its hospital: found, fetched, drawn on, sent, and back again; an archive that is away loses nothing."""

from __future__ import annotations

import asyncio
import io
import json
import math
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from annotation.anchors import DicomAnchor, VideoAnchor
from annotation.operations import Add
from annotation.shapes import Mark
from annotation.still import Facing, Still
from loadtests.caller import Caller, Refused, calling
from server.config import PacsConfig
from server.stills import KeptStill
from tests.helpers.dicom_files import sample
from tests.helpers.drawing import EVERY_SHAPE, image, mark
from tests.helpers.hospital_asking import PATIENCE, fetched, http, over, patient_notice, post, sop_in
from tests.helpers.orthanc import Orthanc
from tests.helpers.served import Served, ask, served
from tests.helpers.udp_peers import until

ALL = ["presentation", "report", "key_objects", "capture_marked", "capture_plain"]


@pytest.fixture
async def running(tmp_path: Path, pacs: Orthanc) -> AsyncIterator[Served]:
    async with served(tmp_path, pacs=pacs.config(tmp_path, retry_seconds=1.0)) as server:
        yield server


async def test_from_the_archive_into_a_room_and_back_and_into_another_room(
    running: Served, pacs: Orthanc
) -> None:
    pacs.put(sample("CT_small.dcm").read_bytes())
    source = image("CT_small.dcm")
    pacs.schedule(
        patient_id="1CT1", name="CompressedSamples^CT1", accession="A-9", starts="20261129", procedure="CT"
    )
    async with calling(running.url, running.token("surgeon")) as (surgeon,):
        # whose consultation it is comes from the worklist
        listed = await post(surgeon, "worklist", {"date": "20261129"})
        (entry,) = listed["entries"]
        assert "study" not in entry
        await surgeon.request("choose_patient", entry=entry["entry"])
        assert (await surgeon.notice("patient"))["patient"]["patient_id"] == "1CT1"
        # found and fetched
        found = await post(surgeon, "search", {"patient_id": "1CT1"})
        assert found["studies"][0]["match"] == "same"
        assert str(source.StudyInstanceUID) not in json.dumps(found)
        await fetched(surgeon, {"patient_id": "1CT1"})
        studies = (await patient_notice(surgeon, "studies"))["studies"]
        assert (studies[0]["match"], studies[0]["instances"]) == ("same", 1)
        # drawn on and sent
        sop = sop_in(running, "ward")
        for shape in EVERY_SHAPE:
            await surgeon.request("mark", operation={"kind": "add", "mark": mark(shape, sop).to_json()})
        preview = await post(surgeon, "preview", {})
        assert {one["kind"]: (one["images"], one["marks"]) for one in preview["objects"]} == {
            "presentation": (1, 15),
            "report": (1, 7),
            "key_objects": (1, 0),
            "capture_marked": (1, 15),
            "capture_plain": (1, 0),
        }
        job = await post(surgeon, "send", {"want": ALL})
        done = await over(surgeon, job["job"], "done", "refused", "failed")
        assert {one["kind"]: one["state"] for one in done["objects"]} == dict.fromkeys(ALL, "sent"), done
    kept = pacs.objects()
    assert sorted(one["Modality"] for one in kept) == ["CT", "KO", "OT", "OT", "PR", "SR"]
    assert {one["StudyInstanceUID"] for one in kept} == {source.StudyInstanceUID}
    # into another room, where nothing is drawn yet
    async with calling(running.url, running.token("chair", room="board")) as (chair,):
        await fetched(chair, {"patient_id": "1CT1"})
        there = await marks_of(chair, len(EVERY_SHAPE))
        other = sop_in(running, "board")
        assert other != sop
        for shape, points in EVERY_SHAPE.items():
            (same,) = [one for one in there if one["operation"]["mark"]["shape"] == shape]
            drawn = same["operation"]["mark"]
            assert drawn["anchor"] == DicomAnchor(other, 1).to_json()
            worst = max(
                math.hypot((x - a) * 128, (y - b) * 128)
                for (x, y), (a, b) in zip(drawn["points"], points, strict=True)
            )
            assert worst < 0.5
            assert same["name"] == "Dr. Test (PACS)"
            assert same["author"].startswith("pacs-")
        # nobody here drew them, so nobody here edits them
        with pytest.raises(Exception, match="not") as refused:
            await chair.request("mark", operation={"kind": "edit", "mark": there[0]["operation"]["mark"]})
        assert refused.type.__name__ == "Refused"


async def marks_of(caller: Caller, count: int) -> list[dict[str, Any]]:
    """Wait for so many marks to be added by whomever."""
    return [await patient_notice(caller, "operation") for _ in range(count)]


async def test_an_archive_that_is_away_loses_nothing_and_gets_all_later(
    tmp_path: Path, pacs: Orthanc
) -> None:
    config = pacs.config(tmp_path, retry_seconds=600.0)
    away = PacsConfig(dicomweb="http://127.0.0.1:9/dicom-web", outbox=config.outbox, seconds=2.0)
    async with (
        served(tmp_path, pacs=away) as server,
        calling(server.url, server.token("surgeon")) as (surgeon,),
    ):
        data = sample("MR_small.dcm").read_bytes()
        await server.ask("POST", "/dicom/upload", server.bearer("surgeon"), data)
        sop = sop_in(server, "ward", "MR")
        await surgeon.request("mark", operation={"kind": "add", "mark": mark("arrow", sop).to_json()})
        job = await post(surgeon, "send", {"want": ["presentation"]})
        waiting = await over(surgeon, job["job"], "waiting")
        while not waiting["message"]:
            waiting = await over(surgeon, job["job"], "waiting")
        told = [waiting[field] for field in ("message", "code", "done", "total")]
        assert told == ["The PACS cannot be reached.", "pacs_away", 0, 1]
    # another server, and the archive is there again
    async with (
        served(tmp_path, pacs=config) as server,
        calling(server.url, server.token("surgeon")) as (surgeon,),
    ):
        done = await over(surgeon, job["job"], "done")
        assert [one["state"] for one in done["objects"]] == ["sent"]
        assert [one["Modality"] for one in pacs.objects()] == ["PR"]
        await post(surgeon, f"jobs/{job['job']}", {"action": "dismiss"})
    assert os.listdir(config.outbox) == []


async def test_another_patients_study_is_fetched_but_not_drawn_on_nor_sent(
    running: Served, pacs: Orthanc
) -> None:
    pacs.put(sample("CT_small.dcm").read_bytes())
    pacs.schedule(patient_id="4711", name="Müller^Anna", starts="20261129")
    async with calling(running.url, running.token("surgeon")) as (surgeon,):
        # as long as nobody is chosen it can be drawn on, and would go
        await fetched(surgeon, {"name": "compressed"})
        assert (await patient_notice(surgeon, "studies"))["studies"][0]["match"] == "unchosen"
        drawn: dict[str, Any] = {"kind": "add", "mark": mark("length", sop_in(running, "ward")).to_json()}
        await surgeon.request("mark", operation=drawn)
        preview = await post(surgeon, "preview", {})
        assert {one["kind"]: one["marks"] for one in preview["objects"]}["presentation"] == 1
        (entry,) = (await post(surgeon, "worklist", {"date": ""}))["entries"]
        await surgeon.request("choose_patient", entry=entry["entry"])
        assert (await patient_notice(surgeon, "studies"))["studies"][0]["match"] == "other"
        found = await post(surgeon, "search", {"name": "compressed"})
        assert found["studies"][0]["match"] == "other"
        # the mark is still in the room, and stays there
        preview = await post(surgeon, "preview", {})
        assert all((one["images"], one["marks"]) == (0, 0) for one in preview["objects"])
        headers = {"Authorization": f"Bearer {surgeon.token}", "Content-Type": "application/json"}
        asked = json.dumps({"want": ALL}).encode()
        refused = await running.ask("POST", "/api/hospital/send", headers, asked)
        assert (refused.status, refused.json()["code"]) == (409, "nothing")
        with pytest.raises(Refused) as wrong:
            await surgeon.request("mark", operation=drawn | {"mark": drawn["mark"] | {"mark": "m-again"}})
        assert wrong.value.code == "wrong_patient"
    assert [one["Modality"] for one in pacs.objects()] == ["CT"]


async def test_who_may_not_is_told_so_and_nothing_stands_in_an_address(running: Served) -> None:
    for role, path, body in (
        ("trainee", "search", {"patient_id": "1"}),
        ("observer", "send", {"want": ["report"]}),
        ("expert", "worklist", {"date": ""}),
        # a link alone is not somebody who is in the room
        ("surgeon", "search", {"patient_id": "1"}),
    ):
        headers = running.bearer(role)  # type: ignore[arg-type]
        answered = await running.ask("POST", f"/api/hospital/{path}", headers, json.dumps(body).encode())
        assert answered.status == 403
    query = await running.ask("GET", "/api/hospital/search?patient_id=1", running.bearer("surgeon"))
    assert query.status == 405


NONSENSE = [
    ("search", b"{}"),
    ("search", b"["),
    ("search", b'{"name":7}'),
    ("search", b'{"date":"yesterday"}'),
    ("send", b'{"want":["everything"]}'),
    ("jobs/none", b'{"action":"explode"}'),
    ("worklist", b'{"date":"29.11.2026"}'),
]


async def test_what_makes_no_sense_is_refused_in_a_sentence(running: Served) -> None:
    async with calling(running.url, running.token("surgeon")) as (surgeon,):
        for path, body in NONSENSE:
            headers = {"Authorization": f"Bearer {surgeon.token}"}
            answered = await running.ask("POST", f"/api/hospital/{path}", headers, body)
            assert answered.status == 400
            assert answered.json()["code"] == "bad_request"
            assert answered.json()["message"].endswith(".")


async def test_marks_are_given_as_web_annotations(running: Served) -> None:
    async with calling(running.url, running.token("expert")) as (expert,):
        await running.ask(
            "POST", "/dicom/upload", running.bearer("expert"), sample("CT_small.dcm").read_bytes()
        )
        sop = sop_in(running, "ward")
        await expert.request("mark", operation={"kind": "add", "mark": mark("ellipse", sop).to_json()})
        answered = await running.ask(
            "GET", "/api/hospital/annotations", {"Authorization": f"Bearer {expert.token}"}
        )
    (item,) = answered.json()["items"]
    assert item["target"]["source"].endswith(f"/instances/{sop}/frames/1")
    assert "<ellipse" in item["target"]["selector"]["value"]
    assert b"CompressedSamples" not in answered.body


async def test_stills_of_the_field_go_under_the_rooms_patient(running: Served, pacs: Orthanc) -> None:
    pacs.schedule(
        patient_id="4711", name="Müller^Anna", accession="A-7", starts="20261129", birth_date="19700101"
    )
    pacs.schedule(patient_id="4712", name="Wang^Li", accession="A-8", starts="20261129")
    async with calling(running.url, running.token("surgeon")) as (surgeon,):
        conductor = running.service.rooms["ward"]
        png = io.BytesIO()
        Image.new("RGB", (64, 36), (10, 200, 30)).save(png, "PNG")

        def freeze(timestamp: int) -> None:
            key = conductor.bedside.key
            kept = KeptStill(7, timestamp, 64, 36, "", for_all=True, links=(), patient=key)
            running.service.stills.keep("ward", kept, png.getvalue())
            note = Still(
                7, timestamp, 64, 36, "0" * 64, "Dr. Test", True, "", key, Facing("L", "F", mirrored=True)
            )
            conductor.decide(note, "stills", "Konsil", "#ffffff")
            anchor = VideoAnchor(7, timestamp, still=True)
            conductor.decide(
                Add(Mark(f"m-{timestamp}", "arrow", anchor, ((0.2, 0.2), (0.5, 0.5)), 0.004)),
                "pt-1",
                "Dr. Test",
                "#ffffff",
            )

        listed = (await post(surgeon, "worklist", {"date": ""}))["entries"]
        entries = {one["patient_id"]: one["entry"] for one in listed}
        # without a patient they stay
        freeze(90_000)
        preview = await post(surgeon, "preview", {})
        assert preview["left_out"] == [{"what": "still", "reason": "unchosen", "count": 1}]
        # one was frozen before anybody was chosen, one of this patient, one of the next
        await surgeon.request("choose_patient", entry=entries["4711"])
        freeze(180_000)
        looked_at = (await post(surgeon, "preview", {}))["patient"]["key"]
        await surgeon.request("choose_patient", entry=entries["4712"])
        freeze(270_000)
        freeze(360_000)
        await surgeon.request("choose_patient", entry=entries["4711"])
        preview = await post(surgeon, "preview", {})
        assert preview["left_out"] == [
            {"what": "still", "reason": "frozen_unchosen", "count": 1},
            {"what": "still", "reason": "other_patient", "count": 2},
        ]
        captures = {one["kind"]: (one["images"], one["marks"]) for one in preview["objects"]}
        assert captures["capture_plain"] == (1, 0)
        assert captures["capture_marked"] == (1, 1)
        # what was looked at under one patient does not go under another
        await surgeon.request("choose_patient", entry=entries["4712"])
        refused = await ask(
            http(surgeon),
            "POST",
            "/api/hospital/send",
            {"Authorization": f"Bearer {surgeon.token}", "Content-Type": "application/json"},
            json.dumps({"want": ["capture_plain"], "patient": looked_at}).encode(),
        )
        assert (refused.status, b"Another patient" in refused.body) == (409, True)
        await surgeon.request("choose_patient", entry=entries["4711"])
        job = await post(surgeon, "send", {"want": ["capture_plain"], "patient": looked_at})
        await over(surgeon, job["job"], "done")
    (sent,) = pacs.objects()
    assert (sent["PatientID"], sent["PatientName"], sent["AccessionNumber"]) == ("4711", "Müller^Anna", "A-7")
    assert (sent["Rows"], sent["Columns"], sent["Modality"]) == ("36", "64", "OT")
    assert sent["PatientOrientation"] == "L\\F"
    assert sent["SeriesDescription"].endswith("MIRRORED")


async def test_what_was_drawn_goes_by_itself_when_the_last_one_has_left(
    tmp_path: Path, pacs: Orthanc
) -> None:
    config = pacs.config(tmp_path, retry_seconds=1.0, send_at_end=True)
    async with served(tmp_path, pacs=config) as server:
        async with calling(server.url, server.token("surgeon")) as (surgeon,):
            await server.ask(
                "POST", "/dicom/upload", server.bearer("surgeon"), sample("MR_small.dcm").read_bytes()
            )
            sop = sop_in(server, "ward", "MR")
            await surgeon.request("mark", operation={"kind": "add", "mark": mark("length", sop).to_json()})
        await until(
            lambda: any(job.state == "done" for job in server.service.hospital.outbox.jobs.values()), PATIENCE
        )
    assert sorted(one["Modality"] for one in pacs.objects()) == ["KO", "OT", "PR", "SR"]


async def test_a_fetch_is_cancelled_and_what_has_come_is_kept(tmp_path: Path) -> None:
    """The archive here sends one instance and then nothing more, for ever."""
    first, reached = sample("CT_small.dcm").read_bytes(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
        if b"?" in head:
            body = json.dumps([{"0020000D": {"vr": "UI", "Value": ["1.2.3"]}}]).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            writer.close()
            return
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: multipart/related; boundary=b\r\nContent-Length: 9999999\r\n\r\n"
        )
        writer.write(b"--b\r\n\r\n" + first + b"\r\n--b\r\n\r\nhalf")
        await writer.drain()
        await reached.wait()
        writer.close()

    archive = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = archive.sockets[0].getsockname()[1]
    config = PacsConfig(dicomweb=f"http://127.0.0.1:{port}/dicom-web", outbox=str(tmp_path / "outbox"))
    async with (
        served(tmp_path, pacs=config) as server,
        calling(server.url, server.token("surgeon")) as (surgeon,),
    ):
        found = await post(surgeon, "search", {"patient_id": "1"})
        job = await post(surgeon, "fetch", {"study": found["studies"][0]["study"]})
        while (await over(surgeon, job["job"], "running"))["done"] != 1:
            pass
        await post(surgeon, f"jobs/{job['job']}", {"action": "cancel"})
        assert (await over(surgeon, job["job"], "cancelled"))["done"] == 1
        assert len(server.service.images.store.instances("ward")) == 1
    reached.set()
    archive.close()
    assert os.listdir(tmp_path / "dicom" / "incoming") == []


async def test_nothing_of_a_patient_and_no_uid_stands_in_the_log(
    running: Served, pacs: Orthanc, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    pacs.put(sample("CT_small.dcm").read_bytes())
    async with calling(running.url, running.token("surgeon")) as (surgeon,):
        await fetched(surgeon, {"name": "CompressedSamples"})
        sop = sop_in(running, "ward")
        await surgeon.request("mark", operation={"kind": "add", "mark": mark("line", sop).to_json()})
        job = await post(surgeon, "send", {"want": ["presentation"]})
        await over(surgeon, job["job"], "done")
    written = caplog.text
    for secret in ("CompressedSamples", "1CT1", str(image("CT_small.dcm").StudyInstanceUID), sop):
        assert secret not in written
