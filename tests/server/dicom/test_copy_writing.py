"""A copy for outside the house, held against the standard's table and before foreign judges, and read back."""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from annotation.dicom.bundle import StillFile
from annotation.dicom.copying import copy_of
from annotation.dicom.deidentify import TABLE, Options
from annotation.dicom.outgoing import DrawnMark
from annotation.dicom.pseudonyms import words_of
from annotation.dicom.read_back import read_back
from annotation.dicom.room_uids import RoomUids
from annotation.notes import Instruct
from annotation.operations import Entry
from annotation.still import Facing
from server.dicom.copy_request import WANTED
from server.dicom.copy_writing import write_copy
from server.dicom.writing_program import new_uid
from tests.helpers.dicom_files import made, sample, written
from tests.helpers.drawing import EVERY_SHAPE, every_mark, image, mark
from tests.helpers.judges import complaints, said

KEY = "ab" * 32
FIELD = {"study": "1.3.6.1.4.1.4711.9", "patient_id": "1CT1", "issuer": ""}
#: What a copy holds of its own: the profile's dummies, the copy's key for the patient, what Konsil calls itself.
OWN = {
    *("", "Anonymous", "Removed", "REMOVED", "0", "000Y", "YES", "NO", "Konsil^", "19000101"),
    *("000000", "000000.000000", "19000101000000", "With marks", "Without marks", "Field, without marks"),
    *("Field, without marks, MIRRORED", "Field, with marks, MIRRORED", "Consultation"),
    "Marks of a consultation are drawn into the pixels",
    "The picture is mirrored: left and right are exchanged",
}


#: What the profile empties and a table of contents would like to have.
PRICE = re.compile(r"needed to build DICOMDIR - Study (Date|Time|ID)")


class Made:
    """A copy that was made: its files by name, and what was said."""

    def __init__(self, folder: Path, sources: dict[str, Path], marks: list[DrawnMark], **more: Any) -> None:
        words = [asdict(word) for word in more["words"]]
        self.files: dict[str, bytes] = {}
        self.told: list[dict[str, Any]] = []
        folder.mkdir()
        job = {
            "copy": {
                "key": KEY, "days": more.get("days"), "characteristics": more.get("characteristics", False),
                "roles": {"pt-1": "surgeon", "pt-2": "expert"}, "texts": more.get("texts", []), "words": words,
            },
            "images": [
                {"sop": sop, "path": str(path), "frames": 1, "columns": 128, "rows": 128}
                for sop, path in sources.items()
            ],
            "subject": FIELD, "want": list(WANTED), "now": 1_795_305_600.0, "software": "0.1.0",
            "folder": str(folder), "new_uid": new_uid, "identifier": "0-1",
        }  # fmt: skip
        self._folder = folder
        write_copy(job, marks, more.get("stills", []), self._say, lambda: "taken")

    def _say(self, **line: Any) -> None:
        self.told.append(line)
        if "file" in line:
            self.files[line["file"]] = (self._folder / line["file"]).read_bytes()

    def datasets(self, beginning: str = "") -> dict[str, Dataset]:
        return {
            name: pydicom.dcmread(io.BytesIO(data))
            for name, data in self.files.items()
            if name.endswith(".dcm") and name.startswith(beginning)
        }


def asked(text: str, about: str) -> Entry:
    return Entry(9, 0.0, "pt-2", "Anna Meier", "#ffb000", Instruct("i-1", text, about, spoken=False))


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Path]:
    """One CT slice with everything of a patient that an image can have, also where nobody looks."""
    dataset = image("CT_small.dcm")
    dataset.PatientBirthDate, dataset.OtherPatientIDs = "19500203", "PID-4711"
    dataset.ReferringPhysicianName, dataset.OperatorsName = "Weiss^Rita", "Braun^Otto"
    dataset.InstitutionName, dataset.StationName = "Nordklinik", "CT-OST-2"
    dataset.add_new(0x00091001, "LO", "private Geheim")
    dataset.add_new(0xFFFCFFFC, "OB", b"Geheim")
    path = tmp_path / "ct.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return {"a": path}


SECRETS = (
    *(
        "CompressedSamples",
        "1CT1",
        "PID-4711",
        "Geheim",
        "Weiss",
        "Braun",
        "Nordklinik",
        "CT-OST",
        "19500203",
    ),
    *("Dr. Li Wei", "Anna Meier", "20040119", "1.3.6.1.4.1.5962"),
)


def whole(folder: Path, sources: dict[str, Path], **more: Any) -> Made:
    """Make a copy of a slice and a still with every mark; `keep` texts by what they say."""
    png = io.BytesIO()
    Image.new("RGB", (64, 36), (10, 200, 30)).save(png, "PNG")
    still = folder.parent / "still.png"
    still.write_bytes(png.getvalue())
    marks = [
        *every_mark("a"),
        DrawnMark(mark("text", "a", text="Frau Geheim"), "pt-2", "Anna Meier", "#ffb000", 1.0),
    ]
    words = words_of(marks, [asked("Clip here", "m-arrow"), asked("like Geheim", "m-line")])
    keep = more.pop("keep", ())
    texts = [word.words_id for word in words if word.words in keep]
    stills = [StillFile(7, 90_000, still, Facing("L", "F", mirrored=True))]
    return Made(folder, sources, marks, words=words, texts=texts, stills=stills, **more)


def test_no_attribute_of_the_profiles_table_survives_in_any_object(
    tmp_path: Path, sources: dict[str, Path]
) -> None:
    copy = whole(tmp_path / "copy", sources)
    kinds = sorted({line["kind"] for line in copy.told})
    assert kinds == sorted(["image", *WANTED, "about"])
    before = {str(e.value) for e in pydicom.dcmread(sources["a"]).iterall() if e.VR == "UI"}
    for name, dataset in copy.datasets().items():
        key = str(dataset.PatientID)
        assert key.startswith("p-")
        for element in dataset.iterall():
            assert not element.tag.is_private, (name, element.tag)
            action = TABLE.get(int(element.tag))
            if action is None or element.VR == "SQ" or element.keyword == "DeidentificationMethod":
                continue
            value = "" if element.value is None else str(element.value)
            if element.VR == "UI":
                assert value.startswith("2.25."), (name, element.keyword)
                assert value not in before
            elif element.keyword not in ("UnformattedTextValue", "TextValue"):
                assert value in {*OWN, key}, (name, element.keyword, value)
    for name, data in copy.files.items():
        for secret in SECRETS:
            assert secret.encode() not in data, (name, secret)


def test_the_judges_find_nothing_wrong(tmp_path: Path, sources: dict[str, Path]) -> None:
    for days in (None, 1_000):
        copy = whole(tmp_path / f"copy-{days}", sources, days=days, characteristics=days is not None)
        for name, dataset in copy.datasets().items():
            if not name.startswith("images"):
                found = [line for line in complaints("dciodvfy", dataset, tmp_path) if not PRICE.search(line)]
                assert found == [], name
        (state,) = copy.datasets("marks/presentation").values()
        assert complaints("dcmpschk", state, tmp_path) == []
        (report,) = copy.datasets("measurements").values()
        assert "Expert" in said("dsrdump", report, tmp_path)


def test_what_was_done_is_stated_by_codes(tmp_path: Path, sources: dict[str, Path]) -> None:
    def codes(dataset: Dataset) -> list[str]:
        assert dataset.PatientIdentityRemoved == "YES"
        return [item.CodeValue for item in dataset.DeidentificationMethodCodeSequence]

    plain = whole(tmp_path / "plain", sources)
    (picture,) = plain.datasets("images").values()
    assert (codes(picture), picture.LongitudinalTemporalInformationModified) == (["113100"], "REMOVED")
    assert (picture.PatientSex, picture.get("PatientAge"), picture.StudyDate) == ("", None, "")
    (state,) = plain.datasets("marks/presentation").values()
    assert codes(state) == ["113100", "113103", "113105"]
    (report,) = plain.datasets("measurements").values()
    assert codes(report) == ["113100", "113104", "113105"]
    moved = whole(tmp_path / "moved", sources, days=1_000, characteristics=True)
    (picture,) = moved.datasets("images").values()
    assert codes(picture) == ["113100", "113107", "113108"]
    # 19 January 2004, a thousand days before
    assert (picture.StudyDate, picture.StudyTime) == ("20010424", "072730")
    assert (picture.PatientSex, picture.PatientAge, picture.LongitudinalTemporalInformationModified) == (
        "O", "000Y", "MODIFIED",
    )  # fmt: skip
    (state,) = moved.datasets("marks/presentation").values()
    # 22 November 2026, a thousand days before
    assert state.PresentationCreationDate == "20240226"


def test_marks_stand_where_they_were_and_on_the_new_uids(tmp_path: Path, sources: dict[str, Path]) -> None:
    copy = whole(tmp_path / "copy", sources, keep=("Look here",))
    (picture,) = copy.datasets("images").values()
    (state,) = copy.datasets("marks/presentation").values()
    (report,) = copy.datasets("measurements").values()
    (selection,) = copy.datasets("marks/key_objects").values()
    evidence = selection.CurrentRequestedProcedureEvidenceSequence[0]
    assert evidence.StudyInstanceUID == picture.StudyInstanceUID == state.StudyInstanceUID
    assert picture.SOPInstanceUID in selection.to_json()
    found = read_back(state, {picture.SOPInstanceUID: (128, 128)}.get)
    assert found.missing == frozenset()
    assert {one.shape for one in found.marks} == set(EVERY_SHAPE)
    assert {one.name for one in found.marks} == {"Surgeon", "Expert"}
    for one in found.marks:
        worst = max(
            math.hypot((x - a) * 128, (y - b) * 128)
            for (x, y), (a, b) in zip(one.points, EVERY_SHAPE[one.shape], strict=True)
        )
        assert worst < 0.5, one.shape
        # nothing that leads back into the room
        assert one.key != f"m-{one.shape.replace('_', '-')}"
    assert len(read_back(report, {picture.SOPInstanceUID: (128, 128)}.get).marks) == 7


def test_words_are_in_it_only_if_somebody_kept_them(tmp_path: Path, sources: dict[str, Path]) -> None:
    without = whole(tmp_path / "without", sources)
    assert all(b"Look here" not in data and b"Clip here" not in data for data in without.files.values())
    kept = whole(tmp_path / "kept", sources, keep=("Look here", "Clip here"))
    (state,) = kept.datasets("marks/presentation").values()
    assert "Look here" in state.to_json()
    assert "Geheim" not in state.to_json()
    page = json.loads(kept.files["annotations.json"])
    bodies = [item["body"] for item in page["items"] if "body" in item]
    assert {
        "type": "TextualBody",
        "value": "Clip here",
        "format": "text/plain",
        "purpose": "describing",
    } in bodies
    assert any(isinstance(body, dict) and "mm" in body["value"] for body in bodies)
    assert {item["target"]["source"] for item in page["items"]} == {"images/00001.dcm"}
    assert all("created" not in item for item in page["items"])


def test_what_was_rewritten_since_it_was_read_is_another_text() -> None:
    (before,) = words_of([DrawnMark(mark("text", text="kidney"), "pt-1", "A", "#ffffff", 1.0)], [])
    (after,) = words_of([DrawnMark(mark("text", text="Geheim"), "pt-1", "A", "#ffffff", 1.0)], [])
    assert before.words_id != after.words_id


@pytest.mark.parametrize("signed", [0, 1])
def test_old_overlays_in_unused_bits_are_taken_out(tmp_path: Path, signed: int) -> None:
    values = np.arange(24, dtype="<u2") * 170 % 4096
    overlay = np.where(np.arange(24) % 3 == 0, 0x8000, 0).astype("<u2")
    source = made(
        BitsStored=12, HighBit=11, PixelRepresentation=signed, PixelData=(values | overlay).tobytes()
    )
    path = tmp_path / "old.dcm"
    path.write_bytes(written(source))
    copy = pydicom.dcmread(io.BytesIO(copy_of(path, RoomUids(bytes(16)), Options())))
    there = np.frombuffer(copy.PixelData, "<i2" if signed else "<u2")
    expected = values.astype(int) - np.where((values & 0x800) != 0, 4096, 0) if signed else values
    assert there.tolist() == expected.tolist()


@pytest.mark.parametrize(
    "name",
    ["examples_rgb_color.dcm", "JPEG2000.dcm", "MR_small_RLE.dcm", "SC_rgb_jpeg_dcmtk.dcm", "ExplVR_BigEnd.dcm",
     "rtdose.dcm", "liver_1frame.dcm", "SC_rgb_jpeg_gdcm.dcm"],
)  # fmt: skip
def test_pixels_stay_as_they_were(tmp_path: Path, name: str) -> None:
    path = sample(name)
    copy = pydicom.dcmread(io.BytesIO(copy_of(path, RoomUids(bytes(16)), Options(characteristics=False))))
    before = pydicom.dcmread(path)
    assert copy.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
    assert np.array_equal(copy.pixel_array, before.pixel_array)
    assert copy.SOPInstanceUID != before.SOPInstanceUID
