"""The images of a room over HTTP, as a page asks for them."""

from __future__ import annotations

import gzip
import io
import re
from typing import Any

import numpy as np
import pydicom
import pytest

from signalling.permissions import Role
from tests.helpers.dicom_asking import at, bring, get, upload
from tests.helpers.dicom_files import made, sample, written
from tests.helpers.served import Served


async def test_a_file_goes_in_is_found_and_its_frame_comes_out(running: Served) -> None:
    taken = await bring(running, sample("CT_small.dcm").read_bytes())
    assert taken["taken"]
    assert taken["SOPInstanceUID"].startswith("2.25.")
    study = (await get(running, "/dicom/studies")).json()
    assert [entry["0020000D"]["Value"] for entry in study] == [[taken["StudyInstanceUID"]]]
    assert study[0]["00080061"]["Value"] == ["CT"]
    listed = (await get(running, f"/dicom/studies/{taken['StudyInstanceUID']}/series")).json()
    assert listed[0]["0020000E"]["Value"] == [taken["SeriesInstanceUID"]]
    metadata = (await get(running, at(taken) + "/metadata")).json()[0]
    assert metadata["00080018"]["Value"] == [taken["SOPInstanceUID"]]
    assert metadata["00280010"]["Value"] == [128]
    original = pydicom.dcmread(sample("CT_small.dcm"))
    kept = metadata["04000561"]["Value"][0]["04000550"]["Value"][0]
    assert kept["00080018"]["Value"] == [original.SOPInstanceUID]
    frame = await get(running, at(taken) + "/frames/1", accept="application/octet-stream")
    assert frame.status == 200
    pixels = np.frombuffer(frame.body, "<i2").reshape(128, 128)
    assert np.array_equal(pixels, original.pixel_array)
    parts = await get(running, at(taken) + "/frames/1")
    mark = parts.headers["content-type"].partition("boundary=")[2].encode()
    assert parts.headers["content-type"].startswith("multipart/related")
    head, _, body = parts.body.removeprefix(b"\r\n--" + mark).partition(b"\r\n\r\n")
    assert b"transfer-syntax=1.2.840.10008.1.2.1" in head
    assert body == frame.body + b"\r\n--" + mark + b"--\r\n"


async def test_what_is_compressed_is_decoded_in_another_process(running: Served) -> None:
    taken = await bring(running, sample("MR_small_jp2klossless.dcm").read_bytes())
    frame = await get(running, at(taken) + "/frames/1", accept="application/octet-stream")
    expected = pydicom.dcmread(sample("MR_small_jp2klossless.dcm")).pixel_array
    assert np.array_equal(np.frombuffer(frame.body, "<i2").reshape(64, 64), expected)


async def test_a_series_comes_packed_and_frames_are_not_sent_twice(running: Served) -> None:
    taken = [await bring(running, written(made(InstanceNumber=n))) for n in (2, 1)]
    series = at(taken[0]).partition("/instances")[0]
    answered = await get(running, series + "/metadata", accept_encoding="gzip")
    assert answered.headers["content-encoding"] == "gzip"
    numbers = [entry["00200013"]["Value"][0] for entry in _json(gzip.decompress(answered.body))]
    assert numbers == [1, 2]
    frame = await get(running, at(taken[0]) + "/frames/1", accept="application/octet-stream")
    tag = frame.headers["etag"]
    again = await get(
        running, at(taken[0]) + "/frames/1", accept="application/octet-stream", if_none_match=tag
    )
    assert (again.status, again.body) == (304, b"")
    part = await get(
        running, at(taken[0]) + "/frames/1", accept="application/octet-stream", range="bytes=4-7"
    )
    assert (part.status, part.body) == (206, frame.body[4:8])
    assert part.headers["content-range"] == f"bytes 4-7/{len(frame.body)}"


async def test_nothing_of_a_patient_stands_in_a_query(running: Served) -> None:
    await bring(running, written(made()))
    for query in ("PatientName=Geheim*", "PatientID=PID-4711", "00100010=Geheim", "00100020=1"):
        answered = await get(running, f"/dicom/studies?{query}")
        assert answered.status == 400
        assert "Nothing of a patient" in answered.json()["message"]


async def test_other_rooms_have_none_of_it(running: Served) -> None:
    taken = await bring(running, written(made()))
    elsewhere = running.bearer("expert", room="other")
    assert (await running.ask("GET", "/dicom/studies", elsewhere)).json() == []
    for path in ("/metadata", "/frames/1"):
        assert (await running.ask("GET", at(taken) + path, elsewhere)).status == 404
    other = await running.ask("POST", "/dicom/upload", elsewhere, written(made()))
    assert other.json()["files"][0]["StudyInstanceUID"] != taken["StudyInstanceUID"]


async def test_no_uid_and_no_name_stands_in_a_path_of_the_disk(running: Served) -> None:
    await bring(running, written(made()))
    names = " ".join(str(path) for path in (running.folder / "dicom").rglob("*"))
    assert "ward" not in names
    assert "1.2" not in names
    assert "2.25" not in names


async def test_what_is_not_taken_is_listed_with_the_reason(running: Served) -> None:
    refused = (await upload(running, b"a letter" * 100, name="letter.txt"))[0]
    assert not refused["taken"]
    assert refused["code"] == "not_dicom"
    listed = (await get(running, "/dicom/quarantine")).json()["quarantine"]
    assert [(entry["name"], entry["code"]) for entry in listed] == [("letter.txt", "not_dicom")]


@pytest.mark.parametrize("role", ["trainee", "observer"])
async def test_those_who_may_not_see_the_patient_see_the_picture_alone(running: Served, role: Role) -> None:
    taken = await bring(running, written(made()))
    study = taken["StudyInstanceUID"]
    bodies = [await get(running, path, role) for path in ("/dicom/studies", at(taken) + "/metadata")]
    for body in bodies:
        # the room's UIDs are long numbers, in which any short one may stand
        said = re.sub(rb"2\.25\.\d+", b"", body.body)
        for secret in (b"Geheim", b"PID-4711", b"19500203", b"20240102", b"1.3.6.1.4"):
            assert secret not in said
    assert bodies[1].json()[0]["0020000D"]["Value"] == [study]
    assert (await get(running, at(taken) + "/frames/1", role)).status == 200
    refused = await running.ask("POST", "/dicom/upload", running.bearer(role), b"x")
    assert refused.status == 403


def _json(data: bytes) -> Any:
    import json

    return json.load(io.BytesIO(data))
