"""A camera's film as DICOM Video Endoscopic Image Storage (PS3.3 A.32.5), written around an MP4 of any length.

The whole MP4 is one fragment of the pixel data (PS3.5 A.4.5 to A.4.7): empty offset table, one item, its end. The film
is passed through in pieces, so it is never held in memory. What is not known of it (which way the camera lies to the
patient, whether words stand in the picture) is left empty, and never guessed.
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag
from pydicom.uid import UID

from .deidentify import Options, say_how
from .outgoing import (
    MANUFACTURER,
    MODEL,
    SERIAL,
    UTF_8,
    OutgoingError,
    Stamp,
    Subject,
    words,
    written_quietly,
)
from .storing import file_head

VIDEO_ENDOSCOPIC: Final = "1.2.840.10008.5.1.4.1.1.77.1.1.1"

#: The length of a fragment has 32 bits and is even (PS3.5 A.4).
FRAGMENT_LIMIT: Final = (1 << 32) - 2

#: Series of ours: presentation states, reports and captures have those before.
_SERIES_NUMBER: Final = 9_040
_PIECE: Final = 1 << 20
_PIXEL_DATA: Final = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
_ITEM: Final = 0xE000
_END: Final = 0xE0DD


@dataclass(frozen=True, slots=True)
class Coding:
    """How a film is encoded, and what DICOM calls it. `most`: blocks of 16 × 16 pixels a second (A.3.1 of H.264)."""

    transfer_syntax: str
    codec: str
    profile: str
    level: str
    #: of LossyImageCompressionMethod (PS3.3 C.7.6.1.1.5.1)
    method: str
    #: kbit/s that the level allows
    kbit: int
    most: int


#: The level's largest picture and rate: H.264 table A-1, HEVC table A.8 and A.9 (its luma samples by 256).
HIGH_4_1: Final = Coding("1.2.840.10008.1.2.4.102", "h264", "high", "4.1", "ISO_14496_10", 62_500, 245_760)
HIGH_4_2: Final = Coding("1.2.840.10008.1.2.4.104", "h264", "high", "4.2", "ISO_14496_10", 62_500, 522_240)
MAIN_5_1: Final = Coding("1.2.840.10008.1.2.4.107", "hevc", "main", "5.1", "ISO_23008_2", 40_000, 2_088_960)


def coding_for(width: int, height: int, rate: int) -> Coding:
    """Choose what a film of this size and frame rate is encoded in. Raise OutgoingError where DICOM has nothing."""
    blocks = -(-width // 16) * -(-height // 16)
    candidates: tuple[Coding, ...]
    if width <= 1920 and height <= 1088:
        candidates = (HIGH_4_1, HIGH_4_2)
    elif width <= 3840 and height <= 2160:
        candidates = (MAIN_5_1,)
    else:
        raise OutgoingError("DICOM has no films of more than 3840 × 2160 pixels.")
    for coding in candidates:
        if blocks * rate <= coding.most:
            return coding
    raise OutgoingError("DICOM has no films of this size with so many frames a second.")


@dataclass(frozen=True, slots=True)
class Film:
    """What is known of an encoded film. `begins`: Unix seconds of its first frame; `sent_as`: the codec it came in."""

    coding: Coding
    width: int
    height: int
    rate: int
    frames: int
    bytes: int
    begins: float
    label: str = ""
    sent_as: str = ""
    sound: bool = False
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """The UIDs under which it goes: made once a film, so that one that is written again is the same object."""

    series: str
    instance: str


class Readable(Protocol):
    """What an MP4 is read from."""

    def read(self, size: int = -1, /) -> bytes | None:
        """Give at most so many bytes, none at the end."""


class Writable(Protocol):
    """What the object is written to."""

    def write(self, data: bytes, /) -> int | None:
        """Take bytes; how many."""


@written_quietly
def endoscopic_video(film: Film, subject: Subject, names: Names, stamp: Stamp) -> Dataset:
    """Describe a film of the chosen patient: the object without its pixels. Raise OutgoingError."""
    written = _described(film, names, stamp)
    written.PatientName = words(subject.patient_name, 64)
    written.PatientID = words(subject.patient_id, 64)
    written.PatientBirthDate = subject.birth_date
    written.PatientSex = subject.sex if subject.sex in ("M", "F", "O") else ""
    if subject.issuer:
        written.IssuerOfPatientID = words(subject.issuer, 64)
    written.StudyInstanceUID = subject.study
    written.AccessionNumber = words(subject.accession, 16)
    written.StudyDescription = words(subject.study_description, 64)
    written.SeriesDescription = words(film.label, 64) or "Operating field"
    if stamp.institution:
        written.InstitutionName = words(stamp.institution, 64)
    _date(written, film, stamp, _moment(film.begins))
    return written


@written_quietly
def anonymous_video(
    film: Film, study: str, patient_id: str, names: Names, stamp: Stamp, days: int | None
) -> Dataset:
    """Describe a film of nobody (PS3.15 annex E); its date is moved back by `days`, or goes with None.

    Of the pixels nothing is known but that rectangles were blackened, so the option Clean Pixel Data is not claimed.
    """
    written = _described(film, names, stamp)
    written.PatientName, written.PatientID = "Anonymous", patient_id
    written.PatientBirthDate = written.PatientSex = ""
    written.StudyInstanceUID = study
    written.AccessionNumber = ""
    written.SeriesDescription = "Operating field"
    written.StudyDate = written.StudyTime = ""
    if days is not None:
        begins = _moment(film.begins) - datetime.timedelta(days)
        _date(written, film, stamp, begins, made=False)
    how = Options(characteristics=False, days=days, uids="UIDs made for this film alone")
    say_how(written, how, how.codes())
    return written


def write_object(
    out: Writable, dataset: Dataset, film: Film, video: Readable, tell: Callable[[int], None]
) -> None:
    """Write a file: head, attributes, and the film as one fragment; `tell` is given the bytes that are through.

    Raise OutgoingError where the film is too long for a fragment, or is not as long as was said; OSError.
    """
    length = film.bytes
    if not 0 < length <= FRAGMENT_LIMIT:
        raise OutgoingError("The film is too long for one DICOM object (4 GB): take a part of it.")
    out.write(
        file_head(str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), film.coding.transfer_syntax)
        + _encoded(dataset)
        + _PIXEL_DATA
        + _item(_ITEM, 0)
        + _item(_ITEM, length + length % 2)
    )
    through = 0
    while piece := video.read(_PIECE):
        through += len(piece)
        if through > length:
            break
        out.write(piece)
        tell(through)
    if through != length:
        raise OutgoingError("The film has another length than was said.")
    out.write(b"\0" * (length % 2) + _item(_END, 0))


@written_quietly
def _encoded(dataset: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset)
    return bytes(buffer.getvalue())


def _item(element: int, length: int) -> bytes:
    return struct.pack("<HHI", 0xFFFE, element, length)


def _described(film: Film, names: Names, stamp: Stamp) -> Dataset:
    """Give all that tells nothing of the patient."""
    if not film.frames > 0:
        raise OutgoingError("The film has no pictures.")
    written = Dataset()
    written.SpecificCharacterSet = UTF_8
    written.SOPClassUID, written.SOPInstanceUID = UID(VIDEO_ENDOSCOPIC), UID(names.instance)
    written.SeriesInstanceUID = names.series
    written.Modality = "ES"
    written.SeriesNumber, written.InstanceNumber = _SERIES_NUMBER, stamp.number
    written.StudyID, written.ReferringPhysicianName = "1", ""
    # how the camera lies to the patient nobody said (type 2C)
    written.PatientOrientation = ""
    written.Manufacturer, written.ManufacturerModelName = MANUFACTURER, MODEL
    written.DeviceSerialNumber, written.SoftwareVersions = SERIAL, stamp.software
    # it was encoded twice: by whoever sent it, and for this
    written.ImageType = ["DERIVED", "PRIMARY"]
    sent = f" from {film.sent_as}" if film.sent_as else ""
    masked = ", with regions blackened" if film.masked else ""
    written.DerivationDescription = words(f"Encoded anew{sent} as it was sent{masked}", 1024)
    written.AcquisitionContextSequence = []
    # type 1C (C.8.12.1): a region has to be named, and which one it is nobody said
    written.AnatomicRegionSequence = [_coded("38266002", "SCT", "Entire body")]
    _pixels(written, film)
    return written


def _pixels(written: Dataset, film: Film) -> None:
    """State the modules Image Pixel, Multi-frame, Cine and VL Image (PS3.3 C.7.6.3, C.7.6.6, C.7.6.5, C.8.12.1)."""
    written.Rows, written.Columns = film.height, film.width
    written.SamplesPerPixel, written.PlanarConfiguration = 3, 0
    written.PhotometricInterpretation = "YBR_PARTIAL_420"
    written.BitsAllocated, written.BitsStored, written.HighBit = 8, 8, 7
    written.PixelRepresentation = 0
    written.NumberOfFrames = film.frames
    written.FrameIncrementPointer = Tag("FrameTime")
    written.FrameTime = frame_time(film.rate)
    written.CineRate = written.RecommendedDisplayFrameRate = film.rate
    if film.sound:
        # type 2C: of a film without sound some readers do not take an empty one (C.7.6.5.1.3)
        written.MultiplexedAudioChannelsDescriptionCodeSequence = [_voices()]
    written.LossyImageCompression = "01"
    written.LossyImageCompressionMethod = film.coding.method
    bare = film.width * film.height * 3 // 2 * film.frames
    written.LossyImageCompressionRatio = f"{max(1.0, bare / max(1, film.bytes)):.2f}"


def _voices() -> Dataset:
    item = Dataset()
    item.ChannelIdentificationCode, item.ChannelMode = 1, "STEREO"
    # CID 3000
    item.ChannelSourceSequence = [_coded("109110", "DCM", "Voice")]
    return item


def _coded(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def frame_time(rate: int) -> str:
    """Give the milliseconds from a frame to the next as DS (16 characters at most)."""
    return f"{1000 / rate:.10f}".rstrip("0").rstrip(".")


def _date(
    written: Dataset, film: Film, stamp: Stamp, begins: datetime.datetime, *, made: bool = True
) -> None:
    """Say when it was seen, in UTC; `made`: and when this was written."""
    date, time = begins.strftime("%Y%m%d"), begins.strftime("%H%M%S.%f")
    for what in ("Study", "Series", "Acquisition", "Content"):
        setattr(written, f"{what}Date", date)
        setattr(written, f"{what}Time", time)
    written.AcquisitionDateTime = date + time
    written.TimezoneOffsetFromUTC = "+0000"
    if made:
        written.InstanceCreationDate = stamp.moment.strftime("%Y%m%d")
        written.InstanceCreationTime = stamp.moment.strftime("%H%M%S.%f")


def _moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
