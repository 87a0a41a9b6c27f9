"""What those see who may not see the patient, held against the standard's table and against names hidden anywhere."""

from __future__ import annotations

import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

from annotation.dicom.deidentify import CHARACTERISTICS, TABLE, VIEW, Options, deidentify
from annotation.dicom.reading import parse
from annotation.dicom.room_uids import RoomUids
from tests.helpers.dicom_files import FOLDER, made

UIDS = RoomUids(b"0123456789abcdef")


def hidden(dataset: Dataset) -> Dataset:
    UIDS.apply(dataset)
    return deidentify(dataset, "p-1")


def known(tag: int) -> bool:
    try:
        dictionary_VR(tag)
    except KeyError:
        return False
    return True


def test_every_row_of_the_table_is_carried_out() -> None:
    dataset = Dataset()
    full = {tag: action for tag, action in TABLE.items() if known(tag) and tag not in CHARACTERISTICS}
    assert len(full) > 600
    for tag in full:
        vr = dictionary_VR(tag).split(" or ")[0]
        if vr == "SQ":
            item = Dataset()
            item.PatientName = "Geheim^Gerda"
            item.PatientComments = "Geheim"
            dataset.add_new(tag, vr, [item])
        elif vr in ("DS", "IS", "FD", "FL", "US", "UL", "SS", "SL"):
            dataset.add_new(tag, vr, 4711)
        elif vr.startswith("O") or vr == "UN":
            dataset.add_new(tag, vr, b"Geheim")
        elif vr == "UI":
            dataset.add_new(tag, vr, "1.3.6.1.4711")
        else:
            dates = {"DA": "20240102", "TM": "101112", "DT": "20240102101112", "AS": "091Y"}
            dataset.add_new(tag, vr, dates.get(vr, "Geheim"))
    result = hidden(dataset)
    text = result.to_json()
    for secret in ("Geheim", "Gerda", "4711", "20240102", "101112", "091Y", "1.3.6.1"):
        assert secret not in text, secret
    for tag, action in full.items():
        if action == "X" and tag in result:
            assert tag in WRITTEN_ANEW, f"{tag:08X} was to be removed"
        if action == "U":
            assert str(result[tag].value).startswith("2.25.")


#: What de-identification itself writes.
WRITTEN_ANEW = {0x00120064, 0x00120063, 0x00120062, 0x00280303}


def test_what_the_table_does_not_name_is_treated_by_its_kind() -> None:
    dataset = made(
        BodyPartExamined="GERDA",
        ImageComments="seen with Gerda",
        PatientAge="093Y",
        PatientSex="F",
        SliceThickness=2.5,
        InstitutionAddress="Somewhere 1",
        WindowCenter=40,
        KVP=120,
    )
    dataset.add_new(0x00091001, "LO", "private Gerda")
    dataset.add_new(0x60003000, "OW", b"ab")
    dataset.add_new(0x00080F01, "LO", "unheard of")
    item = Dataset()
    item.TextValue = "Geheim"
    item.CodeMeaning = "kidney"
    dataset.AnatomicRegionSequence = [item]
    result = hidden(dataset)
    assert result.get("BodyPartExamined") is None or result.BodyPartExamined in ("", None)
    assert (result.PatientAge, result.PatientSex) == ("090Y", "F")
    assert (result.SliceThickness, result.WindowCenter, result.KVP) == (2.5, 40, 120)
    for tag in (0x00091001, 0x60003000, 0x00080F01, 0x00204000, 0x00080081):
        assert tag not in result
    assert result.AnatomicRegionSequence[0].CodeMeaning == "kidney"
    assert "TextValue" not in result.AnatomicRegionSequence[0]


def test_it_says_how_it_was_done() -> None:
    result = hidden(made())
    assert result.PatientIdentityRemoved == "YES"
    assert list(result.DeidentificationMethod) == VIEW.method()
    assert all(len(text) <= 64 for text in [*VIEW.method(), *Options(days=1, uids="").method()])
    assert [item.CodeValue for item in result.DeidentificationMethodCodeSequence] == ["113100", "113108"]
    assert (str(result.PatientName), result.PatientID) == ("Anonymous", "p-1")


def test_references_lead_to_the_same_images_as_before() -> None:
    reference = Dataset()
    reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    reference.ReferencedSOPInstanceUID = "1.3.6.1.4711"
    result = hidden(made(ReferencedImageSequence=[reference]))
    kept = result.ReferencedImageSequence[0]
    assert kept.ReferencedSOPInstanceUID == UIDS.uid("1.3.6.1.4711")
    assert kept.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.dcm")), ids=lambda path: path.name)
def test_no_file_of_pydicoms_keeps_a_name_or_a_uid(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        original = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        secrets = {str(original.get(key, "") or "") for key in ("PatientName", "PatientID", "StudyDate")}
        secrets |= {str(original.get(key, "") or "") for key in ("StudyInstanceUID", "SOPInstanceUID")}
        with path.open("rb") as file:
            try:
                dataset = parse(file).dataset
            except ValueError:
                return
        text = hidden(dataset).to_json(suppress_invalid_tags=True)
    for secret in secrets:
        # a word such as "Anonymous" or "4" says nothing
        if len(secret) > 5 and secret.casefold() != "anonymous":
            assert secret not in text


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        (0x00100010, "UI"),  # PatientName
        (0x00100020, "DS"),  # PatientID: what is set then is of its own kind again
        (0x00080090, "UI"),  # ReferringPhysicianName, which is to be left empty
        (0x00200010, "UI"),  # StudyID
        (0x00100040, "LO"),  # PatientSex, which is kept
        (0x00189004, "UI"),  # ContentQualification, which the table does not name
    ],
)
def test_a_name_does_not_pass_as_another_kind_of_value(tag: int, kind: str) -> None:
    dataset = made(PatientName="Geheim^Gerda")
    dataset.pop(tag, None)
    dataset.add_new(tag, kind, "4711" if kind == "DS" else "GEHEIM")
    shown = deidentify(dataset, "p-1")
    assert (shown.PatientID, shown.PatientName) == ("p-1", "Anonymous")
    assert "GEHEIM" not in shown.to_json().upper()
