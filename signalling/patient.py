"""Whose consultation it is: the room's patient, what of him each role is told, and whether an image is his.

The patient comes from the worklist or from FHIR and is never typed. Two people are told apart by identifier and issuer
(PS3.3 C.7.1.1); name and date of birth confirm it, or warn. A mark on another patient's image would be advice about
the wrong person, so it is refused; where an image does not say whose it is nobody can know, and that is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from .permissions import Role, may
from .person_names import alike, names_by_script

#: same: his. doubtful: his number, but another name or date of birth. unknown: the image does not say. other: not his.
#: unchosen: the room has no patient yet.
Match = Literal["same", "doubtful", "unknown", "other", "unchosen"]

#: Whose images may be drawn on.
DRAWN_ON: Final[frozenset[Match]] = frozenset({"same", "doubtful", "unknown", "unchosen"})

_DATE: Final = re.compile(r"\d{8}")


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one patient from another, as DICOM has it: name as PN, birth date as YYYYMMDD; empty: not known."""

    patient_id: str
    issuer: str = ""
    name: str = ""
    birth_date: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """The room's patient. `key` names him within the room and tells nothing of him."""

    identity: Identity
    key: str
    sex: str = ""
    accession: str = ""
    study_description: str = ""

    def to_json(self, role: Role) -> dict[str, Any]:
        """Describe for a role: a label alone for who may not see the patient."""
        if not may(role, "patient"):
            return {"name": LABEL, "key": self.key}
        return {
            "name": self.identity.name,
            "patient_id": self.identity.patient_id,
            "issuer": self.identity.issuer,
            "birth_date": self.identity.birth_date,
            "sex": self.sex,
            "accession": self.accession,
            "study_description": self.study_description,
            "key": self.key,
        }


#: What those are shown who may not see the patient.
LABEL: Final = "Patient A"


def match(room: Identity | None, image: Identity) -> Match:
    """Tell whether an image is of the room's patient."""
    if room is None:
        return "unchosen"
    mine, other = room.patient_id.strip(), image.patient_id.strip()
    if not other or not mine:
        return "unknown"
    # the same number of two issuers is two people; a leading zero is part of a number
    issuers = {issuer for issuer in (room.issuer.strip(), image.issuer.strip()) if issuer}
    if mine != other or len(issuers) > 1:
        return "other"
    return "same" if _agree(room, image) else "doubtful"


def _agree(one: Identity, other: Identity) -> bool:
    first, second = _date(one.birth_date), _date(other.birth_date)
    if first and second and first != second:
        return False
    if not one.name.strip("=^ ") or not other.name.strip("=^ "):
        return True
    names, others = names_by_script(one.name), names_by_script(other.name)
    shared = names.keys() & others.keys()
    if not shared:
        # letters beside characters confirm nothing: the date of birth has to
        return bool(first and second)
    return all(any(alike(a, b) for a in names[script] for b in others[script]) for script in shared)


def _date(text: str) -> str:
    digits = text.strip().replace("-", "")
    return digits if _DATE.fullmatch(digits) else ""
