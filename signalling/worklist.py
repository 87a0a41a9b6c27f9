"""Who is to be treated when: entries of a hospital's worklist, and those of FHIR R5 as plain JSON.

A FHIR server is asked for appointments or encounters with the patients that they include (`_include`); what it answers
is a Bundle. Only what an entry needs is read, within bounds; a resource that says too little is left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from .text import clean_text

RESOURCES_LIMIT: Final = 5_000


class WorklistError(ValueError):
    """What was answered is no worklist. The text is a sentence without anything of a patient."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A procedure that is planned, and for whom. Dates as DICOM has them; `starts` is YYYYMMDDHHMM or shorter."""

    patient_id: str
    issuer: str
    name: str
    birth_date: str
    sex: str
    accession: str
    procedure: str
    starts: str
    modality: str = ""
    station: str = ""
    #: the study that images of it belong to, by the hospital's UID; empty: none is planned
    study: str = ""
    #: FHIR's Encounter or Appointment, such as Encounter/123
    encounter: str = ""

    def to_json(self, identifier: str) -> dict[str, Any]:
        """Describe for who may choose; the hospital's UIDs stay here."""
        return {
            "entry": identifier,
            "name": self.name,
            "patient_id": self.patient_id,
            "issuer": self.issuer,
            "birth_date": self.birth_date,
            "sex": self.sex,
            "accession": self.accession,
            "procedure": self.procedure,
            "starts": self.starts,
            "modality": self.modality,
            "station": self.station,
        }


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a FHIR answer: entries, how many resources said too little, and where the next page is."""

    entries: tuple[Entry, ...]
    skipped: int
    next: str


Json = Mapping[str, Any]


def parse_bundle(value: object, base: str) -> Page:
    """Read a Bundle of appointments, encounters and service requests with their patients. Raise WorklistError.

    `base` is the server that was asked: a next page elsewhere is not followed.
    """
    if not isinstance(value, dict) or value.get("resourceType") != "Bundle":
        raise WorklistError("The FHIR server answered with something else than a Bundle.")
    resources = list(_resources(value))
    patients = {str(r.get("id", "")): r for r in resources if r.get("resourceType") == "Patient"}
    entries, skipped = [], 0
    for resource in resources:
        if resource.get("resourceType") not in ("Appointment", "Encounter", "ServiceRequest"):
            continue
        entry = _entry(resource, patients)
        if entry is None:
            skipped += 1
        else:
            entries.append(entry)
    return Page(tuple(entries), skipped, _next(value, base))


def _resources(bundle: Json) -> Iterator[Json]:
    listed = bundle.get("entry")
    for item in (listed if isinstance(listed, list) else [])[:RESOURCES_LIMIT]:
        resource = item.get("resource") if isinstance(item, dict) else None
        if isinstance(resource, dict):
            yield resource


def _next(bundle: Json, base: str) -> str:
    for link in _list(bundle, "link"):
        if link.get("relation") == "next":
            url = _text(link.get("url"), 2_000)
            try:
                here, there = urlsplit(base), urlsplit(url)
            except ValueError:
                return ""
            if (here.scheme, here.netloc) == (there.scheme, there.netloc):
                return url
    return ""


def _entry(resource: Json, patients: Mapping[str, Json]) -> Entry | None:
    patient = patients.get(_patient_of(resource))
    if patient is None:
        return None
    number, issuer = _identifier(patient)
    name = _name(patient)
    if not number or not name:
        # a patient whom nobody can tell from another is not offered
        return None
    kind, identifier = str(resource.get("resourceType")), _text(resource.get("id"), 64)
    return Entry(
        patient_id=number,
        issuer=issuer,
        name=name,
        birth_date=_digits(patient.get("birthDate"), 8),
        sex={"male": "M", "female": "F", "other": "O"}.get(str(patient.get("gender")), ""),
        accession=_accession(resource),
        procedure=_procedure(resource),
        starts=_digits(_starts(resource), 12),
        encounter=f"{kind}/{identifier}",
    )


def _patient_of(resource: Json) -> str:
    """Find the identifier of the Patient that a resource is about."""
    references = [resource.get("subject")]
    references += [participant.get("actor") for participant in _list(resource, "participant")]
    for reference in references:
        text = _text(reference.get("reference"), 200) if isinstance(reference, dict) else ""
        kind, _, identifier = text.rpartition("/")
        if kind.rpartition("/")[2] == "Patient":
            return identifier
    return ""


def _identifier(patient: Json) -> tuple[str, str]:
    """Choose the medical record number (v2-0203 MR), else the official identifier, else the first."""
    found = [item for item in _list(patient, "identifier") if _text(item.get("value"), 64)]

    def rank(item: Json) -> int:
        kind = item.get("type")
        codes = {code.get("code") for code in _list(kind, "coding")} if isinstance(kind, dict) else set()
        return 0 if "MR" in codes else 1 if item.get("use") == "official" else 2

    if not found:
        return "", ""
    best = min(found, key=rank)
    return _text(best["value"], 64), _text(best.get("system"), 64)


def _name(patient: Json) -> str:
    """Write a HumanName as DICOM's PN: family^given."""
    names = _list(patient, "name")
    if not names:
        return ""
    best = min(names, key=lambda name: {"official": 0, "usual": 1}.get(str(name.get("use")), 2))
    given = best.get("given")
    parts = [_text(part, 64) for part in given[:4]] if isinstance(given, list) else []
    family = _text(best.get("family"), 64)
    if not family and not parts:
        return _text(best.get("text"), 64)
    return "^".join((family, " ".join(parts))).rstrip("^")


def _accession(resource: Json) -> str:
    for item in _list(resource, "identifier"):
        kind = item.get("type")
        codes = {code.get("code") for code in _list(kind, "coding")} if isinstance(kind, dict) else set()
        if "ACSN" in codes:
            return _text(item.get("value"), 16)
    return ""


def _procedure(resource: Json) -> str:
    if text := _text(resource.get("description"), 64):
        return text
    for field in ("code", "serviceType", "type", "reason"):
        value = resource.get(field)
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, dict):
                continue
            # R5 wraps a CodeableConcept in a CodeableReference or a reason
            concept = item.get("concept") if isinstance(item.get("concept"), dict) else item
            assert isinstance(concept, dict)
            text = _text(concept.get("text"), 64)
            for coding in _list(concept, "coding"):
                text = text or _text(coding.get("display"), 64)
            if text:
                return text
    return ""


def _starts(resource: Json) -> object:
    for field in ("start", "occurrenceDateTime", "plannedStartDate"):
        if field in resource:
            return resource[field]
    for field in ("actualPeriod", "period", "occurrencePeriod"):
        period = resource.get(field)
        if isinstance(period, dict):
            return period.get("start")
    return ""


def _digits(value: object, limit: int) -> str:
    """Take a date or time of ISO 8601 as DICOM's digits, in the hospital's own time."""
    return re.sub(r"\D", "", _text(value, 40).partition("+")[0].partition("Z")[0])[:limit]


def _list(value: Json, field: str) -> list[Json]:
    found = value.get(field)
    return [item for item in found[:200] if isinstance(item, dict)] if isinstance(found, list) else []


def _text(value: object, limit: int) -> str:
    return clean_text(value, limit) if isinstance(value, str) else ""
