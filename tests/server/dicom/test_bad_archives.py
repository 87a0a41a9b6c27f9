"""An archive that is silent, lies, has nothing, or is gone: each way of fetching says so, and the room is as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loadtests.caller import calling
from server.config import PacsConfig, ScpConfig
from tests.helpers.bad_archive import BadArchive, Wrong, bad_archive
from tests.helpers.dicom_files import sample
from tests.helpers.drawing import mark
from tests.helpers.hospital_asking import over, post, sop_in
from tests.helpers.served import served

SAYS: dict[tuple[Wrong, bool], str] = {
    ("silent", True): "The PACS has not answered for 1 seconds.",
    ("lying", True): "The PACS broke off before its answer was complete.",
    ("empty", True): "The PACS sent nothing of this study.",
    ("silent", False): "The PACS has not answered for 1 seconds.",
    ("lying", False): "The PACS answered with something that is not what was asked for.",
    ("empty", False): "The PACS sent nothing of this study.",
}


def configured(archive: BadArchive, way: str, folder: Path) -> PacsConfig:
    if way == "web":
        return PacsConfig(
            dicomweb=f"http://127.0.0.1:{archive.port}/dicom-web", seconds=1.0, outbox=str(folder / "outbox")
        )
    address = f"BAD@127.0.0.1:{archive.port}"
    return PacsConfig(dimse=address, move=way == "move", seconds=1.0, outbox=str(folder / "outbox"))


@pytest.mark.parametrize("way", ["web", "get", "move"])
async def test_what_is_wrong_is_said_and_the_room_goes_on(tmp_path: Path, way: str) -> None:
    async with (
        bad_archive(way) as archive,
        served(
            tmp_path, pacs=configured(archive, way, tmp_path), scp=ScpConfig(port=0 if way == "move" else -1)
        ) as server,
        calling(server.url, server.token("surgeon")) as (surgeon,),
    ):
        await server.ask(
            "POST", "/dicom/upload", server.bearer("surgeon"), sample("CT_small.dcm").read_bytes()
        )
        sop = sop_in(server, "ward")
        await surgeon.request("mark", operation={"kind": "add", "mark": mark("arrow", sop).to_json()})
        before = server.service.images.store.instances("ward")
        (study,) = (await post(surgeon, "search", {"patient_id": "1"}))["studies"]

        async def failing() -> str:
            job = await post(surgeon, "fetch", {"study": study["study"]})
            done = await over(surgeon, job["job"], "done", "failed")
            assert (done["state"], done["done"]) == ("failed", 0)
            return str(done["message"])

        for (wrong, web), says in SAYS.items():
            if web == (way == "web"):
                archive.wrong = wrong
                assert await failing() == says
        archive.go_away()
        assert await failing() == "The PACS cannot be reached."
        # nothing half is left, and what was there is there
        assert server.service.images.store.instances("ward") == before
        assert os.listdir(tmp_path / "dicom" / "incoming") == []
        await surgeon.request("mark", operation={"kind": "add", "mark": mark("line", sop).to_json()})
