"""A FHIR server as the worklist, over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.config import PacsConfig
from server.dicom.pacs import Pacs
from server.dicom.pacs_error import PacsError
from tests.helpers.fhir_server import TOKEN, FhirServer, fhir_server


def asking(server: FhirServer, tmp: Path, token: str = TOKEN) -> Pacs:
    file = tmp / "fhir-token"
    file.write_text(token)
    file.chmod(0o600)
    return Pacs(PacsConfig(fhir=server.url, fhir_token_file=str(file), seconds=10.0))


async def test_the_days_appointments_and_encounters_are_the_list(tmp_path: Path) -> None:
    async with fhir_server() as server:
        for number, family in (("1", "Adler"), ("2", "Becker"), ("3", "Cohn")):
            server.admit(number, family, "Eva", "1970-01-01")
        for number, hour in (("3", "08"), ("1", "09"), ("2", "10")):
            server.plan("Appointment", number, f"2026-11-29T{hour}:00:00", "Operation")
        server.plan("Appointment", "1", "2026-11-30T09:00:00", "Operation")
        # the visit that follows from the appointment is no second entry
        server.plan("Encounter", "1", "2026-11-29T09:00:00", "Operation")
        pacs = asking(server, tmp_path)
        assert pacs.worklist_source == "fhir"
        entries = await pacs.worklist("20261129")
        assert [(entry.name, entry.starts[8:]) for entry in entries] == [
            *(("Cohn^Eva", "0800"), ("Adler^Eva", "0900"), ("Becker^Eva", "1000"))
        ]
        assert {entry.issuer for entry in entries} == {"urn:his"}
        # three appointments are two pages; nothing of a patient stood in an address
        assert len(server.asked) == 3
        assert not any(name in url for url in server.asked for name in ("Adler", "Becker", "Cohn"))


async def test_a_token_that_is_not_taken_is_said(tmp_path: Path) -> None:
    async with fhir_server() as server:
        with pytest.raises(PacsError) as refused:
            await asking(server, tmp_path, "wrong").worklist("20261129")
        assert refused.value.code == "pacs_refused"


def test_a_token_that_others_can_read_stops_the_server(tmp_path: Path) -> None:
    file = tmp_path / "fhir-token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    with pytest.raises(PermissionError, match="can be read by others"):
        Pacs(PacsConfig(fhir="http://127.0.0.1:1/", fhir_token_file=str(file)))


def test_a_search_stands_in_an_address_only_where_there_is_the_web_alone() -> None:
    web, peer = "http://127.0.0.1:1/dicom-web", "PACS@127.0.0.1:104"
    assert Pacs(PacsConfig(dicomweb=web)).search_in_address
    assert not Pacs(PacsConfig(dicomweb=web, dimse=peer)).search_in_address
    assert not Pacs(PacsConfig(dimse=peer)).search_in_address
