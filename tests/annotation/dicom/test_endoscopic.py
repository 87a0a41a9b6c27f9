"""A film as DICOM Video Endoscopic: which coding it takes, what it says of itself, and the bytes around its MP4."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments
from pydicom.uid import UID

from annotation.dicom.endoscopic import (
    FRAGMENT_LIMIT,
    HIGH_4_1,
    HIGH_4_2,
    MAIN_5_1,
    VIDEO_ENDOSCOPIC,
    Coding,
    Film,
    Names,
    anonymous_video,
    coding_for,
    endoscopic_video,
    frame_time,
    write_object,
)
from annotation.dicom.outgoing import OutgoingError, Subject
from tests.helpers.drawing import a_stamp
from tests.helpers.judges import complaints

#: 22 November 2026, 10:23:20.25 UTC.
BEGINS = 1_795_343_000.25
FILM = Film(HIGH_4_1, 1920, 1080, 25, 250, 12_345, BEGINS, "Operating field", "VP8")
NAMES = Names("2.25.11", "2.25.12")
PATIENT = Subject("2.25.10", "4711", "Müller^Anna", "19700101", "F", "HIS", "A-1", "Cholecystectomy")


def patients(film: Film = FILM) -> Dataset:
    return endoscopic_video(film, PATIENT, NAMES, a_stamp(institution="Ward 3"))


def written(film: Film, dataset: Dataset, video: bytes) -> pydicom.Dataset:
    out = io.BytesIO()
    write_object(out, dataset, film, io.BytesIO(video), lambda _: None)
    return pydicom.dcmread(io.BytesIO(out.getvalue()))


@pytest.mark.parametrize(
    ("width", "height", "rate", "coding", "syntax"),
    [
        (1920, 1080, 25, HIGH_4_1, "1.2.840.10008.1.2.4.102"),
        (1920, 1080, 30, HIGH_4_1, "1.2.840.10008.1.2.4.102"),
        (1920, 1080, 50, HIGH_4_2, "1.2.840.10008.1.2.4.104"),
        (1920, 1080, 60, HIGH_4_2, "1.2.840.10008.1.2.4.104"),
        (1280, 720, 60, HIGH_4_1, "1.2.840.10008.1.2.4.102"),
        (3840, 2160, 30, MAIN_5_1, "1.2.840.10008.1.2.4.107"),
        (3840, 2160, 60, MAIN_5_1, "1.2.840.10008.1.2.4.107"),
    ],
)
def test_size_and_rate_choose_the_coding(
    width: int, height: int, rate: int, coding: Coding, syntax: str
) -> None:
    assert coding_for(width, height, rate) == coding
    assert coding.transfer_syntax == syntax


@pytest.mark.parametrize(
    ("width", "height", "rate"), [(1920, 1080, 120), (3840, 2160, 120), (7680, 4320, 30)]
)
def test_what_no_level_holds_is_refused(width: int, height: int, rate: int) -> None:
    with pytest.raises(OutgoingError):
        coding_for(width, height, rate)


@pytest.mark.parametrize(
    ("rate", "time"), [(25, "40"), (30, "33.3333333333"), (50, "20"), (60, "16.6666666667")]
)
def test_the_time_of_a_frame_fits_into_its_field(rate: int, time: str) -> None:
    assert frame_time(rate) == time
    assert len(time) <= 16


def test_it_says_whose_it_is_and_when() -> None:
    found = patients()
    assert (found.PatientName, found.PatientID, found.PatientBirthDate) == ("Müller^Anna", "4711", "19700101")
    assert (found.PatientSex, found.IssuerOfPatientID, found.AccessionNumber) == ("F", "HIS", "A-1")
    assert (found.StudyInstanceUID, found.StudyDescription) == ("2.25.10", "Cholecystectomy")
    assert (found.StudyDate, found.AcquisitionDate, found.ContentDate) == ("20261122",) * 3
    assert found.AcquisitionDateTime == "20261122102320.250000"
    assert found.TimezoneOffsetFromUTC == "+0000"
    assert found.InstitutionName == "Ward 3"
    # what nobody knows is not said
    assert "BurnedInAnnotation" not in found
    assert found.PatientOrientation == ""
    assert "Laterality" not in found


def test_it_says_what_its_pixels_are() -> None:
    found = patients()
    assert (found.SOPClassUID, found.Modality) == (VIDEO_ENDOSCOPIC, "ES")
    assert (found.Rows, found.Columns, found.NumberOfFrames) == (1080, 1920, 250)
    assert (found.PhotometricInterpretation, found.SamplesPerPixel) == ("YBR_PARTIAL_420", 3)
    assert (found.PlanarConfiguration, found.BitsAllocated, found.BitsStored, found.HighBit) == (0, 8, 8, 7)
    assert (found.FrameIncrementPointer, str(found.FrameTime), found.CineRate) == (0x00181063, "40", 25)
    assert found.ImageType == ["DERIVED", "PRIMARY"]
    assert "VP8" in found.DerivationDescription
    assert (found.LossyImageCompression, found.LossyImageCompressionMethod) == ("01", "ISO_14496_10")
    assert "MultiplexedAudioChannelsDescriptionCodeSequence" not in found
    (heard,) = patients(replace(FILM, sound=True)).MultiplexedAudioChannelsDescriptionCodeSequence
    assert (heard.ChannelMode, heard.ChannelSourceSequence[0].CodeMeaning) == ("STEREO", "Voice")
    assert patients(replace(FILM, coding=MAIN_5_1)).LossyImageCompressionMethod == "ISO_23008_2"


@pytest.mark.parametrize("days", [None, 400])
def test_without_a_patient_nothing_of_him_is_there(days: int | None) -> None:
    film = replace(FILM, label="Dr. Li's field", masked=True)
    found = anonymous_video(film, "2.25.20", "p-000000000001", NAMES, a_stamp(institution="Ward 3"), days)
    text = str(found)
    for told in ("Müller", "4711", "1970", "HIS", "A-1", "Chole", "Ward", "Li's", "2026112"):
        assert told not in text, told
    assert (found.PatientName, found.PatientID) == ("Anonymous", "p-000000000001")
    assert (found.PatientIdentityRemoved, found.PatientBirthDate, found.AccessionNumber) == ("YES", "", "")
    codes = [item.CodeValue for item in found.DeidentificationMethodCodeSequence]
    # pixels that nobody has looked at are not said to be clean
    assert codes == (["113100"] if days is None else ["113100", "113107"])
    if days is None:
        assert (found.StudyDate, found.LongitudinalTemporalInformationModified) == ("", "REMOVED")
        assert "AcquisitionDateTime" not in found
    else:
        assert (found.StudyDate, found.LongitudinalTemporalInformationModified) == ("20251018", "MODIFIED")
        assert found.AcquisitionDateTime == "20251018102320.250000"


@pytest.mark.parametrize("length", [1, 2, 12_345, (1 << 20) + 1, 3 << 20])
def test_the_mp4_is_one_fragment_to_the_byte(length: int) -> None:
    video = bytes(range(256)) * (length // 256) + bytes(length % 256)
    film = replace(FILM, bytes=length)
    found = written(film, patients(film), video)
    assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.102"
    assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID == "2.25.12"
    table, fragment = generate_fragments(found.PixelData)
    assert table == b""
    assert fragment == video + b"\0" * (length % 2)
    assert found.PatientName == "Müller^Anna"


def test_a_film_of_another_length_is_not_written_on() -> None:
    for film in (replace(FILM, bytes=9), replace(FILM, bytes=11)):
        with pytest.raises(OutgoingError):
            write_object(io.BytesIO(), patients(film), film, io.BytesIO(b"x" * 10), lambda _: None)


def test_a_film_that_no_fragment_holds_is_refused_before_it_is_written() -> None:
    out = io.BytesIO()
    film = replace(FILM, bytes=FRAGMENT_LIMIT + 1)
    with pytest.raises(OutgoingError, match="take a part"):
        write_object(out, patients(), film, io.BytesIO(), lambda _: None)
    assert out.getvalue() == b""
    with pytest.raises(OutgoingError):
        patients(replace(FILM, frames=0))


@pytest.mark.parametrize(
    ("film", "days"),
    [
        (FILM, 0),
        (replace(FILM, coding=HIGH_4_2, rate=60, sound=True), 0),
        (FILM, None),
        (FILM, 400),
    ],
)
def test_a_stranger_finds_nothing_wrong(tmp_path: Path, film: Film, days: int | None) -> None:
    ascii_alone = replace(PATIENT, patient_name="Mueller^Anna")
    dataset = (
        endoscopic_video(film, ascii_alone, NAMES, a_stamp())
        if days == 0
        else anonymous_video(film, "2.25.20", "p-000000000001", NAMES, a_stamp(), days)
    )
    found = complaints("dciodvfy", written(film, dataset, bytes(film.bytes)), tmp_path)
    # a date that was left out on purpose is missed by nobody but a table of contents
    missed = re.compile(
        r"Warning - Missing attribute or value that would be needed to build DICOMDIR - Study (Date|Time)"
    )
    assert [line for line in found if not (days is None and missed.fullmatch(line.strip()))] == []


def test_a_stranger_who_knows_no_hevc_finds_nothing_wrong_but_that(tmp_path: Path) -> None:
    film = replace(FILM, coding=MAIN_5_1, width=3840, height=2160)
    ascii_alone = replace(PATIENT, patient_name="Mueller^Anna")
    found = written(film, endoscopic_video(film, ascii_alone, NAMES, a_stamp()), bytes(film.bytes))
    assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.107"
    # it takes what it does not know for uncompressed: under a name that it knows the attributes are judged
    found.file_meta.TransferSyntaxUID = UID(HIGH_4_1.transfer_syntax)
    (complaint,) = complaints("dciodvfy", found, tmp_path)
    assert "Unrecognized defined term <ISO_23008_2>" in complaint
