"""What a query is answered with: studies, series and instances of a room as DICOM JSON (PS3.18, 10.6.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydicom.datadict import dictionary_VR, tag_for_keyword

from .facts import Facts


@dataclass(frozen=True, slots=True)
class Listed:
    """An instance with the room's UIDs."""

    study: str
    series: str
    sop: str
    facts: Facts
    patient_key: str
    #: whether who asks is not shown its pixels
    withheld: bool = False


Json = dict[str, Any]

#: What the facts tell at each level; the second of each pair only to those who may see the patient.
_STUDY: Final = ((), ("StudyDate", "StudyTime", "AccessionNumber", "StudyDescription", "StudyID"))
_PATIENT: Final = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
_SERIES: Final = (("Modality", "SeriesNumber", "BodyPartExamined"), ("SeriesDescription",))
_INSTANCE: Final = (
    *("SOPClassUID", "InstanceNumber", "Rows", "Columns", "NumberOfFrames", "BitsAllocated"),
    *("PhotometricInterpretation",),
)


def _put(body: Json, keyword: str, value: object) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    vr = dictionary_VR(tag)
    entry: Json = {"vr": vr}
    values = list(value) if isinstance(value, list | tuple) else [value]
    if values and values != [""]:
        entry["Value"] = [{"Alphabetic": item} for item in values] if vr == "PN" else values
    body[f"{tag:08X}"] = entry


def _facts(body: Json, facts: Facts, keywords: Iterable[str]) -> None:
    for keyword in keywords:
        _put(body, keyword, getattr(facts, keyword))


def _patient(body: Json, first: Listed, *, patient: bool) -> None:
    if patient:
        _facts(body, first.facts, _PATIENT)
    else:
        _put(body, "PatientName", "Anonymous")
        _put(body, "PatientID", first.patient_key)


def study(instances: Sequence[Listed], base: str, *, patient: bool) -> Json:
    """Describe a study by its instances, of which there is one at least."""
    first = instances[0]
    body: Json = {}
    _facts(body, first.facts, _STUDY[0] + (_STUDY[1] if patient else ()))
    _patient(body, first, patient=patient)
    _put(body, "StudyInstanceUID", first.study)
    _put(
        body, "ModalitiesInStudy", sorted({item.facts.Modality for item in instances if item.facts.Modality})
    )
    _put(body, "NumberOfStudyRelatedSeries", len({item.series for item in instances}))
    _put(body, "NumberOfStudyRelatedInstances", len(instances))
    _put(body, "RetrieveURL", f"{base}/studies/{first.study}")
    return dict(sorted(body.items()))


def series(instances: Sequence[Listed], base: str, *, patient: bool) -> Json:
    """Describe a series."""
    first = instances[0]
    body: Json = {}
    _facts(body, first.facts, _SERIES[0] + (_SERIES[1] if patient else ()))
    _put(body, "StudyInstanceUID", first.study)
    _put(body, "SeriesInstanceUID", first.series)
    _put(body, "NumberOfSeriesRelatedInstances", len(instances))
    _put(body, "RetrieveURL", f"{base}/studies/{first.study}/series/{first.series}")
    return dict(sorted(body.items()))


def instance(item: Listed, base: str) -> Json:
    """Describe an instance."""
    body: Json = {}
    facts = item.facts
    _facts(body, facts, _INSTANCE if facts.NumberOfFrames else _INSTANCE[:2])
    _put(body, "StudyInstanceUID", item.study)
    _put(body, "SeriesInstanceUID", item.series)
    _put(body, "SOPInstanceUID", item.sop)
    _put(body, "InstanceAvailability", "OFFLINE" if item.withheld else "ONLINE")
    where = f"{base}/studies/{item.study}/series/{item.series}/instances/{item.sop}"
    _put(body, "RetrieveURL", where)
    return dict(sorted(body.items()))


def summary(instances: Sequence[Listed], *, patient: bool) -> list[Json]:
    """Sum a room's studies up for its `studies` notice, the newest study last."""
    studies: dict[str, list[Listed]] = {}
    for item in instances:
        studies.setdefault(item.study, []).append(item)
    return [_summary(items, patient=patient) for items in studies.values()]


def _summary(items: Sequence[Listed], *, patient: bool) -> Json:
    first = items[0]
    parts: dict[str, list[Listed]] = {}
    for item in items:
        parts.setdefault(item.series, []).append(item)
    return {
        "StudyInstanceUID": first.study,
        "description": first.facts.StudyDescription if patient else "",
        "date": first.facts.StudyDate if patient else "",
        "modality": "/".join(sorted({item.facts.Modality for item in items if item.facts.Modality})),
        "patient_key": first.patient_key,
        "instances": len(items),
        "series": [
            {
                "SeriesInstanceUID": uid,
                "number": part[0].facts.SeriesNumber,
                "modality": part[0].facts.Modality,
                "description": part[0].facts.SeriesDescription if patient else "",
                "kind": part[0].facts.kind,
                "instances": len(part),
                "frames": sum(
                    max(1, item.facts.NumberOfFrames) for item in part if item.facts.kind == "image"
                ),
                "withheld": sum(item.withheld for item in part),
            }
            for uid, part in sorted(parts.items(), key=lambda entry: entry[1][0].facts.SeriesNumber)
        ],
    }
