"""What a PACS and a worklist are asked, and what is used of what they answer: C-FIND (PS3.4 C.6, K.6), QIDO-RS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydicom.dataset import Dataset

from .outgoing import UTF_8, words
from .room_uids import is_uid

#: Answers that are shown; whoever gets so many should ask for less.
ANSWERS_LIMIT: Final = 200

_DATE: Final = re.compile(r"\d{8}")
_DATES: Final = re.compile(r"(\d{8})?-(\d{8})?")

#: What a study's answer is to hold.
_STUDY: Final = (
    *("StudyInstanceUID", "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyDate", "StudyTime", "StudyDescription", "ModalitiesInStudy"),
    "NumberOfStudyRelatedInstances",
)


class QueryError(ValueError):
    """What was asked cannot be asked of a PACS. The text is a sentence that does not repeat it."""


@dataclass(frozen=True, slots=True)
class StudyQuery:
    """What is looked for; empty: anything. `date` is YYYYMMDD or a range YYYYMMDD-YYYYMMDD."""

    patient_id: str = ""
    name: str = ""
    accession: str = ""
    date: str = ""
    modality: str = ""

    def __post_init__(self) -> None:
        """Refuse what would fetch everything, or what no PACS understands."""
        for value in (self.patient_id, self.name, self.accession, self.modality):
            if len(value) > 64 or words(value, 64) != value.strip():
                raise QueryError("A search has plain characters, 64 at most in each field, and no backslash.")
        if self.date and not (
            _DATE.fullmatch(self.date) or (self.date != "-" and _DATES.fullmatch(self.date))
        ):
            raise QueryError("A date is written as YYYYMMDD, a range as YYYYMMDD-YYYYMMDD.")
        told = [value.strip("*? ") for value in (self.patient_id, self.name, self.accession)]
        if not any(told) and not self.date:
            raise QueryError("Say a number, a name, an accession or a date.")

    @property
    def name_pattern(self) -> str:
        """The name, which may go on: people type its beginning."""
        return self.name if not self.name or self.name.endswith("*") else f"{self.name}*"


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study that a PACS has. UIDs are the hospital's, and stay in the server."""

    study: str
    patient_id: str = ""
    issuer: str = ""
    name: str = ""
    birth_date: str = ""
    sex: str = ""
    accession: str = ""
    date: str = ""
    time: str = ""
    description: str = ""
    modalities: tuple[str, ...] = ()
    instances: int = 0


def study_identifier(query: StudyQuery) -> Dataset:
    """Make the identifier of a C-FIND at study level."""
    asked = Dataset()
    asked.SpecificCharacterSet = UTF_8
    asked.QueryRetrieveLevel = "STUDY"
    for keyword in _STUDY:
        setattr(asked, keyword, "")
    asked.PatientID, asked.PatientName = query.patient_id, query.name_pattern
    asked.AccessionNumber, asked.StudyDate = query.accession, query.date
    asked.ModalitiesInStudy = query.modality
    return asked


def retrieve_identifier(study: str) -> Dataset:
    """Make the identifier of a C-GET of a whole study."""
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.StudyInstanceUID = study
    return asked


def worklist_identifier(date: str, station: str = "", modality: str = "") -> Dataset:
    """Make the identifier of a Modality Worklist C-FIND; `date` as in StudyQuery, empty for all."""
    asked = Dataset()
    asked.SpecificCharacterSet = UTF_8
    for keyword in (
        *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
        *("AccessionNumber", "StudyInstanceUID", "RequestedProcedureDescription", "RequestedProcedureID"),
    ):
        setattr(asked, keyword, "")
    step = Dataset()
    step.Modality, step.ScheduledStationAETitle = modality, station
    step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime = date, ""
    step.ScheduledProcedureStepDescription = step.ScheduledStationName = ""
    asked.ScheduledProcedureStepSequence = [step]
    return asked


def qido_parameters(query: StudyQuery) -> dict[str, str]:
    """Make the query of a QIDO-RS search for studies (PS3.18 10.6)."""
    asked = {
        "PatientID": query.patient_id,
        "PatientName": query.name_pattern,
        "AccessionNumber": query.accession,
        "StudyDate": query.date,
        "ModalitiesInStudy": query.modality,
    }
    found = {keyword: value for keyword, value in asked.items() if value}
    return {**found, "limit": str(ANSWERS_LIMIT), "includefield": "StudyDescription,IssuerOfPatientID"}


def study_of(answer: Dataset) -> FoundStudy | None:
    """Read an answer to a study query; None if it does not say which study."""
    study = _text(answer, "StudyInstanceUID", 64)
    if not is_uid(study):
        return None
    modalities = answer.get("ModalitiesInStudy") or ()
    listed = [modalities] if isinstance(modalities, str) else list(modalities)[:20]
    return FoundStudy(
        study,
        _text(answer, "PatientID"),
        _text(answer, "IssuerOfPatientID"),
        _text(answer, "PatientName"),
        _text(answer, "PatientBirthDate", 8),
        _text(answer, "PatientSex", 1),
        _text(answer, "AccessionNumber", 16),
        _text(answer, "StudyDate", 8),
        _text(answer, "StudyTime", 6),
        _text(answer, "StudyDescription"),
        tuple(words(str(item), 16) for item in listed if item),
        _number(answer.get("NumberOfStudyRelatedInstances")),
    )


def study_of_json(answer: object) -> FoundStudy | None:
    """Read an answer of QIDO-RS: DICOM JSON."""
    if not isinstance(answer, Mapping):
        return None
    flat = Dataset()
    for keyword, tag in _QIDO_TAGS.items():
        values = _values(answer, tag)
        if values:
            try:
                setattr(flat, keyword, values if keyword == "ModalitiesInStudy" else values[0])
            except (ValueError, TypeError, AttributeError):
                continue
    return study_of(flat)


#: PS3.6, as PS3.18 annex F writes them.
_QIDO_TAGS: Final = {
    "StudyInstanceUID": "0020000D",
    "PatientID": "00100020",
    "IssuerOfPatientID": "00100021",
    "PatientName": "00100010",
    "PatientBirthDate": "00100030",
    "PatientSex": "00100040",
    "AccessionNumber": "00080050",
    "StudyDate": "00080020",
    "StudyTime": "00080030",
    "StudyDescription": "00081030",
    "ModalitiesInStudy": "00080061",
    "NumberOfStudyRelatedInstances": "00201208",
}


def _values(answer: Mapping[str, Any], tag: str) -> list[str]:
    element = answer.get(tag)
    values = element.get("Value") if isinstance(element, Mapping) else None
    found = []
    for value in (values if isinstance(values, list) else [])[:20]:
        plain = value.get("Alphabetic") if isinstance(value, Mapping) else value
        if isinstance(plain, str | int | float):
            found.append(str(plain)[:256])
    return found


def worklist_of(answer: Dataset) -> dict[str, str] | None:
    """Read an answer of a worklist, as `signalling.worklist.Entry` has it; None if it does not say for whom."""
    steps = answer.get("ScheduledProcedureStepSequence") or [Dataset()]
    step = steps[0]
    found = {
        "patient_id": _text(answer, "PatientID"),
        "issuer": _text(answer, "IssuerOfPatientID"),
        "name": _text(answer, "PatientName"),
        "birth_date": _text(answer, "PatientBirthDate", 8),
        "sex": _text(answer, "PatientSex", 1),
        "accession": _text(answer, "AccessionNumber", 16),
        "procedure": _text(answer, "RequestedProcedureDescription")
        or _text(step, "ScheduledProcedureStepDescription"),
        "starts": _text(step, "ScheduledProcedureStepStartDate", 8)
        + _text(step, "ScheduledProcedureStepStartTime", 4),
        "modality": _text(step, "Modality", 16),
        "station": _text(step, "ScheduledStationName", 16) or _text(step, "ScheduledStationAETitle", 16),
        "study": _text(answer, "StudyInstanceUID", 64),
    }
    if not is_uid(found["study"]):
        found["study"] = ""
    return found if found["patient_id"] and found["name"] else None


def _text(dataset: Dataset, keyword: str, limit: int = 64) -> str:
    try:
        value = dataset.get(keyword)
        if value is None:
            return ""
        if not isinstance(value, str) and isinstance(value, list | tuple):
            value = value[0] if value else ""
        return words(str(value), limit)
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError):
        return ""


def _number(value: object) -> int:
    try:
        return max(0, min(1_000_000, int(str(value))))
    except ValueError:
        return 0
