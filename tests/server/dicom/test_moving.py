"""An archive, here Orthanc, that is asked to send (C-MOVE) sends to our port, and the room that asked has it."""

from __future__ import annotations

import asyncio
import urllib.error
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from loadtests.caller import Caller, calling
from server.config import ScpConfig
from server.dicom.pacs_error import PacsError
from tests.helpers.dicom_files import sample
from tests.helpers.drawing import image
from tests.helpers.hospital_asking import over, post, sop_in
from tests.helpers.orthanc import Orthanc
from tests.helpers.served import Served, served

FILES = ("CT_small.dcm", "MR_small.dcm")


@pytest.fixture
async def running(tmp_path: Path, pacs: Orthanc) -> AsyncIterator[Served]:
    config = pacs.config(tmp_path, web=False, dimse=True, move=True)
    scp = ScpConfig(host=pacs.neighbour, port=0, rooms=("THEATRE=ward",), senders=(f"ORTHANC@{pacs.host}",))
    for name in FILES:
        pacs.put(sample(name).read_bytes())
    async with served(tmp_path, pacs=config, scp=scp) as server:
        yield server


async def asked(caller: Caller) -> str:
    """Look for the CT and begin to fetch it."""
    found = await post(caller, "search", {"name": "CompressedSamples^CT"})
    job = await post(caller, "fetch", {"study": found["studies"][0]["study"]})
    return str(job["job"])


async def test_a_study_comes_to_the_rooms_that_asked_for_it(running: Served, pacs: Orthanc) -> None:
    pacs.know("konsil", "KONSIL", running.service.scp.port)
    async with (
        calling(running.url, running.token("surgeon")) as (ward,),
        calling(running.url, running.token("chair", room="board")) as (board,),
    ):
        # both want the same: the second waits for the first
        jobs = await asyncio.gather(asked(ward), asked(board))
        for caller, job in zip((ward, board), jobs, strict=True):
            done = await over(caller, job, "done", "failed")
            assert (done["state"], done["done"], done["refused"], done["message"]) == ("done", 1, 0, "")
    store = running.service.images.store
    for room in ("ward", "board"):
        assert [record.sop for record in store.instances(room)] == [sop_in(running, room)]
        assert sop_in(running, room) == store.uids(room).uid(image("CT_small.dcm").SOPInstanceUID)


async def test_what_nobody_asked_for_goes_nowhere_and_what_is_sent_to_a_room_into_it(
    running: Served, pacs: Orthanc
) -> None:
    port = running.service.scp.port
    pacs.know("konsil", "KONSIL", port)
    with pytest.raises(urllib.error.HTTPError):
        await asyncio.to_thread(pacs.send, "konsil")
    assert running.service.images.store.instances("ward") == []
    pacs.know("theatre", "THEATRE", port)
    await asyncio.to_thread(pacs.send, "theatre")
    kept = running.service.images.store.instances("ward")
    assert sorted(record.facts.Modality for record in kept) == ["CT", "MR"]


async def test_an_archive_that_does_not_know_us_is_said_to(running: Served, pacs: Orthanc) -> None:
    async with calling(running.url, running.token("surgeon")) as (surgeon,):
        failed = await over(surgeon, await asked(surgeon), "done", "failed")
    assert failed["state"] == "failed"
    assert failed["message"] == "The PACS does not send to us: it has to know our title, address and port."


async def test_a_study_that_is_too_large_is_given_up_and_nothing_is_left(
    running: Served, pacs: Orthanc
) -> None:
    pacs.know("konsil", "KONSIL", running.service.scp.port)
    archive, study = running.service.hospital.pacs, str(image("CT_small.dcm").StudyInstanceUID)
    with pytest.raises(PacsError) as large:
        async for _ in archive.retrieve(study, running.folder, lambda: running.folder / "none", 10_000):
            pass
    assert large.value.code == "too_large"
    assert list((running.folder / "dicom" / "incoming").iterdir()) == []
