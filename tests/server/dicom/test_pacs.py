"""Orthanc as the hospital's archive: found, fetched and given to, over DICOMweb and over DIMSE."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from annotation.dicom.presentation import presentation_states
from annotation.dicom.query import QueryError, StudyQuery
from annotation.dicom.reading import quietly
from server.config import PacsConfig
from server.dicom.pacs import Pacs
from server.dicom.pacs_error import PacsError, Verdict, refusal
from tests.helpers.bearer_front import TOKEN, bearer_front
from tests.helpers.dicom_files import sample
from tests.helpers.drawing import a_stamp, every_mark, image
from tests.helpers.orthanc import PASSWORD, USER, Orthanc

BOTH_WAYS = pytest.mark.parametrize("way", ["web", "dimse"])


def configured(pacs: Orthanc, tmp: Path, way: str, **more: Any) -> Pacs:
    return Pacs(pacs.config(tmp, web=way == "web", dimse=way == "dimse", **more))


async def fetched(found: Pacs, study: str, tmp: Path, limit: int = 1 << 30) -> list[Path]:
    numbers = itertools.count(1)
    folder = tmp / "fetched"
    folder.mkdir()
    files = found.retrieve(study, folder, lambda: tmp / f"spool-{next(numbers)}", limit)
    return [path async for path in files]


@BOTH_WAYS
async def test_a_study_is_found_and_fetched(pacs: Orthanc, tmp_path: Path, way: str) -> None:
    for name in ("CT_small.dcm", "MR_small.dcm", "MR_small_jp2klossless.dcm"):
        pacs.put(sample(name).read_bytes())
    found = configured(pacs, tmp_path, way)
    await found.echo()
    studies, more = await found.search(StudyQuery(name="CompressedSamples^CT"))
    assert not more
    (study,) = studies
    source = image("CT_small.dcm")
    assert (study.study, study.patient_id) == (source.StudyInstanceUID, source.PatientID)
    assert (study.name, study.modalities, study.instances) == ("CompressedSamples^CT1", ("CT",), 1)
    (path,) = await fetched(found, study.study, tmp_path)
    assert quietly(pydicom.dcmread, path).SOPInstanceUID == source.SOPInstanceUID


async def test_what_nobody_has_is_not_found(pacs: Orthanc, tmp_path: Path) -> None:
    pacs.put(sample("CT_small.dcm").read_bytes())
    assert await configured(pacs, tmp_path, "web").search(StudyQuery(patient_id="nobody")) == ([], False)


@BOTH_WAYS
async def test_what_we_wrote_is_taken(pacs: Orthanc, tmp_path: Path, way: str) -> None:
    source = image("CT_small.dcm")
    (written,) = presentation_states(every_mark("a"), {"a": source}, a_stamp())
    path = tmp_path / "state.dcm"
    written.save_as(path, enforce_file_format=True)
    assert await configured(pacs, tmp_path, way).send(path) == Verdict(True)
    (kept,) = pacs.objects()
    assert (kept["SOPInstanceUID"], kept["Modality"]) == (written.SOPInstanceUID, "PR")
    assert kept["StudyInstanceUID"] == source.StudyInstanceUID


async def test_what_is_no_dicom_is_refused_with_a_reason(pacs: Orthanc, tmp_path: Path) -> None:
    path = tmp_path / "bad.dcm"
    path.write_bytes(b"nothing of the kind")
    verdict = await configured(pacs, tmp_path, "web").send(path)
    assert not verdict.taken
    assert verdict.code in ("not_taken", "not_understood", "unsaid")
    assert verdict.why


@pytest.mark.parametrize(
    ("status", "code"),
    [(0xA700, "no_resources"), (0xA900, "wrong_class"), (0xC123, "not_understood"), (0x0122, "not_taken")],
)
def test_a_refusal_is_a_word_and_the_archives_own_status(status: int, code: str) -> None:
    verdict = refusal(status)
    assert (verdict.taken, verdict.code, verdict.status) == (False, code, f"{status:04X}")
    assert verdict.why.endswith(f"({status:04X})")


async def test_a_study_that_is_too_large_is_given_up(pacs: Orthanc, tmp_path: Path) -> None:
    pacs.put(sample("CT_small.dcm").read_bytes())
    with pytest.raises(PacsError) as refused:
        await fetched(
            configured(pacs, tmp_path, "web"), image("CT_small.dcm").StudyInstanceUID, tmp_path, limit=20_000
        )
    assert refused.value.code == "too_large"


async def test_a_wrong_password_is_said_so(pacs: Orthanc, tmp_path: Path) -> None:
    with pytest.raises(PacsError) as refused:
        await configured(pacs, tmp_path, "web", user="").search(StudyQuery(patient_id="1CT1"))
    assert refused.value.code == "pacs_refused"


async def test_an_archive_that_wants_a_token_is_given_it(pacs: Orthanc, tmp_path: Path) -> None:
    pacs.put(sample("CT_small.dcm").read_bytes())
    source = image("CT_small.dcm")
    written = tmp_path / "written.dcm"
    (state,) = presentation_states(every_mark("a"), {"a": source}, a_stamp())
    state.save_as(written, enforce_file_format=True)
    async with bearer_front(pacs.url, USER, PASSWORD) as url:

        def holding(token: str) -> Pacs:
            file = tmp_path / "token"
            file.write_text(token)
            file.chmod(0o600)
            return Pacs(PacsConfig(dicomweb=f"{url}/dicom-web", token_file=str(file)))

        archive = holding(TOKEN)
        (study,), _ = await archive.search(StudyQuery(patient_id=source.PatientID))
        (path,) = await fetched(archive, study.study, tmp_path)
        assert quietly(pydicom.dcmread, path).SOPInstanceUID == source.SOPInstanceUID
        assert await archive.send(written) == Verdict(True)
        with pytest.raises(PacsError) as refused:
            await holding("by-the-station").send(written)
        assert refused.value.code == "pacs_refused"
    assert sorted(one["Modality"] for one in pacs.objects()) == ["CT", "PR"]


async def test_the_worklist_is_read_for_its_day(pacs: Orthanc, tmp_path: Path) -> None:
    pacs.schedule(
        patient_id="4711", issuer="HIS", name="Müller^Anna", birth_date="19700101", sex="F",
        accession="A-1", procedure="Cholecystectomy", starts="20261129",
    )  # fmt: skip
    pacs.schedule(patient_id="4712", name="Schmidt^Eva", starts="20261130")
    entries = await configured(pacs, tmp_path, "web").worklist("20261129")
    (entry,) = entries
    assert (entry.patient_id, entry.name, entry.birth_date) == ("4711", "Müller^Anna", "19700101")
    assert (entry.accession, entry.procedure, entry.starts) == ("A-1", "Cholecystectomy", "202611291330")
    assert entry.study
    assert len(await configured(pacs, tmp_path, "web").worklist("")) == 2


@pytest.mark.parametrize(
    "fields",
    [{}, {"name": "*"}, {"patient_id": "  "}, {"name": "A\\B"}, {"date": "today"}, {"modality": "CT"}],
)
def test_what_would_fetch_everything_is_not_asked(fields: dict[str, str]) -> None:
    with pytest.raises(QueryError):
        StudyQuery(**fields)


# a PACS that is away, slow, or lies


@pytest.fixture
async def liar() -> AsyncIterator[Any]:
    """Serve whatever `answer` says to whoever connects; it never answers if that is None."""
    state: dict[str, Any] = {"answer": None}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(4096)
            if state["answer"] is not None:
                writer.write(state["answer"])
                await writer.drain()
                writer.close()
            else:
                # until the other end goes
                while await reader.read(4096):
                    pass
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    state["port"] = server.sockets[0].getsockname()[1]
    yield state
    server.close()


def lying(liar: dict[str, Any], way: str) -> Pacs:
    port = liar["port"]
    if way == "web":
        return Pacs(PacsConfig(dicomweb=f"http://127.0.0.1:{port}/dicom-web", seconds=1.0))
    return Pacs(PacsConfig(dimse=f"LIAR@127.0.0.1:{port}", seconds=1.0))


@BOTH_WAYS
async def test_a_pacs_that_is_away_is_said_to_be(liar: dict[str, Any], way: str) -> None:
    with socket.socket() as closed:
        # bound, so that nobody else is there, and not listening
        closed.bind(("127.0.0.1", 0))
        liar["port"] = closed.getsockname()[1]
        await away(liar, way)


async def away(liar: dict[str, Any], way: str) -> None:
    with pytest.raises(PacsError) as refused:
        await lying(liar, way).search(StudyQuery(patient_id="secret-number"))
    assert (refused.value.code, str(refused.value)) == ("pacs_away", "The PACS cannot be reached.")


@BOTH_WAYS
async def test_a_pacs_that_never_answers_is_given_up(liar: dict[str, Any], way: str) -> None:
    with pytest.raises(PacsError) as slow:
        await lying(liar, way).search(StudyQuery(patient_id="secret-number"))
    assert slow.value.code in ("pacs_slow", "pacs_away", "pacs_refused")
    assert "secret" not in str(slow.value)


async def test_a_pacs_that_talks_nonsense_is_said_to(liar: dict[str, Any]) -> None:
    liar["answer"] = b"\x02\x00\xff\xff\xff\xffnonsense" * 100
    with pytest.raises(PacsError) as broken:
        await lying(liar, "web").search(StudyQuery(patient_id="1"))
    assert broken.value.code in ("pacs_broken", "pacs_away")


def http(body: bytes, content_type: str = "application/dicom+json", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize("body", [b"", b"{", b"[1,null,{}]", b'{"a":1}', b"[" * 100_000])
async def test_json_that_is_none_breaks_nothing(liar: dict[str, Any], body: bytes) -> None:
    liar["answer"] = http(body)
    if body == b"[1,null,{}]":
        assert await lying(liar, "web").search(StudyQuery(patient_id="1")) == ([], False)
        return
    with pytest.raises(PacsError) as broken:
        await lying(liar, "web").search(StudyQuery(patient_id="1"))
    assert broken.value.code == "pacs_broken"


async def test_an_answer_that_is_shorter_than_it_says_keeps_what_is_whole(
    liar: dict[str, Any], tmp_path: Path
) -> None:
    parts = b"--b\r\nContent-Type: application/dicom\r\n\r\nfirst\r\n--b\r\n\r\nsecond half"
    liar["answer"] = http(parts, 'multipart/related; type="application/dicom"; boundary=b', len(parts) + 1000)
    numbers = itertools.count(1)
    kept = []

    async def keep() -> None:
        files = lying(liar, "web").retrieve("1.2.3", tmp_path, lambda: tmp_path / str(next(numbers)), 1 << 20)
        async for path in files:
            kept.append(path.read_bytes())
            path.unlink()

    with pytest.raises(PacsError) as broken:
        await keep()
    assert kept == [b"first"]
    assert broken.value.code == "pacs_broken"
    assert os.listdir(tmp_path) == []


async def test_an_answer_without_end_is_given_up_at_the_limit(liar: dict[str, Any], tmp_path: Path) -> None:
    liar["answer"] = http(b"--b\r\n\r\n" + b"x" * 3_000_000, "multipart/related; boundary=b", 1 << 40)
    with pytest.raises(PacsError) as large:
        await fetched(lying(liar, "web"), "1.2.3", tmp_path, 1 << 20)
    assert large.value.code == "too_large"
