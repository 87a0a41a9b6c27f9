"""A real virus scanner, ClamAV, looks at files and images before anybody is given them.

Its own database is hundreds of megabytes and not needed: the tests bring one of a single signature, of EICAR's test
file, which harms nobody and which every scanner is asked to refuse. It is put together here, so that no scanner on a
developer's machine takes this source for it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from loadtests.caller import Caller
from server.config import ScannerConfig
from signalling.file_digest import FileDigest
from tests.helpers.dicom_asking import get, upload
from tests.helpers.dicom_files import made, written
from tests.helpers.served import Answered, Served, served
from tests.server.dicom.test_upload import zipped

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"


@pytest.fixture
def clamscan(tmp_path: Path) -> tuple[str, ...]:
    program = shutil.which("clamscan")
    assert program is not None, "Please install ClamAV: apt-get install clamav (make setup-test does)."
    signatures = tmp_path / "test.ndb"
    signatures.write_text(f"Konsil.Test:0:*:{EICAR.hex()}\n")
    limits = ("--max-filesize=1M", "--alert-exceeds-max=yes")
    return (program, f"--database={signatures}", "--no-summary", *limits)


def infected() -> bytes:
    """Write an image that hides what is no image in the 128 bytes before it, which no viewer reads (PS3.10, 7.1)."""
    return EICAR.ljust(128, b"\0") + written(made())[128:]


def holders(folder: Path) -> list[Path]:
    """Find what on the server's disk holds the test file."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".ndb"]
    return [path for path in files if EICAR in path.read_bytes()]


async def send(running: Served, bearer: dict[str, str], data: bytes) -> Answered:
    """Send a file as one who is in the room."""
    body = f'{{"name":"report.pdf","size":{len(data)}}}'.encode()
    file = (await running.ask("POST", "/api/files", bearer, body)).json()["file"]
    piece = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    assert (await running.ask("PATCH", f"/api/files/{file}", bearer | piece, data)).status == 204
    digest = FileDigest()
    digest.update(data)
    end = f'{{"digest":"{digest.hexdigest()}"}}'.encode()
    return await running.ask("POST", f"/api/files/{file}", bearer, end)


async def test_an_infected_file_is_refused_and_nowhere_kept(
    tmp_path: Path, clamscan: tuple[str, ...]
) -> None:
    async with served(tmp_path, scanner=ScannerConfig(clamscan)) as running:
        bearer = running.bearer("expert")
        async with Caller(running.url, bearer["Authorization"].removeprefix("Bearer ")):
            refused = await send(running, bearer, b"Dear colleague, " + EICAR)
            assert (refused.status, refused.json()["code"]) == (422, "file_infected")
            assert refused.json()["message"] == "The virus scanner refused this file. It was deleted."
            assert holders(tmp_path) == []
            clean = await send(running, bearer, b"Dear colleague, all is well.")
            assert (clean.status, clean.json()["scanned"]) == (200, True)
            # what is larger than the scanner's own limits it would take for clean, were it not told otherwise
            large = await send(running, bearer, bytes((1 << 20) + 1))
            assert (large.status, large.json()["code"]) == (422, "file_infected")
            listed = (await running.ask("GET", "/api/files", bearer)).json()
            assert [file["size"] for file in listed["files"]] == [28]


async def test_an_infected_image_is_refused_and_nowhere_kept(
    tmp_path: Path, clamscan: tuple[str, ...]
) -> None:
    async with served(tmp_path, scanner=ScannerConfig(clamscan)) as running:
        (refused,) = await upload(running, infected())
        assert (refused["taken"], refused["code"]) == (False, "infected")
        assert refused["message"] == "The virus scanner refused this file. It was deleted."
        files = await upload(running, zipped(good=written(made()), letter=b"Dear all" * 30), "study.zip")
        assert [file.get("code", "taken") for file in files] == ["taken", "not_dicom"]
        # the scanner looks into a ZIP file itself
        (packed,) = await upload(running, zipped(good=written(made()), bad=infected()), "study.zip")
        assert packed["code"] == "infected"
        assert holders(tmp_path) == []
        assert len((await get(running, "/dicom/instances")).json()) == 1
        listed = (await get(running, "/dicom/quarantine")).json()["quarantine"]
        assert {(entry["code"], entry["kept"]) for entry in listed} == {
            ("infected", False),
            ("not_dicom", True),
        }


@pytest.mark.parametrize("script", [None, "exit 2", "exec sleep 60"])
async def test_an_image_without_an_answer_waits_and_is_nobodys(
    tmp_path: Path, clamscan: tuple[str, ...], script: str | None
) -> None:
    program = tmp_path / "scanner"
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)
    async with served(tmp_path, scanner=ScannerConfig((str(program),), seconds=1.0)) as running:
        waiting = [(await upload(running, data))[0] for data in (written(made()), infected())]
        assert [file["code"] for file in waiting] == ["not_scanned"] * 2
        assert "The virus scanner" in waiting[0]["message"]
        assert "is not passed on" in waiting[0]["message"]
        assert (await get(running, "/dicom/instances")).json() == []
        listed = (await get(running, "/dicom/quarantine")).json()["quarantine"]
        assert all(entry["kept"] for entry in listed)
        second, first = (f"/dicom/quarantine/{entry['number']}" for entry in listed)
        for target in (first, f"{first}/look"):
            assert (await get(running, target, "chair")).status == 404

        # the scanner is back, and may take its time
        words = " ".join(f"'{word}'" for word in clamscan)
        running.service.scanner._config = ScannerConfig((str(program),), seconds=60.0)
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o700)
        chair = running.bearer("chair")
        assert (await running.ask("POST", f"{first}/again", chair)).json()["taken"]
        refused = (await running.ask("POST", f"{second}/again", chair)).json()
        assert (refused["taken"], refused["code"]) == (False, "infected")
        assert holders(tmp_path) == []
        (left,) = (await get(running, "/dicom/quarantine")).json()["quarantine"]
        assert (left["code"], left["kept"]) == ("infected", False)
