"""What comes in over HTTP: files, ZIP files, STOW-RS; what is not taken and what becomes of it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from signalling.permissions import Role
from tests.helpers.dicom_asking import at, bring, get, upload
from tests.helpers.dicom_files import made, sample, written
from tests.helpers.served import Served, served


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


async def test_every_file_of_a_zip_is_answered(running: Served) -> None:
    good = [written(made(InstanceNumber=n)) for n in (1, 2)]
    others = {"letter": b"Dear all" * 30, "inner": zipped(x=b"y"), "cut": good[0][:-9]}
    data = zipped(a=good[0], b=good[1], again=good[0], **others)
    files = {file["name"]: file for file in await upload(running, data, "study.zip")}
    assert {name: file.get("code", "taken") for name, file in files.items()} == {
        "a": "taken",
        "b": "taken",
        "again": "taken",
        "letter": "not_dicom",
        "inner": "unsupported",
        "cut": "incomplete",
    }
    assert files["a"]["again"] + files["again"]["again"] == 1
    listed = (await get(running, "/dicom/quarantine")).json()["quarantine"]
    assert {entry["name"] for entry in listed} == {"letter", "inner", "cut"}
    assert all(entry["reason"] for entry in listed)
    (broken,) = await upload(running, zipped(a=good[0])[:-30], "cut.zip")
    assert (broken["taken"], broken["code"]) == (False, "broken")


async def test_the_same_name_for_another_picture_is_refused(running: Served) -> None:
    first = made()
    await bring(running, written(first))
    second = made(SOPInstanceUID=first.SOPInstanceUID, PixelData=bytes(48))
    (refused,) = await upload(running, written(second))
    assert refused["code"] == "duplicate"
    assert len((await get(running, "/dicom/instances")).json()) == 1


async def test_surgeon_and_chair_look_at_what_was_not_taken_and_throw_it_away(running: Served) -> None:
    await upload(running, b"Dear all, " * 30, "letter%0a%e5%bd%b1.txt")
    (entry,) = (await get(running, "/dicom/quarantine")).json()["quarantine"]
    assert entry["name"] == "letter?影.txt"
    where = f"/dicom/quarantine/{entry['number']}"
    for role in ("expert", "trainee"):
        assert (await get(running, where, role)).status == 403
        assert (await running.ask("DELETE", where, running.bearer(role))).status == 403
    kept = await get(running, where, "chair")
    assert kept.body == b"Dear all, " * 30
    assert kept.headers["content-disposition"].startswith("attachment")
    assert (await running.ask("GET", where, running.bearer("chair", room="other"))).status == 404
    assert (await running.ask("DELETE", where, running.bearer("surgeon"))).status == 204
    assert (await get(running, "/dicom/quarantine")).json()["quarantine"] == []
    assert (await get(running, where, "chair")).status == 404


async def test_images_are_taken_away_by_surgeon_and_chair(running: Served) -> None:
    taken = [await bring(running, written(made(InstanceNumber=n))) for n in (1, 2)]
    assert (await running.ask("DELETE", at(taken[0]), running.bearer("expert"))).status == 403
    assert (await running.ask("DELETE", at(taken[0]), running.bearer("chair"))).status == 204
    left = (await get(running, "/dicom/instances")).json()
    assert [entry["00080018"]["Value"][0] for entry in left] == [taken[1]["SOPInstanceUID"]]
    assert (await get(running, at(taken[0]) + "/frames/1")).status == 404
    study = at(taken[1]).partition("/series")[0]
    assert (await running.ask("DELETE", study, running.bearer("surgeon"))).status == 204
    assert not list((running.folder / "dicom" / "rooms").rglob("*.dcm"))


def parts(*bodies: bytes, mark: str = "xyz") -> bytes:
    head = b"--" + mark.encode() + b"\r\nContent-Type: application/dicom\r\n\r\n"
    pieces = [head + body + b"\r\n" for body in bodies]
    return b"".join(pieces) + b"--" + mark.encode() + b"--\r\n"


async def stow(running: Served, body: bytes, kind: str = "", role: Role = "expert") -> tuple[int, Any]:
    headers = {"Content-Type": kind or 'multipart/related; type="application/dicom"; boundary=xyz'}
    answered = await running.ask("POST", "/dicom/studies", {**running.bearer(role), **headers}, body)
    return answered.status, json.loads(answered.body)


async def test_objects_are_stored_by_stow(running: Served) -> None:
    dataset = made()
    status, said = await stow(running, parts(written(dataset), sample("CT_small.dcm").read_bytes()))
    assert status == 200
    references = said["00081199"]["Value"]
    assert references[0]["00081155"]["Value"] == [dataset.SOPInstanceUID]
    where = str(references[0]["00081190"]["Value"][0])
    assert str(dataset.SOPInstanceUID) not in where
    assert (await get(running, where[where.index("/dicom") :] + "/metadata")).status == 200
    status, said = await stow(running, parts(written(made()), b"no DICOM at all" * 20))
    assert status == 202
    assert len(said["0008119A"]["Value"]) == len(said["00081199"]["Value"]) == 1
    assert (await stow(running, parts(b"no DICOM at all" * 20)))[0] == 409


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"x", "application/dicom", 415),
        (b"x", "multipart/related", 400),
        (b"nothing", 'multipart/related; type="application/dicom"; boundary=xyz', 400),
        (b"--xyz--\r\n", 'multipart/related; type="application/dicom"; boundary=xyz', 400),
    ],
)
async def test_what_is_no_store_request_is_refused(
    running: Served, body: bytes, kind: str, status: int
) -> None:
    assert (await stow(running, body, kind))[0] == status


async def test_only_who_may_brings_images(running: Served) -> None:
    for role in ("trainee", "observer"):
        assert (await stow(running, parts(written(made())), role=role))[0] == 403
        assert (await get(running, "/dicom/quarantine", role)).status == 403
    assert (await running.ask("POST", "/dicom/upload", {}, b"x")).status == 401


async def test_what_an_earlier_server_left_half_done_is_taken_away(tmp_path: Path) -> None:
    left = tmp_path / "dicom" / "incoming" / "1-1-study"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"half a study")
    async with served(tmp_path) as server:
        answered = await server.ask("POST", "/dicom/upload", server.bearer("surgeon"), written(made()))
        assert answered.json()["files"][0]["taken"]
    assert list(left.parent.iterdir()) == []
