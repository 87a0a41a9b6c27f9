"""A camera as a DICOM film: encoded as the standard has it, judged by a stranger, and the same after a kill.

What 2160p becomes is looked at where it comes back from an archive (`test_film_to_archive.py`).
"""

from __future__ import annotations

import io
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av
import pydicom
import pytest
from pydicom.encaps import generate_fragments

from recorder.export import muxing
from recorder.export.composed.footage import indexed_reel
from recorder.export.kinds import ExportError, kind_of, read_options, run_kind
from recorder.export.recoding import Form, Target, recode
from recorder.export.work import CONTEXT, Work
from recorder.parts import write_part
from tests.exporting.recordings import FACE, FIELD, KEY, consultation, job, opened, work
from tests.helpers import coded
from tests.helpers.judges import complaints

SUBJECT = {
    "study": "2.25.10", "patient_id": "4711", "patient_name": "Mueller^Anna", "birth_date": "19700101", "sex": "F",
    "issuer": "HIS", "accession": "A-1", "study_description": "Cholecystectomy",
}  # fmt: skip
NAMES = {
    "series": "2.25.11",
    "instance": "2.25.12",
    "now": 1_795_350_000.0,
    "software": "0.1.0",
    "days": None,
}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return consultation(tmp_path_factory.mktemp("film"), [])


def laid(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Lay a job down with what the server adds."""
    asked = job(folder, "dicom", options)
    whose = {"study": "2.25.20", "subject": None} if options.get("deidentified") else {"subject": SUBJECT}
    context = {"study": "2.25.10", **NAMES, **whose}
    write_part(Path(asked["folder"]) / CONTEXT, json.dumps(context).encode(), KEY)
    return asked


def made(folder: Path, **options: Any) -> tuple[pydicom.Dataset, dict[str, Any], bytes]:
    asked = laid(folder, options)
    (file,) = work(asked)["files"]
    data = opened(asked, "film.dcm")
    assert file["bytes"] == len(data)
    assert sorted(path.name for path in Path(asked["folder"]).iterdir()) == [
        CONTEXT,
        "film.dcm",
        "request.json",
    ]
    return pydicom.dcmread(io.BytesIO(data)), file, data


def film_in(dataset: pydicom.Dataset) -> tuple[Any, list[av.VideoFrame]]:
    table, fragment = generate_fragments(dataset.PixelData)
    assert table == b""
    container = av.open(io.BytesIO(fragment))
    frames = list(container.decode(video=0))
    return container, frames


def test_1080p_is_h264_high_and_a_stranger_finds_nothing_wrong(recording: Path, tmp_path: Path) -> None:
    found, file, _ = made(recording, **{"from": 0.5, "to": 1.0})
    assert found.file_meta.TransferSyntaxUID == file["transfer_syntax"] == "1.2.840.10008.1.2.4.102"
    container, frames = film_in(found)
    picture = container.streams.video[0]
    assert (picture.codec_context.name, picture.codec_context.profile) == ("h264", "High")
    assert picture.codec_context.level == 41
    assert len(frames) == found.NumberOfFrames == file["frames"] == 15
    assert (frames[0].width, frames[0].height) == (found.Columns, found.Rows) == (1920, 1080)
    assert frames[0].format.name == "yuv420p"
    assert not container.streams.audio
    assert (found.PatientID, str(found.PatientName), found.AccessionNumber) == ("4711", "Mueller^Anna", "A-1")
    assert found.AcquisitionDateTime.startswith("20261122")
    assert complaints("dciodvfy", found, tmp_path) == []


def test_60_frames_a_second_are_level_4_2_and_sound_goes_with_them(recording: Path, tmp_path: Path) -> None:
    found, _, _ = made(recording, **{"from": 0.5, "to": 0.8, "rate": 60, "sound": True})
    assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.104"
    container, frames = film_in(found)
    context = container.streams.video[0].codec_context
    assert (len(frames), context.profile, context.level) == (18, "High", 42)
    assert container.streams.audio[0].codec_context.name == "aac"
    assert len(found.MultiplexedAudioChannelsDescriptionCodeSequence) == 1
    assert complaints("dciodvfy", found, tmp_path) == []


@pytest.mark.parametrize("form", ["h264", "hevc"])
def test_pieces_of_any_length_are_shown_in_order(
    recording: Path, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    # of a piece that is shorter than its pyramid of B frames x265 gives no time of decoding
    monkeypatch.setattr(muxing, "PIECE", 0.4)
    errand = Work(recording, Path(job(recording, "camera", {})["folder"]), KEY)
    profile = "main" if form == "hevc" else "high"
    for frames in (25, 26, 14):
        plan = muxing.Plan(0.1 + 10 / 30, 0.1 + (10 + frames) / 30, 30)
        with ExitStack() as opened:
            reel = indexed_reel(errand, opened)
            assert reel is not None
            target = Target(320, 180, 30, form, profile, "5.1")
            recode(errand, FIELD, reel.pictures[FIELD], plan, target, lambda _: None)
        muxing.put_together(errand, "film.mp4", plan, form, [], lambda _: None)
        muxing.drop_pieces(errand, plan)
        with errand.open("film.mp4") as file, av.open(file) as container:
            found = [(frame.pts, coded.show(frame).number) for frame in container.decode(video=0)]
        assert found == [(number * 512, 10 + number) for number in range(frames)]


def test_without_its_patient_a_film_names_nobody_and_masks_are_black(recording: Path) -> None:
    mask = {"producer": FIELD, "x": 0.0, "y": 0.0, "width": 0.5, "height": 1.0}
    found, _, data = made(recording, **{"from": 0.5, "to": 0.75, "deidentified": True, "masks": [mask]})
    for told in (b"Mueller", b"4711", b"A-1", b"20261122"):
        assert told not in data
    assert found.PatientIdentityRemoved == "YES"
    _, frames = film_in(found)
    luma = frames[0].to_ndarray()[:1080].astype(int)
    assert abs(luma[:, :950] - 16).max() <= 6
    assert luma[:, 970:].max() > 60


def test_what_was_killed_goes_on_and_gives_the_same_bytes(recording: Path) -> None:
    options = {"from": 0.5, "to": 0.75}
    whole = laid(recording, options)
    work(whole)
    broken = laid(recording, options)

    class Killed(BaseException):
        pass

    # as the film is put together, and as the object is written around it
    for stop_at, there in ((0.9, "piece-00000"), (0.96, "video.mp4")):

        def stop(share: float, stop_at: float = stop_at) -> None:
            if share >= stop_at:
                raise Killed

        errand = Work(recording, Path(broken["folder"]), KEY, stop)
        kind = kind_of("dicom")
        with pytest.raises(Killed):
            run_kind(kind, errand, read_options(kind, errand.request()))
        assert errand.has(there)
        assert not errand.has("film.dcm")
    work(broken)
    assert opened(broken, "film.dcm") == opened(whole, "film.dcm")
    assert list(Path(broken["folder"]).glob("[pv]*")) == []


def test_another_camera_is_named_and_one_that_is_not_there_refused(recording: Path) -> None:
    found, file, _ = made(recording, **{"from": 0.7, "to": 1.0, "producers": [FACE]})
    assert (file["producer"], found.SeriesDescription) == (FACE, "Camera")
    assert "VP8" in found.DerivationDescription
    for options in ({"producers": [99]}, {"from": 50.0, "to": 60.0}):
        with pytest.raises(ExportError):
            work(laid(recording, options))
    with pytest.raises(ExportError):
        work(job(recording, "dicom", {}))


def test_what_was_for_some_only_is_in_none(tmp_path: Path) -> None:
    chairs = {"kind": "restrict", "producer": FIELD, "audience": {"roles": ["chair"], "participants": []}}
    recording = consultation(tmp_path, [(0.3, {"event": chairs})])
    # a DICOM film, and a copy for learners, each of the camera that it would not have chosen
    _, file, _ = made(recording, **{"from": 0.7, "to": 0.9})
    assert file["producer"] == FACE
    for options in ({"producers": [FIELD]}, {"sound": True, "to": 0.9}):
        with pytest.raises(ExportError):
            work(laid(recording, options))
    copy = {"view": "camera", "from": 0.7, "to": 0.9, "height": 360}
    with pytest.raises(ExportError, match="only faces"):
        work(job(recording, "teaching", copy))
    for more in ({"producers": [FIELD]}, {"producers": [FACE], "sound": True}):
        with pytest.raises(ExportError):
            work(job(recording, "teaching", copy | more))
