"""Whole objects, rendered frames, curves and large values over HTTP."""

from __future__ import annotations

import io
import re

import numpy as np
import pydicom
from PIL import Image
from pydicom.pixels.processing import apply_voi_lut

from tests.helpers.dicom_asking import at, bring, get
from tests.helpers.dicom_files import made, sample, written
from tests.helpers.served import Served


async def test_a_frame_is_rendered_with_the_window_that_is_asked_for(running: Served) -> None:
    values = np.linspace(0, 4000, 24).astype("<u2").reshape(4, 6)
    taken = await bring(running, written(made(PixelData=values.tobytes(), WindowCenter=40, WindowWidth=400)))
    answered = await get(running, at(taken) + "/rendered?window=2000,1000", accept="image/png")
    assert answered.headers["content-type"] == "image/png"
    seen = np.asarray(Image.open(io.BytesIO(answered.body)))
    assert (seen[values < 1500] == 0).all()
    assert (seen[values > 2500] == 255).all()
    wanted = made(PixelData=values.tobytes(), WindowCenter=2000, WindowWidth=1000)
    expected = apply_voi_lut(values, wanted) / 65535 * 255
    assert np.abs(seen - expected).max() <= 1
    jpeg = await get(running, at(taken) + "/frames/1/rendered", accept="image/jpeg")
    assert Image.open(io.BytesIO(jpeg.body)).size == (6, 4)
    for query in ("window=1", "window=a,b", "window=1,0", "window=nan,5", "viewport=9", "viewport=0,0"):
        assert (await get(running, f"{at(taken)}/rendered?{query}")).status == 400
    assert (await get(running, at(taken) + "/rendered", accept="text/html")).status == 406
    assert (await get(running, at(taken) + "/frames/2/rendered")).status == 404


async def test_a_viewport_bounds_both_sides_and_may_show_a_part(running: Served) -> None:
    values = np.tile(np.arange(80, dtype="<u2") * 3, (40, 1))
    picture = made(Rows=40, Columns=80, PixelData=values.tobytes(), WindowCenter=128, WindowWidth=256)
    where = at(await bring(running, written(picture))) + "/rendered?viewport="

    async def seen(viewport: str) -> Image.Image:
        answered = await get(running, where + viewport, accept="image/png")
        assert answered.status == 200, answered.body
        return Image.open(io.BytesIO(answered.body))

    # its proportions are kept, and it is never enlarged
    sizes = {"20,20": (20, 10), "60,10": (20, 10), "8000,8000": (80, 40), "40,40,0,0,20,20": (20, 20)}
    for viewport, size in sizes.items():
        assert (await seen(viewport)).size == size, viewport
    whole = np.asarray(await seen("80,40"))
    assert np.array_equal(np.asarray(await seen("80,40,10,5,30,20")), whole[5:25, 10:40])
    # what is left out: from the edge on, to the other edge
    assert np.array_equal(np.asarray(await seen("80,40,,,,")), whole)
    assert np.array_equal(np.asarray(await seen("80,40,70,30,,")), whole[30:, 70:])
    # a negative size mirrors
    assert np.array_equal(np.asarray(await seen("80,40,0,0,-80,40")), whole[:, ::-1])
    for wrong in (
        "9",
        "0,9",
        "9,9,9",
        "9,9,1,1,x,1",
        "9,9,100,0,5,5",
        "99999,9",
        "9,9,1e5,0,1,1",
        "9,9,-9,0,9,9",
    ):
        assert (await get(running, where + wrong)).status == 400, wrong


async def test_an_object_comes_by_ranges_of_its_bytes(running: Served) -> None:
    taken = await bring(running, written(made()))
    for accept in ("application/dicom", 'multipart/related; type="application/dicom"'):
        whole = await get(running, at(taken), accept=accept)
        assert whole.headers["accept-ranges"] == "bytes"
        size = len(whole.body)
        pieces = []
        for start in range(0, size, 700):
            piece = await get(running, at(taken), accept=accept, Range=f"bytes={start}-{start + 699}")
            assert piece.status == 206
            assert piece.headers["etag"] == whole.headers["etag"]
            assert piece.headers["content-range"] == f"bytes {start}-{min(size, start + 700) - 1}/{size}"
            pieces.append(piece.body)
        assert b"".join(pieces) == whole.body
        beyond = await get(running, at(taken), accept=accept, Range=f"bytes={size}-")
        assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{size}")
        known = await get(running, at(taken), accept=accept, If_None_Match=whole.headers["etag"])
        assert (known.status, known.body) == (304, b"")
    # the pieces of who may not see the patient are of another file
    hidden = await get(running, at(taken), "observer", accept="application/dicom", Range="bytes=0-99999")
    assert hidden.status == 206
    assert b"Geheim" not in hidden.body
    assert hidden.headers["etag"] != whole.headers["etag"]


async def test_an_object_comes_whole_under_the_rooms_uids(running: Served) -> None:
    taken = await bring(running, written(made()))
    answered = await get(running, at(taken), accept="application/dicom")
    whole = pydicom.dcmread(io.BytesIO(answered.body))
    assert whole.SOPInstanceUID == whole.file_meta.MediaStorageSOPInstanceUID == taken["SOPInstanceUID"]
    assert whole.PatientName == "Geheim^Gerda"
    original = whole.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert original.StudyInstanceUID == made().StudyInstanceUID
    assert np.array_equal(whole.pixel_array, made().pixel_array)
    hidden = await get(running, at(taken), "observer", accept="application/dicom")
    # the room's UIDs are long numbers, in which any short one may stand
    said = re.sub(rb"2\.25\.\d+", b"", hidden.body)
    for secret in (b"Geheim", b"PID-4711", b"1.3.6.1.4"):
        assert secret not in said
    shown = pydicom.dcmread(io.BytesIO(hidden.body))
    assert shown.PatientIdentityRemoved == "YES"
    series = await get(running, at(taken).partition("/instances")[0])
    assert series.headers["content-type"].startswith('multipart/related; type="application/dicom"')
    assert series.body.count(b"DICM") == 1


async def test_frames_come_as_they_are_stored_if_that_is_asked_for(running: Served) -> None:
    taken = await bring(running, sample("MR_small_jp2klossless.dcm").read_bytes())
    accept = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
    answered = await get(running, at(taken) + "/frames/1", accept=accept)
    assert b"transfer-syntax=1.2.840.10008.1.2.4.90" in answered.body
    assert b"\xff\x4f\xff\x51" in answered.body


async def test_several_frames_come_in_one_answer(running: Served) -> None:
    taken = await bring(running, sample("rtdose_rle.dcm").read_bytes())
    answered = await get(running, at(taken) + "/frames/3,1,15")
    assert answered.body.count(b"transfer-syntax=1.2.840.10008.1.2.1") == 3
    expected = pydicom.dcmread(sample("rtdose_rle.dcm")).pixel_array
    for frame in (2, 0, 14):
        assert expected[frame].astype("<u4").tobytes() in answered.body
    assert (await get(running, at(taken) + "/frames/16")).status == 404
    assert (await get(running, at(taken) + "/frames/1,x")).status == 400


async def test_an_electrocardiogram_is_curves(running: Served) -> None:
    taken = await bring(running, sample("waveform_ecg.dcm").read_bytes())
    assert taken["kind"] == "waveform"
    groups = (await get(running, at(taken) + "/waveform")).json()["groups"]
    original = pydicom.dcmread(sample("waveform_ecg.dcm"))
    for index, group in enumerate(groups):
        values = np.array([channel["values"] for channel in group["channels"]]).T
        assert np.array_equal(
            values * [channel["scale"] for channel in group["channels"]], original.waveform_array(index)
        )
    assert groups[0]["frequency"] == 1000
    assert [channel["name"] for channel in groups[0]["channels"]][:3] == [
        *("Lead I (Einthoven)", "Lead II", "Lead III"),
    ]
    assert (await get(running, at(taken) + "/frames/1")).status == 404
    tag = (await get(running, at(taken) + "/metadata")).body
    assert b"WaveformSequence" not in tag


async def test_words_in_a_picture_are_kept_from_those_who_may_not_see_the_patient(running: Served) -> None:
    taken = await bring(running, written(made(BurnedInAnnotation="YES")))
    for path in ("/frames/1", "/rendered", "/thumbnail", "/frames/1/rendered", ""):
        refused = await get(running, at(taken) + path, "trainee")
        assert refused.status == 403, path
        assert "Words may stand" in refused.json()["message"]
        assert refused.json()["code"] == "withheld"
        assert (await get(running, at(taken) + path)).status == 200
    listed = (await get(running, "/dicom/instances", "trainee")).json()
    assert listed[0]["00080056"]["Value"] == ["OFFLINE"]
    released = {"StudyInstanceUID": taken["StudyInstanceUID"], "released": True}
    for role, status in (("trainee", 403), ("expert", 403), ("chair", 200)):
        answered = await running.ask(
            "POST",
            "/dicom/release",
            {**running.bearer(role), "Content-Type": "application/json"},  # type: ignore[arg-type]
            str(released).replace("'", '"').replace("True", "true").encode(),
        )
        assert answered.status == status
    assert (await get(running, at(taken) + "/frames/1", "trainee")).status == 200
