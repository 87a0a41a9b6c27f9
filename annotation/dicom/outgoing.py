"""What all that Konsil writes for a hospital has in common: the marks with their authors, the image they stand on, the
stamp of the writing, and the patient's and study's attributes, which are the source image's and nobody else's.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, ParamSpec, TypeVar

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from ..operations import Add, Entry
from ..shapes import Mark
from .reading import quietly

MANUFACTURER: Final = "Konsil"
MODEL: Final = "Konsil"
#: There is no device with a serial number; the attribute must not be empty (PS3.3 C.7.5.2).
SERIAL: Final = "0"
UTF_8: Final = "ISO_IR 192"
#: Explicit VR lengths have 16 bits: a GraphicData of FL holds so many points at most.
POINTS_LIMIT: Final = 8_000

_UID: Final = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
#: What a header takes from its image when it is there; the first group must be, be it empty (type 2).
_TYPE_2: Final = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
_OPTIONAL: Final = (
    *("IssuerOfPatientID", "StudyDescription", "SeriesDescription", "Modality", "FrameOfReferenceUID"),
    *("PatientAge", "PatientSize", "PatientWeight", "OtherPatientIDs", "PatientComments"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "WindowCenter", "WindowWidth"),
    *("WindowCenterWidthExplanation", "VOILUTFunction", "PixelSpacing", "ImagerPixelSpacing"),
    *("NominalScannedPixelSpacing", "PixelSpacingCalibrationType"),
    *("PixelAspectRatio", "NumberOfFrames", "PhotometricInterpretation", "Laterality", "BodyPartExamined"),
)


class OutgoingError(ValueError):
    """What should go out cannot be written. The text is a sentence without anything of the patient."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose picture it is, where no DICOM image says it: the room's patient, and a study for the consultation."""

    study: str
    patient_id: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    issuer: str = ""
    accession: str = ""
    study_description: str = "Consultation"


@dataclass(frozen=True, slots=True)
class DrawnMark:
    """A mark, who drew it, in which colour, and when (Unix seconds); `dash` is its author's as well."""

    mark: Mark
    author: str
    name: str
    colour: str
    time: float
    dash: str = "solid"


@dataclass(frozen=True, slots=True)
class Stamp:
    """When, with what identifiers and by whom something is written: all chance and clock come from outside."""

    now: float
    new_uid: Callable[[], str]
    software: str
    #: who asked for it: the creator of the content
    creator: str = "Konsil"
    institution: str = ""
    number: int = 1

    @property
    def moment(self) -> datetime.datetime:
        """`now` in UTC, which TimezoneOffsetFromUTC says."""
        return datetime.datetime.fromtimestamp(self.now, datetime.UTC)


P = ParamSpec("P")
T = TypeVar("T")


def written_quietly(work: Callable[P, T]) -> Callable[P, T]:
    """Have the libraries write without their warnings, which quote the patient's values."""

    @functools.wraps(work)
    def quiet(*arguments: P.args, **named: P.kwargs) -> T:
        return quietly(work, *arguments, **named)

    return quiet


def drawn_marks(entries: Iterable[Entry]) -> list[DrawnMark]:
    """Take the marks out of a log's visible entries."""
    return [
        DrawnMark(entry.operation.mark, entry.author, entry.name, entry.colour, entry.time / 1000)
        for entry in entries
        if isinstance(entry.operation, Add)
    ]


@written_quietly
def header(source: Dataset) -> Dataset:
    """Take of an image what other objects refer to. Raise OutgoingError if it cannot be referred to."""
    found = Dataset()
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
        value = str(source.get(keyword, ""))
        if len(value) > 64 or not _UID.fullmatch(value):
            raise OutgoingError(f"The image has no valid {keyword}, so nothing can refer to it.")
        setattr(found, keyword, value)
    for keyword in ("Rows", "Columns"):
        value = source.get(keyword)
        if not isinstance(value, int) or not 1 <= value <= 65535:
            raise OutgoingError(f"The image says no {keyword}, so nothing can be drawn on it.")
        setattr(found, keyword, value)
    samples = source.get("SamplesPerPixel", 1)
    found.SamplesPerPixel = samples if samples in (1, 3) else 1
    for keyword in _TYPE_2:
        _copy(source, found, keyword, even_empty=True)
    for keyword in _OPTIONAL:
        _copy(source, found, keyword, even_empty=False)
    found.SpecificCharacterSet = UTF_8
    return found


def _copy(source: Dataset, found: Dataset, keyword: str, *, even_empty: bool) -> None:
    try:
        value: Any = source.get(keyword)
        if isinstance(value, MultiValue | list | tuple):
            value = list(value) if keyword not in _TYPE_2 else str(value[0])
        if value is None or value == "":
            value = ""
        elif not isinstance(value, int | float | list):
            # decoded by the source's character set, to be encoded in ours
            value = _plain(str(value))
        if value != "" or even_empty:
            setattr(found, keyword, value)
    except (ValueError, TypeError, AttributeError, OverflowError, LookupError):
        # what cannot be read is not known
        if even_empty:
            setattr(found, keyword, "")


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable() and letter != "\\").strip()


def words(text: str, limit: int) -> str:
    """Fit words for people into a DICOM string: no backslash, no control characters, at most `limit` characters."""
    return _plain(text)[:limit].strip()


def person_name(name: str) -> str:
    """Write a name as the page has it as a PN's one component (PS3.5 6.2): no carets, no equal signs."""
    # a caret behind it says that it is meant as one component
    return (words(re.sub(r"[\^=]", " ", name), 60) or "Konsil") + "^"


def finish(dataset: Dataset, source: Dataset, stamp: Stamp) -> Dataset:
    """Say when it was made, by our clock and not by a library's, and keep what tells the patient from others."""
    moment = stamp.moment
    date, time = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S.%f")
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date, time
    for keyword in ("Content", "PresentationCreation", "Series"):
        if f"{keyword}Date" in dataset or keyword == "Series":
            setattr(dataset, f"{keyword}Date", date)
            setattr(dataset, f"{keyword}Time", time)
    dataset.TimezoneOffsetFromUTC = "+0000"
    if dataset.Modality not in ("SR", "KO"):
        # type 2C (PS3.3 C.7.3.1): of which side it is, as far as the image says it
        dataset.Laterality = source.get("Laterality", "")
    issuer = source.get("IssuerOfPatientID")
    if issuer:
        dataset.IssuerOfPatientID = issuer
    return dataset
