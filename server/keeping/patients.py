"""Whose a recording is, completed by people: where the disk refused, or the server was killed, no server knows.

Until somebody who may know says that these are all, trainees read no words of others on it (`recorded_patients`).
Patients are added, and none is taken away: that would tell his name to those from whom it was hidden.
"""

from __future__ import annotations

import re
from typing import Any, Final

from annotation.values import as_object, as_text, bad
from signalling.patient import Identity, Patient
from signalling.veil import Veil

from .decisions import Refused

ADDED_LIMIT: Final = 20
NAME_LIMIT: Final = 200
NUMBER_LIMIT: Final = 64

_DATE: Final = re.compile(r"[0-9]{8}")


def told(patient: Patient) -> dict[str, str]:
    """Give of a patient what is hidden."""
    return {
        "name": patient.identity.name,
        "patient_id": patient.identity.patient_id,
        "birth_date": patient.identity.birth_date,
        "accession": patient.accession,
    }


def parse_added(value: object) -> tuple[Patient, ...]:
    """Parse the patients that are added. Raise AnnotationError bad_message, Refused hides_nothing."""
    if not isinstance(value, list) or len(value) > ADDED_LIMIT:
        raise bad("added", f"must be a list of at most {ADDED_LIMIT}")
    return tuple([_patient(as_object(one, "added")) for one in value])


def _patient(body: dict[str, Any]) -> Patient:
    birth_date = as_text(body.get("birth_date", ""), "birth_date", 0, 8)
    if birth_date and not _DATE.fullmatch(birth_date):
        raise bad("birth_date", "must be written YYYYMMDD")
    identity = Identity(
        as_text(body.get("patient_id", ""), "patient_id", 0, NUMBER_LIMIT).strip(),
        name=as_text(body.get("name", ""), "name", 0, NAME_LIMIT).strip(),
        birth_date=birth_date,
    )
    patient = Patient(
        identity, "", accession=as_text(body.get("accession", ""), "accession", 0, NUMBER_LIMIT).strip()
    )
    # it would be said to be hidden, and is not: two letters, three figures
    if not Veil([patient]):
        raise Refused("hides_nothing", "Nothing of this patient could be hidden: it is too short.")
    return patient
