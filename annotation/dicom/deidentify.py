"""What those see who may not see the patient: PS3.15, annex E, the Basic Application Confidentiality Profile.

The table stands in basic_profile.txt as the standard has it; what is not in the table is treated by its kind, so that
an attribute that nobody thought of does not pass: free text, dates, persons, addresses and everything private go. One
option is taken, Retain Patient Characteristics (sex, age, size, weight), since they are what a learner judges a picture
by. UIDs are the room's (room_uids.py). Words within the picture are not removed: `Facts.burned_in` says that they are
feared.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any, Final

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from .reading import FAILURES, text
from .room_uids import is_uid

_Table = dict[int, str]


def _read_table() -> _Table:
    table: _Table = {}
    for line in (Path(__file__).parent / "basic_profile.txt").read_text("ascii").splitlines():
        if not line.startswith("#"):
            tag, action, _ = line.split()
            table[int(tag, 16)] = action
    return table


#: Tag → action of the Basic Profile.
TABLE: Final[_Table] = _read_table()

#: The option Retain Patient Characteristics: PatientSex, PatientAge, PatientSize, PatientWeight.
CHARACTERISTICS: Final = frozenset({0x00100040, 0x00101010, 0x00101020, 0x00101030})

#: Sequences whose items name images, by the room's UIDs alone: they stay (the table's U*).
_REFERENCES: Final = frozenset({0x00081140, 0x00082112})

#: What is left empty where it has to be there, and what becomes of a value that has to have one.
_DUMMIES: Final[dict[str, object]] = {
    "DA": "19000101",
    "TM": "000000",
    "DT": "19000101000000",
    "AS": "000Y",
    "PN": "Anonymous",
    "LO": "Removed",
    "SH": "Removed",
    "CS": "REMOVED",
    "LT": "Removed",
    "ST": "Removed",
    "UT": "Removed",
    "DS": 0,
    "IS": 0,
    "FD": 0.0,
    "FL": 0.0,
    "US": 0,
    "UL": 0,
    "SS": 0,
    "SL": 0,
    "AE": "REMOVED",
}

#: Kinds of values that pass only if the table says so: texts without bound, dates, addresses, what is unknown.
_REMOVED_KINDS: Final = frozenset({"LT", "ST", "UT", "UC", "UR", "AE", "DA", "DT", "PN", "UN"})
#: What holds a number of the machine's, whatever it is said to be of.
_NUMBERS: Final = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})
_WORDS: Final = frozenset({"LO", "SH", "CS", "LT", "ST", "UT", "UC"})

#: PS3.16, CID 7050.
_CODES: Final = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113108", "Retain Patient Characteristics Option"),
)
METHOD: Final = ["PS3.15 2026c table E.1-1, basic profile", "Sex, age, size, weight kept", "UIDs of the room"]

_WORD = re.compile(r"[^\W_]+")


def deidentify(dataset: Dataset, patient_key: str) -> Dataset:
    """Give a copy of a data set, which bears the room's UIDs already, that holds nothing of the patient."""
    hidden = _clean(dataset, _names(dataset))
    hidden.PatientName = "Anonymous"
    hidden.PatientID = patient_key
    hidden.PatientIdentityRemoved = "YES"
    hidden.DeidentificationMethod = list(METHOD)
    hidden.LongitudinalTemporalInformationModified = "REMOVED"
    items = []
    for value, meaning in _CODES:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
        items.append(item)
    hidden.DeidentificationMethodCodeSequence = items
    return hidden


def _names(dataset: Dataset) -> frozenset[str]:
    """Collect the words that name somebody or something of the patient anywhere in the data set, folded."""
    found: set[str] = set()

    def collect(_: Dataset, element: DataElement) -> None:
        if element.VR == "PN" or element.keyword in ("PatientID", "AccessionNumber", "OtherPatientIDs"):
            values = element.value if isinstance(element.value, list) else [element.value]
            for value in values:
                found.update(word.casefold() for word in _WORD.findall(str(value or "")) if len(word) > 2)

    # whatever kind the file says that it is of
    for keyword in ("PatientName", "PatientID", "OtherPatientNames", "ReferringPhysicianName"):
        said = _WORD.findall(text(dataset, keyword))
        found.update(word.casefold() for word in said if len(word) > 2)
    # what cannot be walked cannot be written either
    with contextlib.suppress(*FAILURES):
        dataset.walk(collect)
    return frozenset(found)


def _clean(dataset: Dataset, names: frozenset[str]) -> Dataset:
    hidden = Dataset()
    for tag in list(dataset.keys()):
        if tag.is_private or tag.element == 0 or (0x5000 <= tag.group < 0x7000 and tag.group % 2 == 0):
            # private attributes, group lengths, curves and overlays
            continue
        try:
            element = dataset[tag]
            kept = _treat(tag, element, names)
        except FAILURES:
            continue
        if kept is not None:
            hidden.add(kept)
    return hidden


def _treat(tag: BaseTag, element: DataElement, names: frozenset[str]) -> DataElement | None:
    action = TABLE.get(int(tag), "")
    if _is_misnamed(tag, element.VR) or (element.VR == "UI" and not _are_uids(element.value)):
        # a name that is said to be a UID, or a size, would pass as one
        return None
    if tag in CHARACTERISTICS:
        return _characteristic(element, names)
    if element.VR == "SQ":
        if action and int(tag) not in _REFERENCES:
            return None
        return DataElement(tag, "SQ", [_clean(item, names) for item in element.value])
    if action == "X":
        return None
    if action == "U" or element.VR == "UI":
        return element
    if action in ("Z", "X/Z"):
        return DataElement(tag, element.VR, None)
    if action:
        return DataElement(tag, element.VR, _DUMMIES[element.VR]) if element.VR in _DUMMIES else None
    return _by_kind(tag, element, names)


def _is_misnamed(tag: BaseTag, kind: str) -> bool:
    """Tell whether an attribute is said to be of another kind than the standard gives it, and could hold words."""
    if kind in _NUMBERS or not dictionary_has_tag(tag):
        return False
    return kind not in dictionary_VR(tag).split(" or ")


def _are_uids(value: Any) -> bool:
    values = value if isinstance(value, list | MultiValue) else [value]
    return all(not item or is_uid(str(item)) for item in values)


def _by_kind(tag: BaseTag, element: DataElement, names: frozenset[str]) -> DataElement | None:
    """Treat what the table does not name."""
    if element.VR in _REMOVED_KINDS:
        return None
    try:
        dictionary_VR(tag)
    except KeyError:
        return None
    if element.VR in _WORDS and _names_somebody(element.value, names):
        return DataElement(tag, element.VR, None)
    return element


def _names_somebody(value: Any, names: frozenset[str]) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(word.casefold() in names for item in values for word in _WORD.findall(str(item or "")))


def _characteristic(element: DataElement, names: frozenset[str]) -> DataElement | None:
    if element.VR in _WORDS and _names_somebody(element.value, names):
        return None
    value = str(element.value or "")
    if element.keyword == "PatientAge" and re.fullmatch(r"\d{3}Y", value) and int(value[:3]) > 89:
        # there are few of that age: it would tell who it is
        return DataElement(element.tag, "AS", "090Y")
    return element
