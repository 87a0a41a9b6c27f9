"""Files that lie, burst or are not what they seem: each is refused with a sentence, at the cost of its own size."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from annotation.dicom import reading
from annotation.dicom.describe import describe
from annotation.dicom.errors import DicomError
from annotation.dicom.facts import Facts
from annotation.dicom.ingest import ingest
from annotation.dicom.room_uids import RoomUids
from tests.helpers.dicom_files import made, sample, written

UIDS = RoomUids(b"0123456789abcdef")


def facts(data: bytes) -> Facts:
    return describe(reading.parse(io.BytesIO(data)))


def refused(data: bytes) -> tuple[str, str]:
    with pytest.raises(DicomError) as error:
        facts(data)
    sentence = str(error.value)
    assert sentence.endswith(".")
    for secret in ("Geheim", "4711", "1.3.6.1"):
        assert secret not in sentence
    return error.value.code, sentence


def lying(**attributes: Any) -> bytes:
    return written(made(**attributes))


def test_what_is_sound_is_taken() -> None:
    found = facts(written(made()))
    assert (found.kind, found.Rows, found.Columns, found.NumberOfFrames) == ("image", 4, 6, 1)
    assert found.frame_bytes == 48
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_dicom"),
        (b"short", "not_dicom"),
        (b"a letter to nobody " * 100, "not_dicom"),
        (bytes(4096), "not_dicom"),
        (bytes(128) + b"DICM", "not_dicom"),
        (bytes(128) + b"DICM" + b"\xff" * 200, "not_dicom"),
        (b"PK\3\4" + bytes(200), "not_dicom"),
        (lying(SOPInstanceUID=None), "not_dicom"),
        (lying(StudyInstanceUID=None), "not_dicom"),
        (lying(SeriesInstanceUID="../../etc"), "broken"),
        (lying(Rows=0), "broken"),
        (lying(BitsAllocated=12), "unsupported"),
        (lying(SamplesPerPixel=9), "unsupported"),
        (lying(NumberOfFrames="30000"), "too_large"),
        (lying(Rows=60_000, Columns=60_000), "too_large"),
        (lying(NumberOfFrames="2000", Rows=1024, Columns=1024), "incomplete"),
        (lying(Rows=5), "incomplete"),
        (written(made())[:-8], "incomplete"),
    ],
)
def test_what_cannot_be_kept_is_refused(data: bytes, code: str) -> None:
    assert refused(data)[0] == code


def test_two_gigabytes_of_frames_in_a_kilobyte_are_noticed_before_any_is_decoded() -> None:
    fragments = b"\xfe\xff\0\xe0\0\0\0\0" + b"\xfe\xff\0\xe0\x40\0\0\0" + bytes(64)
    dataset = made(Rows=32_768, Columns=32_768, PixelData=fragments)
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset["PixelData"].is_undefined_length = True
    data = written(dataset)
    assert len(data) < 2000
    assert refused(data) == ("too_large", "The file's pixels would take more memory than a picture may.")


def test_a_length_that_lies_is_noticed() -> None:
    data = bytearray(written(made()))
    at = data.index(b"\x08\0\x30\x10LO")
    data[at + 6 : at + 8] = struct.pack("<H", 0xFFF0)
    code, sentence = refused(bytes(data))
    assert code == "incomplete"
    assert "claims more bytes" in sentence


def test_sequences_in_sequences_without_end_are_refused() -> None:
    item = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    head = written(made())
    at = head.index(b"\x08\0\x60\0CS")
    assert refused(head[:at] + item * 5000)[0] in ("broken", "not_dicom")


def test_a_million_attributes_are_refused() -> None:
    head = written(made())
    at = head.index(b"\x28\0\x02\0US")
    many = b"".join(struct.pack("<HH2sH", 0x0021, 0x1000 + n % 0xE000, b"LO", 0) for n in range(50_000))
    assert refused(head[:at] + many + head[at:])[0] == "too_large"


def test_a_deflated_file_is_inflated_and_a_bomb_is_not() -> None:
    dataset = made()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data = written(dataset)
    parsed = reading.parse(io.BytesIO(data))
    assert parsed.inflated is not None
    found = describe(parsed)
    assert found.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    plain = facts(parsed.inflated)
    assert (plain.SOPInstanceUID, plain.pixel_offset) == (found.SOPInstanceUID, found.pixel_offset)
    start = data.index(b"1.2.840.10008.1.2.1.99") + 22
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(600 << 20)) + packer.flush()
    assert len(bomb) < 1 << 20
    assert refused(data[:start] + bomb)[0] == "too_large"


def test_private_attributes_and_objects_without_pictures_are_kept(tmp_path: Path) -> None:
    dataset = made(PixelData=None, Rows=None, Modality="SR")
    dataset.add_new(0x00091001, "LO", "private")
    item = Dataset()
    item.TextValue = "a finding"
    dataset.ContentSequence = [item]
    path = tmp_path / "report"
    path.write_bytes(written(dataset))
    taken = ingest(path, UIDS, "20260101000000")
    assert (taken.facts.kind, taken.facts.NumberOfFrames) == ("document", 0)
    assert '"00091001"' in taken.metadata
    assert '"00091001"' not in taken.deidentified
    assert "a finding" in taken.metadata
    assert "a finding" not in taken.deidentified


def test_wrong_values_stand_for_nothing(tmp_path: Path) -> None:
    data = written(made(SliceThickness="2.5", WindowCenter="40"))
    path = tmp_path / "file"
    path.write_bytes(data.replace(b"DS\4\x002.5 ", b"DS\4\x00a,b "))
    taken = ingest(path, UIDS, "20260101000000")
    assert '"00281050"' in taken.metadata
    assert "a,b" not in taken.metadata


def test_badly_written_files_of_pydicoms_are_taken_as_far_as_they_go(tmp_path: Path) -> None:
    found = facts(sample("badVR.dcm").read_bytes())
    assert (found.Modality, found.Rows, found.NumberOfFrames) == ("RTDOSE", 10, 1)


@pytest.mark.parametrize(
    ("attributes", "fear"),
    [
        ({"BurnedInAnnotation": "YES"}, "YES"),
        ({"BurnedInAnnotation": "NO"}, "NO"),
        ({}, "NO"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"], "BurnedInAnnotation": "NO"}, "screen"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "a secondary capture"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1"}, "an ultrasound picture"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1", "BurnedInAnnotation": "NO"}, "NO"),
        ({"ConversionType": "SD"}, "scan"),
    ],
)
def test_words_in_pictures_are_feared_where_machines_write_them(
    attributes: dict[str, Any], fear: str
) -> None:
    found = facts(written(made(**attributes))).burned_in
    assert found == fear or (fear not in ("YES", "NO") and fear in found)
