"""A de-identified copy over HTTP: looked at, chosen, fetched once, and brought into another room."""

from __future__ import annotations

import asyncio
import io
import json
import math
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from PIL import Image

from annotation.anchors import VideoAnchor
from annotation.operations import Add
from annotation.shapes import Mark
from annotation.still import Still
from loadtests.caller import Caller, calling
from server.dicom.copies import FETCHED_WITHIN
from server.stills import KeptStill
from signalling.patient import Identity, Patient
from signalling.worklist import Entry
from tests.helpers.dicom_files import made, sample, written
from tests.helpers.drawing import EVERY_SHAPE, mark
from tests.helpers.hospital_asking import http, patient_notice, post, sop_in
from tests.helpers.served import Answered, Served, ask, served

NAMES = ("CompressedSamples", "1CT1", "Dr. Test", "Frau Geheim", "Geheim")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as server:
        yield server


async def drawn_in(running: Served, surgeon: Caller) -> str:
    """Bring a CT, an ultrasound picture and a still into the room, and draw; gives the CT's UID in the room."""
    headers = running.bearer("surgeon")
    await running.ask("POST", "/dicom/upload", headers, sample("CT_small.dcm").read_bytes())
    sop = sop_in(running, "ward")
    screen = made(
        Modality="US", SOPClassUID="1.2.840.10008.5.1.4.1.1.6.1", SeriesInstanceUID="1.2.3.4", SeriesNumber=2
    )
    await running.ask("POST", "/dicom/upload", headers, written(screen))
    for shape in ("arrow", "length", "text"):
        body = mark(shape, sop, text="Frau Geheim" if shape == "text" else "").to_json()
        await surgeon.request("mark", operation={"kind": "add", "mark": body})
    asked = {
        "kind": "instruct",
        "instruction": "i-1",
        "text": "Clip here",
        "mark": "m-arrow",
        "spoken": False,
    }
    await surgeon.request("mark", operation=asked)
    frozen_in(running)
    return sop


def frozen_in(running: Served) -> None:
    """Freeze a frame for all, as it is the room's patient's, and draw on it."""
    conductor, png = running.service.rooms["ward"], io.BytesIO()
    key = conductor.bedside.key
    Image.new("RGB", (64, 36), (10, 200, 30)).save(png, "PNG")
    kept = KeptStill(7, 90_000, 64, 36, "", for_all=True, links=(), patient=key)
    running.service.stills.keep("ward", kept, png.getvalue())
    conductor.decide(
        Still(7, 90_000, 64, 36, "0" * 64, "Dr. Test", True, "", key), "stills", "Konsil", "#ffffff"
    )
    anchor = VideoAnchor(7, 90_000, still=True)
    conductor.decide(
        Add(Mark("m-still", "arrow", anchor, ((0.2, 0.2), (0.5, 0.5)), 0.004)), "pt-1", "X", "#ffffff"
    )


async def answered(caller: Caller, path: str, body: object) -> Answered:
    headers = {"Authorization": f"Bearer {caller.token}", "Content-Type": "application/json"}
    return await ask(http(caller), "POST", f"/api/hospital/{path}", headers, json.dumps(body).encode())


def everything(preview: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Choose all images without words, and nothing that has to be looked at."""
    return {
        "want": ["presentation", "report", "key_objects", "capture_marked", "capture_plain", "annotations"],
        "series": [one["series"] for one in preview["series"]], "pictures": [], "stills": [], "texts": [],
        "dates": "removed", "characteristics": False, "patient": "", **more,
    }  # fmt: skip


def unchunked(answer: Answered) -> bytes:
    """Take the pieces of an answer together; one that broke off is none."""
    body, rest = b"", answer.body
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return body
        body, rest = body + rest[:length], rest[length + 2 :]


async def fetched(running: Served, answer: Answered) -> zipfile.ZipFile:
    assert answer.status == 201, answer.body
    got = await running.ask("GET", answer.json()["copy"])
    assert (got.status, got.headers["content-type"]) == (200, "application/zip")
    assert "attachment" in got.headers["content-disposition"]
    return zipfile.ZipFile(io.BytesIO(unchunked(got)))


async def test_a_copy_is_looked_at_chosen_fetched_once_and_read_back(
    running: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with calling(running.url, running.token("surgeon")) as (surgeon,):
        await drawn_in(running, surgeon)
        # nobody is the patient: the still belongs to nobody and stays
        preview = await post(surgeon, "copy/preview", {})
        assert [(one["modality"], one["images"], one["marks"]) for one in preview["series"]] == [
            ("CT", 1, 3), ("US", 1, 0),
        ]  # fmt: skip
        assert [p["why"] for one in preview["series"] for p in one["pictures"]] == ["ultrasound"]
        assert preview["stills"] == []
        assert [one["words"] for one in preview["texts"]] == ["Frau Geheim", "Clip here"]
        assert preview["left_out"] == [{"what": "still", "reason": "unchosen", "count": 1}]
        # nothing that was not looked at is in it
        request = everything(preview, texts=[preview["texts"][1]["text"]])
        answer = await answered(surgeon, "copy", request)
        packed = await fetched(running, answer)
        assert packed.testzip() is None
        assert {info.date_time for info in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert sorted(packed.namelist()) == [
            "README.txt", "annotations.json", "images/00001.dcm", "marks/key_objects-0001.dcm",
            "marks/presentation-0001.dcm", "measurements/report-0001.dcm", "pictures/capture_marked-0001.dcm",
            "pictures/capture_plain-0001.dcm",
        ]  # fmt: skip
        for name in packed.namelist():
            assert all(secret.encode() not in packed.read(name) for secret in NAMES), name
        assert b"Clip here" in packed.read("annotations.json")
        done = await over(surgeon, "done")
        assert (done["done"], done["total"], done["missing"]) == (6, 1, 0)
        # it is fetched once
        assert (await running.ask("GET", answer.json()["copy"])).status == 404
        # whoever ticked the picture has it
        picture = preview["series"][1]["pictures"][0]["picture"]
        both = await fetched(
            running, await answered(surgeon, "copy", everything(preview, pictures=[picture]))
        )
        assert "images/00002.dcm" in both.namelist()
    # into another room: the marks stand where they stood
    async with calling(running.url, running.token("chair", room="board")) as (chair,):
        body = packed.fp
        assert body is not None
        body.seek(0)
        await running.ask("POST", "/dicom/upload", running.bearer("chair", "board"), body.read())
        there = {}
        for _ in range(2):
            told = await patient_notice(chair, "operation")
            there[told["operation"]["mark"]["shape"]] = told
        for shape in ("arrow", "length"):
            points = there[shape]["operation"]["mark"]["points"]
            worst = max(math.dist(a, b) * 128 for a, b in zip(points, EVERY_SHAPE[shape], strict=True))
            assert worst < 0.5
            assert there[shape]["name"] == "Surgeon (PACS)"
    logged = [record.message for record in caplog.records if record.name.partition(".")[0] == "server"]
    line = next(message for message in logged if "copy left the house" in message)
    assert "6 objects" in line
    study = str(pydicom.dcmread(sample("CT_small.dcm")).StudyInstanceUID)
    for secret in (*NAMES, study):
        assert secret not in "".join(logged)


async def test_what_is_known_of_the_patient_is_hidden_in_words_before_they_are_reviewed(
    running: Served,
) -> None:
    async with calling(running.url, running.token("surgeon")) as (surgeon,):
        await drawn_in(running, surgeon)
        conductor = running.service.rooms["ward"]
        conductor.veiling.chosen(Patient(Identity("1CT1", name="Geheim^Gerda"), "p-1"))
        words = (await post(surgeon, "copy/preview", {}))["texts"][0]
        assert words["words"] == "Frau ▮▮▮"
        chosen = everything(await post(surgeon, "copy/preview", {}), texts=[words["text"]])
        packed = await fetched(running, await answered(surgeon, "copy", chosen))
        state = packed.read("marks/presentation-0001.dcm")
        assert "Frau ▮▮▮".encode() in state
        assert b"Geheim" not in state


async def test_a_still_of_the_chosen_patient_is_in_it_once_somebody_looked_at_it(running: Served) -> None:
    async with calling(running.url, running.token("surgeon")) as (surgeon,):
        conductor = running.service.rooms["ward"]
        planned = Entry("MRN-4711-0815", "HIS", "Müller^Anna", "", "", "", "", "", study="1.2.840.99999.5")
        (name,) = conductor.bedside.offer([planned])
        await surgeon.request("choose_patient", entry=name)
        await running.ask(
            "POST", "/dicom/upload", running.bearer("surgeon"), sample("CT_small.dcm").read_bytes()
        )
        frozen_in(running)
        preview = await post(surgeon, "copy/preview", {})
        assert [(one["still"], one["marks"]) for one in preview["stills"]] == [("7-90000", 1)]
        # the images are another's
        assert preview["series"] == []
        key = preview["patient"]["key"]
        assert (await answered(surgeon, "copy", everything(preview, patient=key))).json()["code"] == "nothing"
        chosen = everything(preview, patient=key, stills=["7-90000"])
        packed = await fetched(running, await answered(surgeon, "copy", chosen))
        assert sorted(name for name in packed.namelist() if name.endswith(".dcm")) == [
            "pictures/capture_marked-0001.dcm", "pictures/capture_plain-0001.dcm",
        ]  # fmt: skip
        for name in packed.namelist():
            for secret in (b"MRN-4711-0815", "Müller".encode(), b"1.2.840.99999.5", key.encode()):
                assert secret not in packed.read(name), name
        (item,) = json.loads(packed.read("annotations.json"))["items"]
        assert item["target"]["source"] == "pictures/capture_marked-0001.dcm"
        assert item["creator"]["name"] == "Participant"


async def test_a_copy_under_way_does_not_hold_up_the_servers_end(running: Served) -> None:
    async with calling(running.url, running.token("surgeon")) as (surgeon,):
        large = made(Rows=2048, Columns=2048, PixelData=bytes(2048 * 2048 * 2))
        await running.ask("POST", "/dicom/upload", running.bearer("surgeon"), written(large))
        preview = await post(surgeon, "copy/preview", {})
        answer = await answered(surgeon, "copy", everything(preview))
        host, port = http(surgeon).removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 10)
        writer.write(f"GET {answer.json()['copy']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        # nobody reads on
        running.service.hospital.copies.close()
        assert (await over(surgeon, "cancelled"))["kind"] == "copy"
        writer.transport.abort()


async def over(caller: Caller, state: str) -> dict[str, Any]:
    while True:
        for job in (await patient_notice(caller, "hospital"))["jobs"]:
            if job["kind"] == "copy" and job["state"] == state:
                found: dict[str, Any] = job
                return found


async def test_who_may_not_take_a_copy_is_told_so_and_what_makes_no_sense_is_refused(running: Served) -> None:
    async with calling(running.url, running.token("surgeon"), running.token("expert")) as (surgeon, expert):
        for path in ("copy/preview", "copy"):
            refused = await answered(expert, path, {})
            assert refused.status == 403
            assert b"out of the house" in refused.body
        choice = everything({"series": []})
        for wrong in (
            *(
                {"want": ["all"]},
                {"series": "all"},
                {"texts": [7]},
                {"dates": "kept"},
                {"characteristics": 1},
            ),
            *({"patient": None}, {"stills": ["7" * 65]}, {"pictures": [""] * 20_001}),
        ):
            refused = await answered(surgeon, "copy", choice | wrong)
            assert (refused.status, refused.json()["code"]) == (400, "bad_request"), wrong
        assert (await answered(surgeon, "copy", [])).status == 400
        assert (await answered(surgeon, "copy", choice)).json()["code"] == "nothing"
        other = await answered(surgeon, "copy", choice | {"patient": "p-1"})
        assert (other.status, other.json()["code"]) == (409, "patient_changed")
        assert (await running.ask("GET", "/api/hospital/copies/00")).status == 404


async def test_one_who_goes_away_leaves_nothing_behind(running: Served, tmp_path: Path) -> None:
    async with calling(running.url, running.token("surgeon")) as (surgeon,):
        for number in range(12):
            large = made(
                Rows=512, Columns=512, PixelData=bytes(512 * 512 * 2), InstanceNumber=number,
                SeriesInstanceUID="1.2.3",
            )  # fmt: skip
            await running.ask("POST", "/dicom/upload", running.bearer("surgeon"), written(large))
        preview = await post(surgeon, "copy/preview", {})
        answer = await answered(surgeon, "copy", everything(preview))
        host, port = http(surgeon).removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 10)
        writer.write(f"GET {answer.json()['copy']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        gone = await over(surgeon, "cancelled")
        assert gone["missing"] == 0
        assert list((tmp_path / "dicom" / "incoming").iterdir()) == []
        # one that nobody fetches in time is none any more
        late = await answered(surgeon, "copy", everything(preview))
        copies = running.service.hospital.copies
        for copy in copies._tickets.values():
            copy.created -= FETCHED_WITHIN
        assert (await running.ask("GET", late.json()["copy"])).status == 404
