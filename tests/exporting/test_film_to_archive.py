"""From a recording to the hospital's archive: whose film it is says the room, and Orthanc gives it back to the byte."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest

from loadtests.caller import calling
from server.config import PacsConfig
from server.dicom import pacs_web
from tests.exporting.recordings import consultation
from tests.exporting.test_dicom_video import film_in
from tests.exporting.test_exports import ROOM, archive, done, listed, post
from tests.helpers.hospital_asking import PATIENCE
from tests.helpers.hospital_asking import post as ask_hospital
from tests.helpers.judges import complaints
from tests.helpers.orthanc import Orthanc
from tests.helpers.served import Served, served

PATIENT = {
    "patient_id": "4711",
    "issuer": "HIS",
    "name": "Mueller^Anna",
    "birth_date": "19700101",
    "sex": "F",
}


def recorded(server: Served, folder: Path, patient: str = "4711") -> None:
    """Put a recording into the archive all through which this patient was chosen."""
    key = server.service.images.store.uids(ROOM).patient_key(patient, "HIS")
    event = {"event": {"kind": "patient_chosen", "patient": key}}
    archive(server.folder, consultation(folder / "made", [(0.01, event)]))


@asynccontextmanager
async def hospital(folder: Path, pacs: Orthanc, *, dimse: bool = False) -> AsyncIterator[Served]:
    """Run a server whose archive is Orthanc, over DICOMweb or DIMSE."""
    pacs.schedule(**PATIENT, accession="A-1", procedure="Cholecystectomy", starts="20261129")
    config = pacs.config(folder, web=not dimse, dimse=dimse, retry_seconds=1.0)
    async with served(folder, pacs=config) as server:
        yield server


async def sent(server: Served, export: str) -> dict[str, Any]:
    """Wait until a film is in the archive."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = next(one for one in await listed(server) if one["export"] == export)
            state = found["files"][0]["archive"] if found["files"] else None
            if state is not None and state["state"] in ("done", "refused", "failed"):
                assert state["state"] == "done", state
                return found
            await asyncio.sleep(0.1)


#: By lines: what a film is encoded in, and what DICOM calls it. HEVC counts levels in thirtieths.
CODED = {
    1080: ("1.2.840.10008.1.2.4.102", "h264", "High", 41),
    2160: ("1.2.840.10008.1.2.4.107", "hevc", "Main", 153),
}


@pytest.mark.parametrize(("height", "dimse"), [(1080, True), (2160, False)])
async def test_the_archive_gives_back_what_it_was_sent(
    pacs: Orthanc, tmp_path: Path, height: int, dimse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # over DICOMweb as a film of gigabytes goes
    monkeypatch.setattr(pacs_web, "IN_MEMORY", 1000)
    async with hospital(tmp_path, pacs, dimse=dimse) as running:
        ours = await archived(running, tmp_path, height)
    (kept,) = pacs.objects()
    assert (kept["PatientID"], kept["Modality"], kept["AccessionNumber"]) == ("4711", "ES", "A-1")
    assert kept["SOPClassUID"] == "1.2.840.10008.5.1.4.1.1.77.1.1.1"
    (instance,) = pacs.ask("/instances")
    theirs = pydicom.dcmread(io.BytesIO(pacs.raw(f"/instances/{instance}/file")))
    mine = pydicom.dcmread(io.BytesIO(ours))
    syntax, *coded = CODED[height]
    assert theirs.file_meta.TransferSyntaxUID == mine.file_meta.TransferSyntaxUID == syntax
    assert theirs.PixelData == mine.PixelData
    assert theirs == mine
    container, frames = film_in(theirs)
    context = container.streams.video[0].codec_context
    assert [context.name, context.profile, context.level] == coded
    assert [len(frames), frames[0].width, frames[0].height] == [5, height * 16 // 9, height]
    if height == 1080:  # the judge knows no HEVC: tests/annotation/dicom/test_endoscopic.py
        assert complaints("dciodvfy", theirs, tmp_path) == []


async def archived(running: Served, folder: Path, height: int) -> bytes:
    """Have a film made of the chosen patient and sent; gives it as it is fetched."""
    recorded(running, folder)
    async with calling(running.url, running.token("surgeon", room=ROOM)) as (surgeon,):
        refused = await post(running, "dicom", to=0.9)
        assert (refused.status, "Choose this recording's patient" in refused.json()["message"]) == (400, True)
        (entry,) = (await ask_hospital(surgeon, "worklist", {"date": "20261129"}))["entries"]
        await surgeon.request("choose_patient", entry=entry["entry"])
        film = {"from": 0.3, "to": 0.5, "rate": 25, "height": height, "send": True}
        asked = await post(running, "dicom", **film)
        assert asked.status == 201, asked.body
        export = asked.json()["export"]
        await done(running, export)
        await sent(running, export)
    address = f"/api/exports/{export}/film.dcm"
    return (await running.ask("GET", address, running.bearer("surgeon", ROOM))).body


async def test_another_patients_film_is_not_made(pacs: Orthanc, tmp_path: Path) -> None:
    async with hospital(tmp_path, pacs) as running:
        recorded(running, tmp_path, "4712")
        async with calling(running.url, running.token("surgeon", room=ROOM)) as (surgeon,):
            (entry,) = (await ask_hospital(surgeon, "worklist", {"date": "20261129"}))["entries"]
            await surgeon.request("choose_patient", entry=entry["entry"])
            refused = await post(running, "dicom", to=0.9)
            assert (refused.status, "Another patient" in refused.json()["message"]) == (400, True)
        # without him it is
        asked = await post(
            running, "dicom", **{"from": 0.5, "to": 0.75, "deidentified": True, "dates": "moved"}
        )
        finished = await done(running, asked.json()["export"])
        assert "archive" not in finished["files"][0]


async def test_without_an_archive_nothing_is_promised(tmp_path: Path) -> None:
    async with served(tmp_path, pacs=PacsConfig(outbox=str(tmp_path / "outbox"))) as server:
        recorded(server, tmp_path)
        refused = await post(server, "dicom", send=True)
        assert (refused.status, json.loads(refused.body)["message"]) == (400, "No archive is configured.")
