"""A DICOM film on its way into the outbox: opened there whole, said in the list, taken back with its export."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recorder.export.work import CONTEXT, REQUEST
from recorder.parts import write_part
from recorder.seal.keys import DataKey
from recorder.seal.suites import SealError, suite_named
from server.config import PacsConfig
from server.dicom.pacs_error import refusal
from server.exporting.dicom_films import OBJECT, bring, hand_over, on_its_way, take_back
from server.exporting.rows import Row
from tests.helpers.journals import RECORDING, small_journal
from tests.helpers.served import Served, served
from tests.helpers.udp_peers import until

FILE: dict[str, Any] = {"name": "film.dcm", "bytes": 11, "type": "application/dicom"}
ROW = Row("e-1", RECORDING, "demo", "dicom", "p", 0.0, "running")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    folder = tmp_path / "recordings" / RECORDING
    folder.mkdir(parents=True)
    (folder / "journal.kjr").write_bytes(small_journal())
    away = PacsConfig(
        dicomweb="http://127.0.0.1:9/dicom-web", outbox=str(tmp_path / "outbox"), retry_seconds=600.0
    )
    async with served(tmp_path, pacs=away) as server:
        yield server


def laid(folder: Path, **request: Any) -> Path:
    place = folder / "job"
    place.mkdir()
    (place / "film.dcm").write_bytes(b"DICM film..")
    (place / REQUEST).write_text(json.dumps(request))
    (place / CONTEXT).write_text(json.dumps({"by": "Dr. Li Wei"}))
    return place


async def test_what_is_to_go_lies_in_the_outbox_until_the_archive_has_it(
    running: Served, tmp_path: Path
) -> None:
    service = running.service
    (file,) = await hand_over(service, ROW, laid(tmp_path, send=True), [FILE])
    (job,) = service.hospital.outbox.jobs.values()
    assert (job.room, job.by, job.job) == ("demo", "Dr. Li Wei", file["archive"])
    assert [(one.kind, one.bytes) for one in job.objects] == [(OBJECT, 11)]
    path = service.hospital.outbox.path(job) / "film.dcm"
    assert path.read_bytes() == b"DICM film.."
    (told,) = on_its_way(service, [file])
    assert told["archive"]["state"] in ("waiting", "sending")
    # the archive is away, and its export is removed meanwhile
    await until(lambda: job.problem != "" and job.state == "waiting", 30)
    take_back(service, [file])
    assert not path.exists()
    (told,) = on_its_way(service, [file])
    assert told["archive"] is None


async def test_why_the_archive_refused_a_film_is_told(running: Served, tmp_path: Path) -> None:
    service = running.service
    (file,) = await hand_over(service, ROW, laid(tmp_path, send=True), [FILE])
    (job,) = service.hospital.outbox.jobs.values()
    await until(lambda: job.problem != "" and job.state == "waiting", 30)
    (told,) = on_its_way(service, [file])
    assert told["archive"]["code"] == "pacs_away"
    # what the outbox writes down of an answer, without an archive that gives it
    verdict = refusal(0xA700)
    job.state, job.problem, job.code = "refused", "", ""
    job.objects[0].state, job.objects[0].why, job.objects[0].code = "refused", verdict.why, verdict.code
    (told,) = on_its_way(service, [file])
    assert told["archive"] == {"state": "refused", "message": verdict.why, "code": "no_resources"}


async def test_what_is_not_to_go_stays(running: Served, tmp_path: Path) -> None:
    service = running.service
    assert await hand_over(service, ROW, laid(tmp_path), [FILE]) == [FILE]
    other = Row("e-1", RECORDING, "demo", "camera", "p", 0.0, "running")
    assert await hand_over(service, other, tmp_path / "nowhere", [FILE]) == [FILE]
    assert on_its_way(service, [FILE]) == [FILE]
    assert service.hospital.outbox.jobs == {}


async def test_a_film_that_is_gone_is_not_promised(running: Served, tmp_path: Path) -> None:
    place = laid(tmp_path, send=True)
    (place / "film.dcm").unlink()
    (file,) = await hand_over(running.service, ROW, place, [FILE])
    (told,) = on_its_way(running.service, [file])
    assert (told["archive"]["state"], told["archive"]["code"]) == ("failed", "disk")


def test_a_film_that_was_tampered_with_leaves_nothing_in_the_outbox(tmp_path: Path) -> None:
    key = DataKey(suite_named("AES-256-GCM-SHA256"), bytes(32))
    sealed, target = tmp_path / "film.dcm", tmp_path / "out.dcm"
    data = bytes(range(256)) * 8192 + b"end"
    write_part(sealed, data, key)
    bring(sealed, key, target)
    assert target.read_bytes() == data
    raw = bytearray(sealed.read_bytes())
    raw[-3] ^= 1
    sealed.write_bytes(raw)
    target.unlink()
    with pytest.raises(SealError):
        bring(sealed, key, target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.dcm"]
